"""The stream's callback as C code: PortAudio calls it, and no interpreter stands in between.

Python's own callbacks wait for the interpreter, which may be busy for tens of milliseconds. This
one is compiled by numba, takes all it needs from addresses in `userdata`, and cannot raise.
"""

import ctypes
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import cfunc, from_dtype, types
from numba.extending import intrinsic

from daemon.audio.layout import (
    COMMAND,
    COMMANDS,
    GAIN_RAMP,
    METER_WORDS,
    NS_PER_S,
    SLOTS,
    STATE,
    VOICE,
    VOICES,
)
from daemon.audio.meter import HAS_CLOCK, now_ns, record
from daemon.audio.mixing import fence, mix
from daemon.audio.phase import is_heard

# numba's own description of carray knows only its Python side.
carray: Any = vars(numba)["carray"]

CONTINUE = 0
OUTPUT_UNDERFLOW = 4

# unsigned long has 32 bits on Windows.
_ULONG = types.uint64 if ctypes.sizeof(ctypes.c_ulong) == 8 else types.uint32
pointer_type: Any = types.CPointer
# PaStreamCallback: input, output, frames, times, flags, userdata.
_SIGNATURE = types.int32(types.voidptr, types.voidptr, _ULONG, types.voidptr, _ULONG, types.voidptr)


def _pointer_to(kind: Any) -> Any:
    """Return an intrinsic that makes an address a pointer to a numba type."""

    def pointer(_context: Any, address: Any) -> Any:
        def build(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
            wanted = context.get_value_type(signature.return_type)
            return builder.inttoptr(arguments[0], wanted)

        return pointer_type(kind)(types.int64), build

    return intrinsic(pointer)


to_state, to_command = _pointer_to(from_dtype(STATE)), _pointer_to(from_dtype(COMMAND))
to_voice, to_gain = _pointer_to(from_dtype(VOICE)), _pointer_to(from_dtype(GAIN_RAMP))
to_sample, to_word = _pointer_to(types.float32), _pointer_to(types.int64)


def _fill(_input: Any, output: Any, frames: Any, times: Any, flags: Any, userdata: Any) -> int:
    began_ns = now_ns()
    addresses = carray(userdata, 7, types.int64)
    state = carray(to_state(addresses[0]), 1)
    ring = carray(to_command(addresses[1]), COMMANDS)
    voices_SV = carray(to_voice(addresses[2]), (SLOTS, VOICES))
    gains_S = carray(to_gain(addresses[3]), SLOTS)
    takes_SVN = carray(to_sample(addresses[4]), (SLOTS, VOICES, addresses[6]))
    meter = carray(to_word(addresses[5]), METER_WORDS)
    # PaStreamCallbackTimeInfo: when the input was heard, now, when the output will be heard.
    now_s = carray(times, 3, types.float64)[1]
    at_ns = began_ns if HAS_CLOCK else np.int64(now_s * NS_PER_S)
    out_NC = carray(output, (np.int64(frames), state[0].channels), types.float32)
    state[0].begun += 1
    fence("release")
    if is_heard(state, at_ns, np.int64(frames)):
        if flags & OUTPUT_UNDERFLOW and state[0].blocks > 0:
            state[0].underruns += 1
        mix(out_NC, state, ring, voices_SV, gains_S, takes_SVN)
    else:
        out_NC[:] = np.float32(0)
        state[0].begun -= 1
    record(meter, began_ns, now_ns())
    return CONTINUE


fill: Any = cfunc(_SIGNATURE, cache=True)(_fill)
