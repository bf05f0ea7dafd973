"""Scenes through a real JACK server: all slots on one sample, without an engine or the takes."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from daemon.bench.hall import AUDIO, Hall, launch_of, looped, write_take
from daemon.bench.jack import RATE_HZ, Capture, capture, server
from daemon.bench.process import QUALITY, Daemon, running
from tests.jack_server import need_jack

pytestmark = pytest.mark.xdist_group("jack")

BEAT = RATE_HZ // 2
GAIN = 10 ** (-6 / 20)


def opened(daemon: Daemon, heard: Capture) -> Hall:
    heard.follow(30)
    peer = daemon.peer()
    peer.ask("/ditto/notify", 1)
    while peer.ask("/ditto/audio")[1][0] != "on":
        time.sleep(0.05)
    return Hall(daemon, heard, peer, {})


def recalled(hall: Hall) -> tuple[str, int]:
    answer = hall.peer.ask("/ditto/scene/recall", "Schlu\u00df", 2.0)
    assert answer[0] == "/ditto/done", answer
    name, plays, beat = answer[1][2:]
    assert beat % 2 == 0
    hall.heard.wait(3 * RATE_HZ)
    return name, plays


def test_a_scene_plays_without_engine_and_takes_and_after_a_restart(tmp_path: Path) -> None:
    need_jack()
    folder = tmp_path / "takes"
    folder.mkdir()
    takes = [write_take(folder, slot, 1) for slot in range(3)]
    wanted = looped(takes[0], RATE_HZ) + GAIN * looped(takes[1], RATE_HZ)
    with server(tmp_path) as name, capture(name) as heard:
        with running(tmp_path, AUDIO + QUALITY) as daemon:
            hall = opened(daemon, heard)
            hall.play(0)
            hall.play(1)
            hall.peer.ask("/ditto/gain", 1, -6.0)
            saved = hall.peer.ask("/ditto/scene/save", "Schlu\u00df")[1]
            assert saved[2:] == ["Schlu\u00df", 3, 2]
            block = hall.quiet()
            hall.peer.ask("/ditto/gain", 1, 0.0)
            hall.play(2)
            # A second later the player has read the take, whose file goes now.
            hall.heard.wait(RATE_HZ)
            os.kill(hall.daemon.child("daemon.engine"), signal.SIGKILL)
            for path in folder.iterdir():
                path.unlink()
            hall.heard.wait(RATE_HZ)
            assert recalled(hall) == ("Schlu\u00df", 2)
            audio = hall.heard.audio(block)
        # All changed on one sample, so many beats after the launch of what played before.
        first = launch_of(audio, takes[2])
        starts = range(first + BEAT, len(audio) - RATE_HZ, BEAT)
        off = [float(np.abs(audio[at : at + RATE_HZ] - wanted).max()) for at in starts]
        assert min(off) < 1e-6, off
        heard.wait_gone()
        with running(tmp_path, AUDIO + QUALITY) as daemon:
            hall = opened(daemon, heard)
            assert daemon.status()["scenes"][0]["name"] == "Schlu\u00df"
            block = hall.quiet()
            assert recalled(hall) == ("Schlu\u00df", 2)
            audio = hall.heard.audio(block)
    start = int(np.flatnonzero(audio)[0])
    # A fade of 5 ms comes before the first sample.
    off = [
        float(np.abs(audio[at : at + RATE_HZ] - wanted).max()) for at in range(start, start + 300)
    ]
    assert min(off) < 1e-6
