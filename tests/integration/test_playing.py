"""The daemon plays into a real JACK server: what comes out is the take, sample for sample."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from daemon.bench.hall import CROSS, FADE, Hall, launch_of, looped, open_hall
from daemon.bench.jack import PERIOD, RATE_HZ
from daemon.bench.process import QUALITY, running
from tests.jack_server import need_jack

pytestmark = pytest.mark.xdist_group("jack")


def test_without_a_device_all_else_goes_on(tmp_path: Path) -> None:
    more = '[audio]\ndevice = "no card has this name"\n'
    with running(tmp_path, more + QUALITY) as daemon:
        peer = daemon.peer()
        until_s = time.monotonic() + 30
        while (reply := peer.ask("/ditto/audio")[1])[0] != "none":
            assert time.monotonic() < until_s, reply
            time.sleep(0.1)
        assert "no card has this name" in reply[7]
        assert daemon.status()["audio"]["state"] == "none"
        assert peer.ask("/ditto/gain", 0, -6.0)[0] == "/ditto/done"
        assert peer.ask("/ditto/play", 0, 1.0)[1][2] == "no_audio"
        assert daemon.output().count("WARNING nothing can be heard") == 1


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    need_jack()
    with open_hall(tmp_path_factory.mktemp("hall")) as opened:
        yield opened


def test_a_loop_is_the_take_sample_for_sample(hall: Hall) -> None:
    block = hall.quiet()
    assert hall.play(0)[:2] == [0, 2]
    hall.heard.wait(3 * RATE_HZ)
    audio = hall.heard.audio(block)
    at = launch_of(audio, hall.takes[0, 2])
    assert np.array_equal(audio[at:], looped(hall.takes[0, 2], len(audio) - at))
    assert not audio[: at - FADE].any()


def test_the_audio_process_loads_no_torch(hall: Hall) -> None:
    mapped = Path(f"/proc/{hall.daemon.child('daemon.audio')}/maps").read_text()
    assert "portaudio" in mapped and "torch" not in mapped


def test_launches_and_stops_are_whole_beats_apart(hall: Hall) -> None:
    block = hall.quiet()
    beats = [hall.play(0, 1.0)[2]]
    hall.heard.wait(RATE_HZ)
    beats.append(hall.play(1, 4.0)[2])
    hall.heard.wait(2 * RATE_HZ + PERIOD)
    address, values = hall.peer.ask("/ditto/stop", 0, 1.0)
    beats.append(values[3])
    hall.heard.wait(RATE_HZ)
    audio = hall.heard.audio(block)
    first = launch_of(audio, hall.takes[0, 2])
    starts = [first + round((beat - beats[0]) * RATE_HZ / 2) for beat in beats]
    assert all(float(beat).is_integer() for beat in beats) and beats[1] % 4 == 0
    # The second is heard alone once the first is taken away.
    frames = len(audio) - first
    one, two = looped(hall.takes[0, 2], frames), looped(hall.takes[1, 2], frames)
    alone = audio[first:] - one
    later = slice(starts[1] - first, starts[2] - first - FADE)
    np.testing.assert_allclose(alone[later], two[: later.stop - later.start], atol=2e-8)
    tail = audio[starts[2] :]
    assert np.array_equal(tail, looped(hall.takes[1, 2], len(tail), starts[2] - starts[1]))


def test_a_rollback_swaps_at_the_end_of_the_loop(hall: Hall) -> None:
    block = hall.quiet()
    hall.play(2)
    hall.heard.wait(2 * RATE_HZ // 3)
    address, values = hall.peer.ask("/ditto/rollback", 2)
    assert values[2:4] == [2, 1]
    hall.heard.wait(2 * RATE_HZ)
    audio = hall.heard.audio(block)
    new, old = hall.takes[2, 1], hall.takes[2, 2]
    start, swap = launch_of(audio, old), launch_of(audio, new)
    assert swap - start == len(old)
    assert np.array_equal(audio[start : swap - CROSS], old[: len(old) - CROSS])
    assert np.array_equal(audio[swap:], looped(new, len(audio) - swap))
    assert hall.peer.ask("/ditto/rollback", 2)[1][2] == "no_take"


def test_clients_hear_what_plays_and_what_comes(hall: Hall) -> None:
    hall.quiet()
    hall.peer.drain()
    beat = hall.play(3, 4.0)[2]
    events = [r for r in hall.peer.until("/ditto/slot/state")]
    assert events[-1][1] == [3, 0, 0, 2, beat]
    assert hall.peer.until("/ditto/slot/state")[-1][1] == [3, 1, 2, -1, -1.0]
    beats = [hall.peer.until("/ditto/heartbeat")[-1][1] for _ in range(2)]
    # A second is two beats; a busy machine may be late.
    assert 1.8 < beats[1][0] - beats[0][0] < 6.0
    assert beats[0][1:4] == [120.0, 1, "on"]


def test_a_tempo_change_moves_what_is_planned_for_a_beat(hall: Hall) -> None:
    block = hall.quiet()
    hall.peer.ask("/ditto/transport/beat", 8.0)
    beat = hall.play(1, 16.0)[2]
    assert beat == 16.0
    hall.peer.ask("/ditto/transport/tempo", 240.0)
    hall.heard.wait(3 * RATE_HZ)
    audio = hall.heard.audio(block)
    at = launch_of(audio, hall.takes[1, 2]) - 8 * PERIOD
    assert abs(at / RATE_HZ - 2.0) < 0.3, "8 beats at 240 bpm, and not at 120"
    assert hall.play(1, 0.0)[3:] == [120.0, 0], "the take is not in the transport's tempo"
    hall.peer.ask("/ditto/transport/tempo", 120.0)


def test_a_killed_engine_is_not_heard(hall: Hall) -> None:
    block = hall.quiet()
    hall.play(0)
    hall.heard.wait(RATE_HZ)
    os.kill(hall.daemon.child("daemon.engine"), signal.SIGKILL)
    hall.heard.wait(2 * RATE_HZ)
    audio = hall.heard.audio(block)
    at = launch_of(audio, hall.takes[0, 2])
    assert np.array_equal(audio[at:], looped(hall.takes[0, 2], len(audio) - at))


def test_a_finished_render_takes_over_at_the_end_of_the_loop(hall: Hall) -> None:
    peer = hall.peer
    # A client that never registered asks here, so this one gets copies of its answers.
    hall.daemon.wait_ready()
    peer.drain()
    block = hall.quiet()
    peer.ask("/ditto/slot/tempo", 1, 120.0, 2.0)
    hall.play(1)
    # A render may be quicker than the next beat.
    hall.heard.wait(RATE_HZ)
    peer.send("/ditto/render", 1)
    replies = dict(peer.until("/ditto/done", "/ditto/fail"))
    assert "/ditto/take" in replies, replies
    path = replies["/ditto/take"][2]
    hall.heard.wait(4 * RATE_HZ)
    new, _ = soundfile.read(path, dtype="float32")
    audio, old = hall.heard.audio(block), hall.takes[1, 2]
    start, swap = launch_of(audio, old), launch_of(audio, new)
    assert (swap - start) % len(old) == 0
    # An earlier version of the render may have been heard for a pass in between.
    assert np.array_equal(audio[start : start + len(old) - CROSS], old[:-CROSS])
    assert np.array_equal(audio[swap:], looped(new, len(audio) - swap))


def test_panic_is_silence(hall: Hall) -> None:
    for slot in range(4):
        hall.play(slot, 0.0)
    hall.heard.wait(RATE_HZ // 2)
    assert hall.heard.audio(len(hall.heard.blocks) - 4).any()
    block = hall.quiet()
    hall.heard.wait(RATE_HZ // 2)
    assert not hall.heard.audio(block).any()
