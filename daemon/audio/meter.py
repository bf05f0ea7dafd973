"""How long the callback takes and how far apart its calls are: counts that it keeps without a lock.

The callback alone writes; the main thread reads, and may see one call of two. Times go into bins
whose width is at most an eighth of their value. Compiled by numba, as the callback is; the clock is
the system's monotonic one, read without a system call where the system allows it.
"""

import time
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils as untyped
from numba.extending import intrinsic
from numpy.typing import NDArray

from daemon.audio.layout import (
    BIN_COUNT,
    BINS,
    BUSY,
    LAST_NS,
    LONGEST_NS,
    NS_PER_S,
    PERIOD,
    SHARE,
    SUM_NS,
)

HAS_CLOCK = hasattr(time, "clock_gettime")
CLOCK = getattr(time, "CLOCK_MONOTONIC", 0)

cgutils: Any = untyped


def _clock(_context: Any) -> Any:
    def build(_: Any, builder: ir.IRBuilder, _signature: Any, _arguments: Any) -> Any:
        word, number = ir.IntType(64), ir.IntType(32)
        if not HAS_CLOCK:
            return ir.Constant(word, 0)
        kind = ir.FunctionType(number, [number, word.as_pointer()])
        call = cgutils.get_or_insert_function(builder.module, kind, "clock_gettime")
        place = cgutils.alloca_once(builder, word, size=ir.Constant(number, 2))
        builder.call(call, [ir.Constant(number, CLOCK), place])
        seconds = builder.load(place)
        rest = builder.load(builder.gep(place, [ir.Constant(number, 1)]))
        return builder.add(builder.mul(seconds, ir.Constant(word, NS_PER_S)), rest)

    return types.int64(), build


now_ns: Any = intrinsic(_clock)


def _bin_of(duration_ns: int) -> int:
    value, octave = duration_ns, 0
    while value >= 2 * SHARE:
        value >>= 1
        octave += 1
    return min(max(SHARE * octave + value - SHARE, 0), BIN_COUNT - 1)


def _note(meter: Any, first: int, duration_ns: int) -> None:
    """Count one duration in the histogram that begins at word `first`."""
    meter[first + SUM_NS] += duration_ns
    meter[first + LONGEST_NS] = max(meter[first + LONGEST_NS], duration_ns)
    meter[first + BINS + bin_of(duration_ns)] += 1


def _record(meter: Any, began_ns: int, ended_ns: int) -> None:
    """Count one call: how long it took, and how long after the one before it began."""
    note(meter, BUSY, ended_ns - began_ns)
    if meter[LAST_NS] > 0:
        note(meter, PERIOD, began_ns - meter[LAST_NS])
    meter[LAST_NS] = began_ns


def _compiled(function: Any) -> Any:
    return njit(nogil=True, cache=True, error_model="numpy")(function)


bin_of = _compiled(_bin_of)
note = _compiled(_note)
record = _compiled(_record)


def counts(meter: NDArray[np.int64], first: int) -> tuple[int, int, tuple[tuple[int, int], ...]]:
    """Return a histogram: sum and longest in ns, and (bin, count) of bins that are not empty."""
    bins = meter[first + BINS : first + BINS + BIN_COUNT].copy()
    filled = tuple((int(at), int(bins[at])) for at in np.flatnonzero(bins))
    return int(meter[first + SUM_NS]), int(meter[first + LONGEST_NS]), filled
