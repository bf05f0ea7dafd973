"""Levels below full scale: what a take is turned down by, and what its peaks become."""

import numpy as np
import pytest

from ditto_rt.loudness import CEILING, REACH_S, headroom_db, limit

RATE_HZ = 44_100


def noise(size: float, seed: int = 0, seconds: float = 1.0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return (size * draw.normal(size=round(seconds * RATE_HZ))).astype(np.float32)


def test_what_fits_stays_as_it_is() -> None:
    audio_N = noise(0.1)
    assert headroom_db(audio_N) == 0
    assert limit(audio_N, RATE_HZ, circular=True) is audio_N
    assert headroom_db(np.zeros(0, np.float32)) == 0


@pytest.mark.parametrize("size", [0.5, 2.0, 9.0])
def test_all_but_a_thousandth_fit_after_it(size: float) -> None:
    audio_N = noise(size)
    turned_N = audio_N * 10 ** (headroom_db(audio_N) / 20)
    assert np.mean(np.abs(turned_N) > CEILING) == pytest.approx(1e-3, rel=0.05)


@pytest.mark.parametrize("circular", [True, False])
def test_no_sample_is_above_the_ceiling_and_those_at_a_peak_reach_it(circular: bool) -> None:
    audio_N = noise(0.1, seed=1)
    audio_N[[0, 9_000, 9_100, 30_000, len(audio_N) - 1]] = [3, -1.2, 2, -8, 1.5]
    limited_N = limit(audio_N, RATE_HZ, circular)
    assert np.abs(limited_N).max() <= CEILING
    assert limited_N[30_000] == pytest.approx(-CEILING, rel=1e-5)
    # Away from the peaks nothing changes.
    np.testing.assert_array_equal(limited_N[12_000:28_000], audio_N[12_000:28_000])


def test_a_loop_is_limited_as_a_loop() -> None:
    audio_N = noise(0.3, seed=2)
    audio_N[100] = 4
    turned_N = limit(np.roll(audio_N, -150), RATE_HZ, circular=True)
    np.testing.assert_allclose(turned_N, np.roll(limit(audio_N, RATE_HZ, True), -150), atol=1e-6)
    # The end is quieter before a peak at the start: no step of level at the loop point.
    end = slice(len(audio_N) - 100, len(audio_N))
    loud = np.abs(audio_N[end]) > 0.1
    gain = limit(audio_N, RATE_HZ, True)[end][loud] / audio_N[end][loud]
    assert (gain < 0.6).all()
    straight = limit(audio_N, RATE_HZ, circular=False)[end][loud] / audio_N[end][loud]
    assert (straight > 0.9).all()


def test_a_steady_bass_is_turned_down_and_gets_no_harmonics() -> None:
    n = np.arange(RATE_HZ)
    limited_N = limit(
        (1.7 * np.sin(2 * np.pi * 50 * n / RATE_HZ)).astype(np.float32), RATE_HZ, True
    )
    power = np.abs(np.fft.rfft(limited_N)) ** 2
    assert power[50] / power.sum() > 1 - 1e-6
    assert np.abs(limited_N).max() == pytest.approx(CEILING, rel=1e-4)


def test_the_gain_moves_smoothly() -> None:
    audio_N = np.full(RATE_HZ, 0.5, np.float32)
    audio_N[20_000] = 9
    gain_N = limit(audio_N, RATE_HZ, circular=True) / audio_N
    # From 1 to a tenth within twice the reach, at most as steeply as a triangle's integral is.
    assert np.abs(np.diff(gain_N)).max() < 2.1 / (REACH_S * RATE_HZ)
