"""An endless slot with the real engine through real JACK: what is heard is the segments, joined."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from daemon.bench.hall import Hall, launch_of, open_hall
from daemon.bench.jack import RATE_HZ
from ditto_rt.timing import JOIN_S
from tests.jack_server import need_jack

pytestmark = pytest.mark.xdist_group("jack")

QUICK = "[render]\nsteps = 1\nsearch_steps = 1\niterations = 1\n"
LEAD, PASS = round(JOIN_S * RATE_HZ), RATE_HZ
LIMIT_S = 150.0


def segments(hall: Hall, most: int) -> dict[int, float]:
    """Wait until so many are planned; return each version with the beat on which it begins."""
    begins: dict[int, float] = {}
    until_s = time.monotonic() + LIMIT_S
    while time.monotonic() < until_s:
        hall.peer.send("/ditto/ping")
        address, values = hall.peer.receive(1.0) or ("", [])
        if address == "/ditto/slot/state" and values[0] == 0 and values[3] > 0:
            begins[int(values[3])] = float(values[4])
        if address == "/ditto/slot/endless" and values[2] >= most:
            return begins
    raise AssertionError(f"{len(begins)} segments within {LIMIT_S} s")


def test_segments_follow_each_other_and_a_killed_engine_only_makes_one_repeat(
    tmp_path: Path,
) -> None:
    need_jack()
    with open_hall(tmp_path, more=QUICK, beats={0: 2.0}) as hall:
        hall.daemon.wait_ready()
        hall.peer.drain()
        hall.peer.ask("/ditto/slot/tempo", 0, 120.0, 2.0)
        block = hall.quiet()
        first = float(hall.play(0)[2])  # type: ignore[arg-type]
        assert hall.peer.ask("/ditto/endless", 0, 1)[0] == "/ditto/done"
        begins = segments(hall, 3)
        os.kill(hall.daemon.child("daemon.engine"), signal.SIGKILL)
        begins |= segments(hall, 6)
        hall.heard.wait(3 * PASS)
        audio = hall.heard.audio(block)
        hall.peer.drain()
        assert hall.peer.ask("/ditto/endless", 0, 0)[0] == "/ditto/done"
        start = launch_of(audio, hall.takes[0, 2])
        heard = 0
        for version, beat in sorted(begins.items()):
            wav = tmp_path / "takes" / f"slot00_v{version:04d}.wav"
            at = start + round((beat - first) * RATE_HZ / 2)
            if not wav.is_file() or at + PASS > len(audio):
                continue
            take, _ = soundfile.read(wav, dtype="float32")
            assert len(take) == PASS
            body = slice(at, at + PASS - LEAD)
            heard += np.array_equal(audio[body], take[: PASS - LEAD])
        # A version that was planned may have given way to a better one.
        assert heard >= 4, (heard, begins)
        loud = np.abs(audio[start:]).reshape(-1)
        assert loud[: len(loud) // 256 * 256].reshape(-1, 256).max(axis=1).min() > 0, "a gap"
