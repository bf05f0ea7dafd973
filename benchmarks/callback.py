"""A callback in C against one in Python, beside a busy interpreter, through JACK's dummy driver.

Both mix sixteen slots with the same core. A thread of the same process keeps the interpreter busy,
as a finished render or a collection of garbage would. Prints how far the time between two calls
strays from the period, how long the calls were, and the underruns that JACK reports.

    python -m benchmarks.callback [--seconds 20] [--period 256] [--busy 1]
"""

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import sounddevice
from numba import cfunc, types
from numpy.typing import NDArray

from daemon.audio import layout, mixing
from daemon.audio.callback import fill

RATE_HZ, LENGTH = 48_000, 96_000
CLOCK = time.CLOCK_MONOTONIC
COLUMNS = (
    *("callback", "busy threads", "calls", "period p50, ms", "p99", "longest"),
    *("call p50, ms", "p99", "underruns"),
)

_LIBC = ctypes.CDLL(None)
clock_gettime = _LIBC.clock_gettime
clock_gettime.argtypes, clock_gettime.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_int
_carray: Any = vars(numba)["carray"]
_address: Any = types.ExternalFunctionPointer
_SIGNATURE = types.int32(
    types.voidptr, types.voidptr, types.uint64, types.voidptr, types.uint64, types.voidptr
)
_FILL: Any = ctypes.CFUNCTYPE(
    ctypes.c_int,
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong),
    *(ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p),
)


def playing() -> tuple[layout.Memory, NDArray[np.int64]]:
    """Return memory with sixteen loops that sound, and its addresses."""
    memory = layout.allocate(RATE_HZ, 2, LENGTH)
    command = np.zeros(1, layout.COMMAND)
    for slot in range(layout.SLOTS):
        audio = np.random.default_rng(slot).uniform(-0.05, 0.05, LENGTH)
        memory.takes_SVN[slot, 0, :LENGTH] = audio.astype(np.float32)
        times = {"at": 1000, "fade": 240, "length": LENGTH, "period": LENGTH, "origin": 1000}
        for name, value in {"kind": layout.START, "slot": slot, "parts": 1, **times}.items():
            command[name] = value
        mixing.push(memory.state, memory.ring, command)
    return memory, memory.addresses()


def timed_in_c(stamps: NDArray[np.int64], addresses: NDArray[np.int64]) -> Any:
    """Return a C callback that calls the player's, and notes when it began and ended.

    stamps: (1 + 2 * calls * 2) words: the count, then seconds and nanoseconds of each.
    """
    call = _FILL(fill.address)
    words, where, clock = stamps.ctypes.data, addresses.ctypes.data, clock_gettime
    size = len(stamps)

    @cfunc(_SIGNATURE)
    def timed(one: Any, out: Any, frames: Any, times: Any, flags: Any, user: Any) -> int:
        held = _carray(user, size, types.int64)
        at = held[0]
        if at + 4 < size:
            clock(CLOCK, words + 8 * (1 + at))
        result = call(one, out, frames, times, flags, where)
        if at + 4 < size:
            clock(CLOCK, words + 8 * (3 + at))
            held[0] = at + 4
        return result  # type: ignore[no-any-return]

    return timed


def open_in_c(stamps: NDArray[np.int64], addresses: NDArray[np.int64]) -> tuple[Any, Any]:
    """Return a stream whose callback is C code, and what must live as long as it."""
    timed: Any = timed_in_c(stamps, addresses)
    ffi = sounddevice._ffi
    stream = sounddevice._StreamBase(
        "output",
        samplerate=RATE_HZ,
        channels=2,
        dtype="float32",
        latency="low",
        callback=ffi.cast("PaStreamCallback*", timed.address),
        userdata=ffi.cast("void*", stamps.ctypes.data),
    )
    return stream, timed


def open_in_python(stamps: NDArray[np.int64], memory: layout.Memory) -> tuple[Any, Any]:
    """Return a stream whose callback is a Python function, as sounddevice has it."""
    m = memory

    def call(out_NC: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        at = int(stamps[0])
        began = time.monotonic_ns()
        if status.output_underflow:
            m.state["underruns"] += 1
        mixing.mix(out_NC, m.state, m.ring, m.voices_SV, m.gains_S, m.takes_SVN)
        if at + 4 < len(stamps):
            ended = time.monotonic_ns()
            stamps[1 + at : 5 + at] = (*divmod(began, 10**9), *divmod(ended, 10**9))
            stamps[0] = at + 4

    return sounddevice.OutputStream(
        samplerate=RATE_HZ, channels=2, dtype="float32", latency="low", callback=call
    ), call


def hog(stop: threading.Event) -> None:
    """Keep the interpreter busy with small work on many objects."""
    while not stop.is_set():
        sum(len(str(number)) for number in range(20_000))


def measure(kind: str, seconds: float, busy: int) -> str:
    """Play for some seconds; return a line of the table."""
    memory, addresses = playing()
    stamps = np.zeros(1 + 4 * int(seconds * RATE_HZ / 32), np.int64)
    out_NC = np.zeros((256, 2), np.float32)
    warm = layout.allocate(RATE_HZ, 2, 10)
    mixing.mix(out_NC, warm.state, warm.ring, warm.voices_SV, warm.gains_S, warm.takes_SVN)
    openers: dict[str, Callable[[], tuple[Any, Any]]] = {
        "C": lambda: open_in_c(stamps, addresses),
        "Python": lambda: open_in_python(stamps, memory),
    }
    stream, kept = openers[kind]()
    stop = threading.Event()
    hogs = [threading.Thread(target=hog, args=(stop,), daemon=True) for _ in range(busy)]
    with stream:
        for each in hogs:
            each.start()
        time.sleep(seconds)
        stop.set()
    assert kept is not None
    return line(kind, busy, stamps, memory)


def line(kind: str, busy: int, stamps: NDArray[np.int64], memory: layout.Memory) -> str:
    """Return the figures in milliseconds."""
    times = stamps[1 : 1 + int(stamps[0])].reshape(-1, 2, 2)
    ms = times[:, :, 0] * 1e3 + times[:, :, 1] / 1e6
    # Whether a block is late is decided by when its call ends.
    gaps = np.diff(ms[50:, 1])
    work = ms[50:, 1] - ms[50:, 0]
    late = np.percentile(gaps, [50, 99, 100])
    figures = " | ".join(f"{value:.2f}" for value in (*late, *np.percentile(work, [50, 99])))
    underruns = int(memory.state["underruns"][0])
    return f"| {kind} | {busy} | {len(gaps)} | {figures} | {underruns} |"


def main(seconds: float, period: int, busy: int) -> None:
    """Measure both, each in a process of its own, one after the other."""
    name = f"callback{os.getpid()}"
    os.environ.update({"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1"})
    words = f"jackd -r -n {name} -d dummy -r {RATE_HZ} -p {period} -C 2 -P 2".split()
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w") as log:
        server = subprocess.Popen(words, stdout=log, stderr=log)
        time.sleep(2)
        try:
            write(f"| {' | '.join(COLUMNS)} |")
            write("| --- " * len(COLUMNS) + "|")
            for count in (0, busy):
                for kind in ("C", "Python"):
                    options = ["--kind", kind, "--seconds", str(seconds), "--busy", str(count)]
                    again = [sys.executable, "-m", "benchmarks.callback", *options]
                    subprocess.run(again, check=True)
        finally:
            server.terminate()
            server.wait()


def write(text: str) -> None:
    """Put a line on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--period", type=int, default=256)
    parser.add_argument("--busy", type=int, default=1)
    parser.add_argument("--kind", choices=("C", "Python"))
    options = parser.parse_args()
    if options.kind:
        write(measure(options.kind, options.seconds, options.busy))
    else:
        main(options.seconds, options.period, options.busy)
