"""Late words of the device move nothing; gaps and other streams are believed."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.audio.wire import Clock
from daemon.playing.timebase import WORDS, Timebase

RATE_HZ = 48_000
PERIOD_NS = 100_000_000


def frame_at(clock: Clock, at_ns: int) -> float:
    return clock.frame + (at_ns - clock.at_ns) * RATE_HZ / 1e9


@given(st.integers(0, 10**6), st.integers(-100, 100))
@settings(max_examples=30, deadline=None)
def test_jitter_is_taken_out(seed: int, ppm: int) -> None:
    chance, base, offs_ms = random.Random(seed), Timebase(RATE_HZ), []
    for number in range(300):
        due_ns = number * PERIOD_NS
        frame = round(due_ns * RATE_HZ / 1e9 * (1 + ppm * 1e-6))
        # Most blocks are late, one in three hardly.
        late_ns = chance.choice((0, 3_000_000, 5_000_000)) + chance.randint(0, 50_000)
        clock = base.steadied(Clock(frame, due_ns + late_ns, 256, number, 7))
        assert (clock.block_frames, clock.underruns, clock.late) == (256, number, 7)
        offs_ms.append(abs(frame_at(clock, due_ns) - frame) / RATE_HZ * 1000)
    # Ten words in a row are late now and then; all others are as good as the best of a second.
    assert sum(off < 0.2 for off in offs_ms) > 255


def test_the_least_late_of_a_second_counts() -> None:
    base = Timebase(RATE_HZ)
    early = Clock(0, 0, 256, 0, 0)
    assert base.steadied(early) == early
    for number in range(1, WORDS):
        clock = base.steadied(Clock(4800 * number, PERIOD_NS * number + 1_000_000, 256, 0, 0))
        assert (clock.frame, clock.at_ns) == (0, 0)
    clock = base.steadied(Clock(4800 * WORDS, PERIOD_NS * WORDS + 1_000_000, 256, 0, 0))
    assert clock.at_ns == PERIOD_NS + 1_000_000, "the early one is a second old"


def test_a_gap_is_believed_at_once() -> None:
    base = Timebase(RATE_HZ)
    for number in range(5):
        base.steadied(Clock(4800 * number, PERIOD_NS * number, 256, 0, 0))
    after = Clock(4800 * 5, PERIOD_NS * 5 + 5 * 10**9, 256, 1, 0)
    assert base.steadied(after) == after


def test_another_stream_begins_anew() -> None:
    base = Timebase(RATE_HZ)
    base.steadied(Clock(10**6, 0, 256, 0, 0))
    base.forget()
    fresh = Clock(0, PERIOD_NS, 256, 0, 0)
    assert base.steadied(fresh) == fresh
