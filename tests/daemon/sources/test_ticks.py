"""The clock behind jittering ticks: tempo and phase, steps, losses, silence."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.sources.ticks import NEWEST, WINDOW, Ticks

BPMS = st.floats(30, 280, allow_subnormal=False)
SEEDS = st.integers(0, 10**6)
STEADY = settings(max_examples=25, deadline=None)


def period_s(bpm: float) -> float:
    return 60 / bpm / 24


def feed(
    ticks: Ticks,
    count: int,
    bpm: float,
    start_s: float,
    jitter_s: Callable[[], float] = lambda: 0.0,
    lost: range = range(0),
) -> tuple[Ticks, float]:
    """Let ticks come; return what is known, and when the last was due."""
    for number in range(count):
        if number not in lost:
            ticks = ticks.with_tick(start_s + number * period_s(bpm) + jitter_s())
    return ticks, start_s + (count - 1) * period_s(bpm)


@given(BPMS, SEEDS, st.floats(0.0, 0.003, allow_subnormal=False))
@STEADY
def test_jitter_is_averaged_away(bpm: float, seed: int, jitter_s: float) -> None:
    chance = random.Random(seed)
    ticks, due_s = feed(Ticks(), 240, bpm, 7.0, lambda: chance.uniform(-jitter_s, jitter_s))
    line = ticks.line
    assert line and len(ticks.seen) <= WINDOW
    # The worst of a window; its deviation is a fifth of the jitter of one tick.
    assert abs(line.tick_at(due_s) - 239) * line.period_s < jitter_s + 1e-9
    assert line.bpm == pytest.approx(bpm, rel=0.02 * jitter_s / period_s(bpm) + 1e-9)
    assert abs(line.bpm - bpm) < 5 * line.bpm_error


@given(st.floats(40, 250, allow_subnormal=False), st.floats(40, 250, allow_subnormal=False), SEEDS)
@STEADY
def test_a_new_tempo_is_found_within_half_a_beat(before: float, after: float, seed: int) -> None:
    chance = random.Random(seed)

    def jitter_s() -> float:
        return chance.uniform(-0.001, 0.001)

    ticks, due_s = feed(Ticks(), 120, before, 0.0, jitter_s)
    ticks, due_s = feed(ticks, 24, after, due_s + period_s(after), jitter_s)
    line = ticks.line
    assert line and line.bpm == pytest.approx(after, rel=0.03)
    assert abs(line.tick_at(due_s) - ticks.number) < 0.25
    assert ticks.number == 143


@given(st.floats(60, 180, allow_subnormal=False), SEEDS, st.integers(1, 12))
@STEADY
def test_lost_ticks_are_counted(bpm: float, seed: int, count: int) -> None:
    chance = random.Random(seed)
    lost = range(150, 150 + count)
    ticks, _ = feed(Ticks(), 300, bpm, 0.0, lambda: chance.uniform(-0.001, 0.001), lost)
    assert ticks.number == 299
    assert ticks.line and ticks.line.bpm == pytest.approx(bpm, rel=0.01)


def test_after_a_silence_it_is_counted_on_in_the_last_tempo() -> None:
    ticks, due_s = feed(Ticks(), 100, 120.0, 0.0)
    ticks = ticks.with_tick(due_s + 48 * period_s(120.0) + 0.001)
    assert ticks.number == 99 + 48
    assert ticks.line is None, "the tempo may be another one now"
    ticks, _ = feed(ticks, NEWEST - 1, 90.0, due_s + 48 * period_s(120.0) + period_s(90.0))
    assert ticks.line and ticks.line.bpm == pytest.approx(90.0, rel=0.02)


def test_too_few_tell_no_tempo() -> None:
    ticks, _ = feed(Ticks(), NEWEST - 1, 120.0, 0.0)
    assert ticks.line is None and Ticks().number == -1
    assert ticks.with_tick(NEWEST * period_s(120.0)).line


def test_numbers_can_be_those_of_a_song() -> None:
    ticks, due_s = feed(Ticks(), 60, 120.0, 0.0)
    moved = ticks.renumbered(960)
    assert moved.number == 960
    assert moved.line and moved.line.tick_at(due_s) == pytest.approx(960)
    assert moved.line.bpm == pytest.approx(120.0)


@given(st.lists(st.floats(0, 10, allow_subnormal=False), min_size=1, max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_times_are_survived(times: list[float]) -> None:
    ticks = Ticks()
    for at_s in sorted(times):
        ticks = ticks.with_tick(at_s)
        assert ticks.line is None or ticks.line.bpm > 0
