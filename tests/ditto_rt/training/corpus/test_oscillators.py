"""Oscillators are in tune and make nothing above their band limit."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ditto_rt.training.corpus import oscillators as osc

COUNT = 44100


def spectrum_db(audio_N: osc.Floats) -> NDArray[np.float64]:
    power = np.abs(np.fft.rfft(audio_N * np.blackman(len(audio_N)))) ** 2
    return np.asarray(10 * np.log10(power / power.max() + 1e-15))


def wave(name: str, frequency_hz: float, cutoff_hz: float) -> osc.Floats:
    rows = osc.cutoff_rows(np.full(COUNT, cutoff_hz, dtype=np.float32), frequency_hz)
    return osc.read_rows(osc.table(name, 0.0), rows, osc.phases(frequency_hz, 0.0, COUNT))


def fundamental_hz(audio_N: osc.Floats, near_hz: float) -> float:
    level = spectrum_db(audio_N)
    low, high = int(near_hz * 0.9), int(near_hz * 1.1)
    peak = low + int(np.argmax(level[low:high]))
    a, b, c = level[peak - 1 : peak + 2]
    # A second is rendered, so one bin is one Hz; a parabola finds the peak between bins.
    return peak + 0.5 * (a - c) / (a - 2 * b + c)


@pytest.mark.parametrize("pitch", [33, 60, 84])
@pytest.mark.parametrize("kind", ["saw", "square", "fm", "pluck"])
def test_pitch_is_within_two_cents(kind: str, pitch: int) -> None:
    expected = osc.hz(pitch)
    if kind == "fm":
        audio_N = osc.fm(expected, 2.0, np.full(COUNT, 1.0, dtype=np.float32))
    elif kind == "pluck":
        audio_N = osc.pluck(expected, 0.0, COUNT, np.random.default_rng(1))
    else:
        audio_N = wave(kind, expected, 2000.0)
    cents = 1200 * np.log2(fundamental_hz(audio_N, expected) / expected)
    assert abs(cents) < 2


@pytest.mark.parametrize("frequency_hz", [55.0, 440.0, 1760.0])
def test_no_alias_between_the_harmonics(frequency_hz: float) -> None:
    level = spectrum_db(wave("saw", frequency_hz, 20000.0))
    bins = np.arange(len(level))
    away = np.abs((bins + frequency_hz / 2) % frequency_hz - frequency_hz / 2) > 4
    assert level[away].max() < -60


def test_a_lower_cutoff_takes_the_top_away() -> None:
    bright, dull = (spectrum_db(wave("saw", 110.0, cutoff)) for cutoff in (8000.0, 500.0))
    assert bright[3300] > -35
    assert dull[3300] < -90
    assert abs(bright[220] - dull[220]) < 1.5


def test_a_string_loses_its_top_before_its_fundamental() -> None:
    audio_N = osc.pluck(220.0, 0.001, 2 * COUNT, np.random.default_rng(2))
    parts = [np.abs(np.fft.rfft(half * np.hanning(COUNT))) for half in np.split(audio_N, 2)]
    loss_db = [20 * np.log10(parts[0][k] / parts[1][k]) for k in (220, 2200)]
    assert 0 < loss_db[0] < loss_db[1] / 2


def test_an_unknown_wave_is_named() -> None:
    with pytest.raises(ValueError, match="wave is 'sax'"):
        osc.table("sax", 0.0)
