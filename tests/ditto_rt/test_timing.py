"""Lengths are exact, and loops close on the sample."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ditto_rt.timing import (
    close_loop,
    correlation,
    exact,
    fade_gains,
    frame_at,
    frame_beats,
    frame_count,
    samples_of,
    seconds_of,
)

RATES_HZ = st.sampled_from([22_050, 44_100, 48_000, 96_000])
TEMPOS = st.integers(20_000, 300_000).map(lambda thousandths: thousandths / 1000)
# No subnormals: a test that switches them off for the whole process may have run before.
PHASES = st.floats(0, 6.3, allow_subnormal=False)
QUARTERS = st.integers(1, 256).map(lambda quarters: quarters / 4)


@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_numbers_are_what_their_decimals_say(digits: int, places: int) -> None:
    text = Decimal(digits).scaleb(-places)
    assert exact(float(text)) == Fraction(text)


def test_a_tempo_of_120_1_is_1201_tenths() -> None:
    assert exact(120.1) == Fraction(1201, 10)
    assert samples_of(8, 120.1, 44_100) == round(Fraction(8 * 60 * 44_100 * 10, 1201)) == 176_253


@given(QUARTERS, TEMPOS, RATES_HZ)
def test_a_take_is_the_nearest_whole_number_of_samples(beats: float, bpm: float, rate: int) -> None:
    ideal = Decimal(str(beats)) * 60 * rate / Decimal(str(bpm))
    assert abs(samples_of(beats, bpm, rate) - ideal) <= Decimal("0.5000000001")


@given(st.integers(1, 64), TEMPOS, RATES_HZ)
def test_a_long_take_does_not_drift_from_its_bars(bars: int, bpm: float, rate: int) -> None:
    # Rounded once: each bar line of the long take is within half a sample of its place.
    bar = 4 * 60 * rate / exact(bpm)
    assert abs(samples_of(4 * bars, bpm, rate) - bars * bar) <= Fraction(1, 2)


@given(TEMPOS, RATES_HZ)
def test_beats_at_the_tempo_of_a_second_are_seconds(bpm: float, rate: int) -> None:
    assert samples_of(bpm, bpm, rate) == 60 * rate
    assert seconds_of(bpm, bpm) == 60


@given(st.integers(0, 4000), TEMPOS, RATES_HZ, st.sampled_from([256, 512, 1024]))
def test_a_frames_beat_leads_back_to_the_frame(frame: int, bpm: float, rate: int, hop: int) -> None:
    beat = frame_beats(frame + 1, hop, bpm, rate)[-1]
    assert frame_at(float(beat), hop, bpm, rate) == frame


def test_frames_at_half_a_second_are_a_beat_at_120() -> None:
    beats = frame_beats(frame_count(44_100, 441), 441, 120, 44_100)
    assert len(beats) == 101
    assert beats[50] == pytest.approx(1.0) and beats[100] == pytest.approx(2.0)


def _noise(samples: int, seed: int) -> NDArray[np.float64]:
    # Smooth, so that a step between samples means something.
    white = np.random.default_rng(seed).standard_normal(samples + 40)
    return np.convolve(white, np.hanning(41), mode="valid")


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), PHASES, st.integers(500, 3000), st.integers(1, 400))
def test_a_sine_that_fits_the_loop_passes_unchanged(
    cycles: int, phase: float, frames: int, fade: int
) -> None:
    time = np.arange(frames + 400) / frames
    sine = np.sin(2 * np.pi * cycles * time + phase)
    np.testing.assert_allclose(close_loop(sine, frames, fade), sine[:frames], atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(500, 3000), st.integers(1, 400))
def test_the_end_leads_into_the_start_and_the_fade_into_the_rest(
    seed: int, frames: int, fade: int
) -> None:
    audio = _noise(frames + 400, seed)
    closed = close_loop(audio, frames, fade)
    assert len(closed) == frames
    assert closed[0] == audio[frames]
    np.testing.assert_array_equal(closed[fade:], audio[fade:frames])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1000, 3000))
def test_no_step_across_the_loop_point_is_larger_than_those_inside(seed: int, frames: int) -> None:
    audio = _noise(frames + 400, seed)
    closed = close_loop(audio, frames, 400)
    steps = np.abs(np.diff(audio))
    assert abs(closed[0] - closed[-1]) <= steps.max()
    # In the fade both parts move, and so do their gains, by at most pi / 2 / 400 a sample.
    fading = np.abs(np.diff(closed[:401]))
    assert fading.max() <= 2 * steps.max() + 2 * np.pi / 400 * np.abs(audio).max()


def test_without_the_fade_there_would_be_a_click() -> None:
    audio = np.sin(2 * np.pi * 6.25 / 2000 * np.arange(2400))
    cut = audio[:2000]
    inside = np.abs(np.diff(cut)).max()
    assert abs(cut[0] - cut[-1]) > 50 * inside
    closed = close_loop(audio, 2000, 400)
    assert abs(closed[0] - closed[-1]) <= inside


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.3, 0.8, 1.0])
def test_the_fade_keeps_the_power_of_parts_with_this_correlation(rho: float) -> None:
    rise, fall = fade_gains(101, rho)
    power = rise**2 + fall**2 + 2 * rho * rise * fall
    np.testing.assert_allclose(power, 1, atol=1e-12)
    assert rise[0] == 0 and fall[0] == 1


def test_parts_that_cancel_are_not_turned_up_for_ever() -> None:
    rise, fall = fade_gains(100, -1.0)
    assert max(rise.max(), fall.max()) < 1.2


def test_the_power_of_noise_is_even_through_the_fade() -> None:
    # Mean over many loops: the middle of the fade is as loud as the rest.
    closed = np.array([close_loop(_noise(1400, seed), 1000, 400) for seed in range(300)])
    power = (closed**2).mean(axis=0)
    assert power[150:250].mean() == pytest.approx(power[500:].mean(), rel=0.08)


def test_channels_fade_together() -> None:
    stereo = np.stack([_noise(2400, 1), _noise(2400, 2)]).astype(np.float32)
    closed = close_loop(stereo, 2000, 300)
    assert closed.shape == (2, 2000) and closed.dtype == np.float32
    np.testing.assert_array_equal(closed[:, 0], stereo[:, 2000])


def test_correlation_knows_same_opposite_and_silent() -> None:
    noise = _noise(500, 1)
    assert correlation(noise, 3 * noise) == pytest.approx(1)
    assert correlation(noise, -noise) == pytest.approx(-1)
    assert correlation(noise, 0 * noise) == 0


def test_a_fade_of_nothing_changes_nothing() -> None:
    audio = _noise(1000, 1)
    np.testing.assert_array_equal(close_loop(audio, 1000, 0), audio)


@pytest.mark.parametrize(("fade", "allowed"), [(101, "0 to 100"), (-1, "0 to 100")])
def test_a_fade_longer_than_what_is_there_is_refused(fade: int, allowed: str) -> None:
    with pytest.raises(ValueError, match=f"fade is {fade} frames; allowed: {allowed}"):
        close_loop(_noise(1100, 1), 1000, fade)
    with pytest.raises(ValueError, match="allowed: 0 to 0"):
        close_loop(_noise(900, 1), 1000, 10)
