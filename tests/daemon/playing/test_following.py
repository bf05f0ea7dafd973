"""Steering: bounded, smooth, and where the source is in the end; whatever the clocks do."""

import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.playing.following import (
    GRAIN,
    JUMP_S,
    SLEW,
    Heading,
    alone,
    error_s,
    nearest,
    placed,
    plain_bpm,
    steered,
)
from daemon.playing.transport import Transport

RATE_HZ = 48_000
STEP = RATE_HZ // 10


def follow(
    transport: Transport, heading: Heading, seconds: int, noise_s: float = 0.0
) -> tuple[Transport, list[float]]:
    """Steer ten times a second; return the transport and the true errors on the way, in s."""
    chance, errors = random.Random(3), []
    for step in range(1, 10 * seconds + 1):
        frame = transport.frame + STEP
        beat = heading.beat_at(frame, RATE_HZ)
        seen = beat + Fraction(chance.uniform(-noise_s, noise_s)) * heading.bpm / 60
        errors.append(float(error_s(transport, Heading(frame, beat, heading.bpm))))
        before = transport
        transport = steered(transport, Heading(frame, seen, heading.bpm))
        assert abs(transport.beat_at(frame) - before.beat_at(frame)) <= Fraction(1, GRAIN)
        assert abs(transport.pull - 1) <= SLEW + Fraction(1, GRAIN)
        assert transport.beat.denominator <= GRAIN, step
    return transport, errors


@given(
    st.floats(-0.05, 0.05, allow_subnormal=False),
    st.sampled_from([60, 120, 300]),
    st.integers(-100, 100),
)
@settings(max_examples=20, deadline=None)
def test_small_errors_are_slewed_away(off_s: float, bpm: int, drift_ppm: int) -> None:
    transport = Transport(RATE_HZ).with_bpm(bpm, 0)
    tempo = Fraction(bpm) * (1 + Fraction(drift_ppm, 10**6))
    _, errors = follow(transport, Heading(0, Fraction(off_s) * bpm / 60, tempo), 12)
    assert all(abs(later) <= abs(sooner) + 2e-4 for sooner, later in pairwise(errors))
    assert abs(errors[-1]) < 1.1e-4 + 1e-3 * abs(off_s)


def test_what_a_source_says_may_jitter() -> None:
    transport = Transport(RATE_HZ)
    _, errors = follow(transport, Heading(0, Fraction(0), Fraction(120)), 60, noise_s=0.003)
    assert max(map(abs, errors)) < 0.0025


@given(
    st.integers(0, 10**9),
    st.floats(0, 10**5, allow_subnormal=False),
    st.floats(20, 300, allow_subnormal=False),
)
def test_a_jump_lands_where_the_source_is(frame: int, beat: float, bpm: float) -> None:
    heading = Heading(frame, Fraction(beat), Fraction(bpm))
    transport = placed(Transport(RATE_HZ), heading, frame + 3000)
    assert abs(error_s(transport, heading)) < Fraction(1, 10**8)
    assert transport.running and transport.pull == 1


def test_left_alone_it_runs_on_from_where_it_is() -> None:
    transport, _ = follow(Transport(RATE_HZ), Heading(0, Fraction(1, 50), Fraction(120)), 1)
    frame = transport.frame + 1234
    free = alone(transport, frame)
    assert free.beat_at(frame) == transport.beat_at(frame)
    assert (free.pull, free.bpm) == (1, 120)
    assert free.beat_at(frame + RATE_HZ) - free.beat_at(frame) == 2


def test_a_take_is_in_time_when_it_nearly_is() -> None:
    own = Transport(RATE_HZ)
    assert own.fits(Fraction(120)) and not own.fits(Fraction("120.01"))
    led = steered(own, Heading(STEP, Fraction(1, 5), Fraction(120)))
    assert led.fits(Fraction("120.1")) and not led.fits(Fraction("120.2"))


@pytest.mark.parametrize(
    ("beats", "cycle", "whole"),
    [(5.3, None, 0.0), (5.3, 0.0, 5.3), (5.3, 4.0, 4.0), (6.5, 4.0, 8.0), (-1.9, 4.0, 0.0)],
)
def test_the_part_of_a_difference_that_is_none(
    beats: float, cycle: float | None, whole: float
) -> None:
    assert float(nearest(Fraction(beats), cycle)) == whole


@pytest.mark.parametrize(
    ("bpm", "error", "before", "meant"),
    [
        (119.98, 0.03, "90", "120"),
        (120.0004641743, 0.001, "90", "120"),
        (131.3700804641, 0.001, "120", "131.37"),
        (93.48, 0.004, "120", "93.48"),
        (93.4567, 0.00001, "120", "93.457"),
        (120.03, 0.03, "120.04", "120.04"),
        (122.0, 0.03, "120", "122"),
    ],
)
def test_the_tempo_that_was_meant(bpm: float, error: float, before: str, meant: str) -> None:
    assert plain_bpm(bpm, error, Fraction(before)) == Fraction(meant)


@given(st.integers(1, 2**20), st.floats(20, 300, allow_subnormal=False))
@settings(max_examples=30)
def test_frames_and_beats_stay_each_other_s_inverse(frame: int, bpm: float) -> None:
    led = steered(Transport(RATE_HZ), Heading(STEP, Fraction(0.21), Fraction(repr(bpm))))
    assert led.frame_of(led.beat_at(frame)) == frame
    assert replace(led, pull=Fraction(1)).frames_per_beat == 60 * RATE_HZ / Fraction(repr(bpm))
    assert JUMP_S > 0
