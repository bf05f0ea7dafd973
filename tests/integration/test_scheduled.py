"""Takes that bundles launch in the future: which sample they begin on, heard through JACK."""

import time
from collections.abc import Iterator

import pytest

from daemon.bench.hall import FADE, Hall, launch_of, open_hall
from daemon.bench.jack import PERIOD, RATE_HZ
from daemon.bench.osc_bytes import bundle, message
from daemon.bench.process import QUALITY
from daemon.osc.schedule import NTP_EPOCH_S
from tests.jack_server import need_jack

pytestmark = pytest.mark.xdist_group("jack")

AHEAD_S = 1.5
# As near as the clocks allow on a machine that runs other tests; docs/results.md has what it is.
NEAR_S = 0.003


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    need_jack()
    more = QUALITY + '[osc]\ntime_tags = "schedule"\n'
    with open_hall(tmp_path_factory.mktemp("scheduled"), more=more) as opened:
        yield opened


def launch_later(hall: Hall, slot: int, quantum: float) -> int:
    """Send a launch for AHEAD_S from now; return that time, in ns of the monotonic clock."""
    seconds, now_ns = time.time() + NTP_EPOCH_S + AHEAD_S, time.monotonic_ns()
    tag = round(seconds * 2**32).to_bytes(8, "big")
    hall.peer.raw(bundle(message("/ditto/play", "if", slot, quantum), tag=tag))
    return now_ns + round(AHEAD_S * 1e9)


def heard_at(hall: Hall, block: int, slot: int) -> tuple[int, int]:
    """Return the sample since `block` on which the slot's take begins, and when it left JACK."""
    audio = hall.heard.audio(block)
    at = launch_of(audio, hall.takes[slot, 2])
    assert not audio[: at - FADE].any()
    latency_s = float(hall.peer.ask("/ditto/audio")[1][4])
    left_ns = hall.heard.time_of(block + at // PERIOD, at % PERIOD)
    return at, left_ns + round(1e9 * latency_s)


def test_a_take_begins_at_its_bundles_time(hall: Hall) -> None:
    block = hall.quiet()
    due_ns = launch_later(hall, 0, 0.0)
    assert hall.peer.until("/ditto/done")[-1][1][0] == "/ditto/play"
    hall.heard.wait(RATE_HZ)
    _, at_ns = heard_at(hall, block, 0)
    assert abs(at_ns - due_ns) < NEAR_S * 1e9, f"{(at_ns - due_ns) / 1e6} ms beside its time"


def test_a_take_begins_on_the_first_beat_after_its_bundles_time(hall: Hall) -> None:
    hall.quiet()
    # A launch that is played at once tells on which sample the beats are.
    block = len(hall.heard.blocks)
    first_beat = hall.play(0, 1.0)[2]
    hall.heard.wait(RATE_HZ)
    first, first_ns = heard_at(hall, block, 0)
    assert hall.peer.ask("/ditto/stop", 0, 0.0)[0] == "/ditto/done"
    hall.heard.wait(RATE_HZ // 4)
    later = len(hall.heard.blocks)
    due_ns = launch_later(hall, 1, 1.0)
    answer = hall.peer.until("/ditto/done")[-1][1]
    hall.heard.wait(RATE_HZ)
    at, at_ns = heard_at(hall, later, 1)
    passed = (later - block) * PERIOD + at - first
    assert isinstance(first_beat, float)
    # 120 bpm: to the sample, whatever any clock says.
    assert passed == (answer[4] - first_beat) * RATE_HZ / 2
    assert -NEAR_S * 1e9 < at_ns - due_ns < (0.5 + NEAR_S) * 1e9
