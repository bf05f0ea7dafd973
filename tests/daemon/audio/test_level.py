"""How loud takes are along their loops, and by how much they are moved to be as was asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from daemon.audio.layout import RIDE_POINTS
from daemon.audio.level import drawn, gains, level_of, ride_db, smooth
from ditto_rt.limits import RIDE_DB
from ditto_rt.measure import loudness_db

RATE_HZ = 16_000

Curve = NDArray[np.float64]


def noise(level_N: Curve, seed: int = 0) -> NDArray[np.float32]:
    """Return noise whose RMS is that many dB at each sample."""
    random = np.random.default_rng(seed).standard_normal(len(level_N))
    return (random * 10 ** (level_N / 20)).astype(np.float32)


def at_samples(points_R: Curve, frames: int) -> Curve:
    """Return a loop's curve at each sample of a pass."""
    places = np.arange(RIDE_POINTS + 1) / RIDE_POINTS
    whole = np.append(points_R, points_R[0])
    return np.interp(np.arange(frames) / frames, places, whole)


def heard_db(audio_N: NDArray[np.float32]) -> Curve:
    """Return the measured loudness of the middle of three passes."""
    level_F = loudness_db(np.tile(audio_N, 3), RATE_HZ)
    third = len(level_F) // 3
    return np.asarray(level_F[third : 2 * third], np.float64)


@pytest.mark.parametrize("seconds", [1.0, 2.5, 4.0, 16.0])
def test_the_level_is_what_the_reports_measure(seconds: float) -> None:
    frames = round(seconds * RATE_HZ)
    audio = noise(-30 + 12 * np.sin(2 * np.pi * np.arange(frames) / frames))
    level = level_of(audio, RATE_HZ)
    hops = round(100 * seconds)
    made_F = uniform_filter1d(at_samples(level.db_R, hops), 100, mode="wrap")
    np.testing.assert_allclose(made_F, heard_db(audio)[:hops], atol=0.3)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 1000), st.floats(0, 1.2, allow_subnormal=False))
def test_no_sample_is_moved_past_full_scale(frames: int, seed: int, height: float) -> None:
    random = np.random.default_rng(seed)
    audio = (random.uniform(-height, height, frames) ** 3).astype(np.float32)
    moved = gains(ride_db(level_of(audio, RATE_HZ), random.uniform(-40, 20, RIDE_POINTS), None))
    heard = np.abs(audio * at_samples(moved.astype(np.float64), frames))
    assert (heard <= np.maximum(np.abs(audio), 1) * 1.000_01).all()


def test_a_take_that_does_what_was_asked_is_left_alone() -> None:
    # A corner that the take plays is no reason to move it, although a mean over a second hides it.
    asked = drawn([(0, -30), (3.9, -30), (4.1, -15), (8, -15)], 8.0)
    audio = noise(at_samples(asked, 4 * RATE_HZ))
    moved = ride_db(level_of(audio, RATE_HZ), asked, asked)
    assert np.abs(moved).max() < 1.0


def test_what_has_changed_since_is_made_up_for_at_once_and_exactly() -> None:
    asked = drawn([(0, -25)], 8.0)
    level = level_of(noise(at_samples(asked, 4 * RATE_HZ)), RATE_HZ)
    wanted = drawn([(0, -25), (3.9, -25), (4, -19), (6, -19), (6.1, -25)], 8.0)
    moved = ride_db(level, wanted, asked) - ride_db(level, asked, asked)
    np.testing.assert_allclose(moved, wanted - asked, atol=1e-9)


@pytest.mark.parametrize("asked_db", [None, -28.0, -14.0])
def test_any_take_is_as_loud_as_is_wanted_after_its_ride(asked_db: float | None) -> None:
    frames = 4 * RATE_HZ
    made = -24 + 5 * np.sin(4 * np.pi * np.arange(frames) / frames)
    audio = noise(made)
    wanted = drawn([(0, -32), (4, -20), (8, -32)], 8.0)
    asked = None if asked_db is None else drawn([(0, asked_db)], 8.0)
    moved = gains(ride_db(level_of(audio, RATE_HZ), wanted, asked)).astype(np.float64)
    ridden = (audio * at_samples(moved, frames)).astype(np.float32)
    ideal = noise(at_samples(wanted, frames), seed=1)
    assert np.abs(heard_db(ridden) - heard_db(ideal)).max() < 1.0


def test_a_ride_has_its_limits() -> None:
    level = level_of(noise(np.full(2 * RATE_HZ, -60.0)), RATE_HZ)
    assert ride_db(level, np.full(RIDE_POINTS, 0.0), None).max() == RIDE_DB.high
    assert ride_db(level, np.full(RIDE_POINTS, -99.0), None).min() == RIDE_DB.low
    silence = level_of(np.zeros(2 * RATE_HZ, np.float32), RATE_HZ)
    assert (ride_db(silence, np.full(RIDE_POINTS, -20.0), None) == RIDE_DB.high).all()


def test_nothing_to_move_is_a_gain_of_exactly_one() -> None:
    assert (gains(np.zeros(RIDE_POINTS)) == 1).all()


def test_smoothing_turns_nothing_upside_down() -> None:
    # Whatever pulses, a ride against its smoothed level makes it no stronger.
    for times in range(1, 60):
        pulse = np.cos(2 * np.pi * times * np.arange(RIDE_POINTS) / RIDE_POINTS)
        assert smooth(pulse, 4.0) @ pulse >= -1e-9


@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.7, 16.0])
def test_smoothing_keeps_the_mean_and_goes_round(seconds: float) -> None:
    curve = np.random.default_rng(0).uniform(-60, 0, RIDE_POINTS)
    smoothed = smooth(curve, seconds)
    assert smoothed.mean() == pytest.approx(curve.mean())
    np.testing.assert_allclose(smooth(np.roll(curve, 40), seconds), np.roll(smoothed, 40))
    if seconds <= 0.5:
        np.testing.assert_allclose(smoothed, curve.mean())
