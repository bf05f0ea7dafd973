"""The callback as PortAudio calls it: raw pointers in, samples out, and nothing allocated."""

import ctypes
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.audio.callback import fill
from daemon.audio.layout import BUSY, COMMAND, PERIOD, RIDE_POINTS, START, Memory, allocate
from daemon.audio.meter import counts
from daemon.audio.mixing import push
from daemon.audio.store import keep_compiled_code
from tests.source_tree import ROOT

RATE_HZ, FRAMES, LENGTH = 48_000, 256, 1000

CALL = ctypes.CFUNCTYPE(
    ctypes.c_int,
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong),
    *(ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p),
)(fill.address)


def call(memory: Memory, now_s: float, flags: int = 0) -> NDArray[np.float32]:
    addresses = memory.addresses()
    out_NC = np.full((FRAMES + 1, 2), np.nan, np.float32)
    times_s = np.array([0.0, now_s, 0.0])
    pointers = out_NC.ctypes.data, times_s.ctypes.data, addresses.ctypes.data
    assert CALL(None, pointers[0], FRAMES, pointers[1], flags, pointers[2]) == 0
    assert np.isnan(out_NC[FRAMES]).all(), "it writes no more than it was asked for"
    return out_NC[:FRAMES]


def test_it_plays_and_counts() -> None:
    memory = allocate(RATE_HZ, 2, LENGTH)
    take = np.random.default_rng(0).uniform(-1, 1, LENGTH).astype(np.float32)
    memory.takes_SVN[15, 3, :LENGTH] = take
    command = np.zeros(1, COMMAND)
    command[0] = (
        START,
        15,
        3,
        FRAMES,
        100,
        LENGTH,
        LENGTH,
        1,
        FRAMES,
        0,
        0,
        0,
        np.zeros(RIDE_POINTS),
    )
    push(memory.state, memory.ring, command)
    call(memory, 0.0)
    heard = call(memory, 0.01, flags=4)
    assert np.array_equal(heard, np.stack([take[:FRAMES]] * 2, 1))
    state = memory.state[0]
    assert (state["frame"], state["blocks"], state["underruns"]) == (2 * FRAMES, 2, 1)
    assert (state["block"], state["begun"]) == (FRAMES, 2)
    (_, longest_ns, busy), (apart_ns, _, apart) = (
        counts(memory.meter, BUSY),
        counts(memory.meter, PERIOD),
    )
    assert sum(count for _, count in busy) == 2 and sum(count for _, count in apart) == 1
    assert 0 < longest_ns and 0 < apart_ns


ALLOCATES = """
    import numpy as np
    from numba import njit
    from daemon.audio import callback, layout, mixing
    m = layout.allocate(48_000, 1, 10)
    out = np.zeros((4, 1), np.float32)
    mixing.mix(out, m.state, m.ring, m.voices_SV, m.gains_S, m.takes_SVN)
    mixing.push(m.state, m.ring, np.zeros(1, layout.COMMAND))
    known = njit(lambda n: np.zeros(n).sum())
    known(3)
    def code(function):
        return "".join(function.inspect_llvm().values())
    def allocates(text):
        return "NRT_MemInfo_alloc" in text or "NRT_Allocate" in text
    core = code(mixing.mix) + code(mixing.push) + callback.fill.inspect_llvm()
    assert len(core) > 20_000
    print(allocates(code(known)), allocates(core))
"""


def test_nothing_is_allocated_in_it(tmp_path: Path) -> None:
    # Code that was compiled before cannot be looked into: an empty folder makes it new.
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ALLOCATES)],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.stdout.split() == ["True", "False"], found.stderr


def test_compiled_code_is_kept_for_these_sources(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "before")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    keep_compiled_code()
    assert os.environ["NUMBA_CACHE_DIR"].startswith(str(tmp_path / "ditto-rt" / "compiled"))
    kept = os.environ["NUMBA_CACHE_DIR"]
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    keep_compiled_code()
    assert os.environ["NUMBA_CACHE_DIR"] == "mine" != kept
