"""A stream of automation through a real daemon into a real JACK server: heard at once."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from daemon.bench.hall import CROSS, Hall, launch_of, looped, open_hall
from daemon.bench.jack import RATE_HZ
from daemon.bench.process import QUALITY
from tests.jack_server import need_jack

pytestmark = pytest.mark.xdist_group("jack")

# The takes' noise, uniform between -0.05 and 0.05.
MADE_DB = 20 * np.log10(0.05 / np.sqrt(3))
BEATS = 2.0
# An engine that is quick would put a take of its own in the place of the noise.
RIDE_ALONE = "[automation]\nmost_per_minute = 0\n"


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    need_jack()
    with open_hall(tmp_path_factory.mktemp("hall"), more=QUALITY + RIDE_ALONE) as opened:
        yield opened


def test_what_is_streamed_is_heard_along_the_loop_and_forgotten_when_cleared(hall: Hall) -> None:
    peer, take = hall.peer, hall.takes[0, 2]
    assert peer.ask("/ditto/slot/tempo", 0, 120.0, BEATS)[0] == "/ditto/done"
    block = hall.quiet()
    launch = float(str(hall.play(0)[2]))
    while hall.daemon.status()["audio"]["beat"] < launch + 1:
        # On a busy machine what has been heard may be seconds behind what plays.
        time.sleep(0.05)
    for beat in np.arange(0, BEATS, 0.002):
        # From 6 dB below what was made to 6 dB above it, along the loop.
        peer.send("/ditto/automation", 0, float(beat), float(MADE_DB - 6 + 12 * beat / BEATS))
        # A thousand a second: what comes in one burst is overtaken by its own newest value.
        time.sleep(0.001)
    address, values = peer.ask("/ditto/automation", 0, 1.0, float(MADE_DB), 5)
    assert (address, values) == ("/ditto/done", ["/ditto/automation", 5, 0, 1.0])
    until_s = time.monotonic() + 2.0
    hall.heard.wait(2 * RATE_HZ)
    time.sleep(max(0.0, until_s - time.monotonic()))
    state = next(slot for slot in hall.daemon.status()["slots"] if slot["slot"] == 0)
    assert state["automated"] and abs(state["play"]["ride_db"]) == pytest.approx(6.0, abs=0.5)
    assert peer.ask("/ditto/automation/clear", 0)[1][2:] == [0, 0]
    hall.heard.wait(2 * RATE_HZ)
    audio = hall.heard.audio(block)
    start = launch_of(audio, take)
    heard, made = audio[start:], looped(take, len(audio) - start)
    assert np.array_equal(heard[-RATE_HZ // 2 :], made[-RATE_HZ // 2 :]), "bit for bit again"
    ridden = np.flatnonzero(heard != made)
    loud = np.abs(made) > 0.01
    gains = np.interp(np.arange(len(made)), np.flatnonzero(loud), heard[loud] / made[loud])
    # One whole pass, in the middle of what was ridden.
    middle = (ridden[0] + ridden[-1]) // 2 // len(take) * len(take)
    pass_db = 20 * np.log10(gains[middle : middle + len(take)])
    wanted_db = -6 + 12 * np.arange(len(take)) / len(take)
    # Where the loop ends the curve falls back by 12 dB, within a sixteenth of a beat.
    inside = slice(CROSS, -RATE_HZ // 20)
    assert np.abs(pass_db - wanted_db)[inside].max() < 0.7
    # The steepest of all: from one end of the curve to the other within two of the ride's points.
    assert np.abs(np.diff(gains)).max() < 1.5 / (len(take) / 128) + 1.5 / CROSS
