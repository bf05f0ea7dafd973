"""Band-limited oscillators: wavetables whose rows are cutoffs, FM and plucked strings.

A table's row r holds the wave low-passed at harmonic 2^(r/2), so that one table serves every
pitch, a moving filter is a moving row, and nothing above the band limit is ever made.
Shapes: N samples, R table rows, P points of a period.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 44100
ROWS = 18
POINT_BITS = 14
POINTS = 1 << POINT_BITS
PLUCK_BITS = 12
TOP_HZ = 19000.0
# Harmonics reach this far past the cutoff before the table ends.
SKIRT = 1.7

Floats = NDArray[np.float32]
Phases = NDArray[np.uint32]


def _amplitudes(wave: str, harmonics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Fourier sine amplitudes of a wave by harmonic number."""
    if wave == "saw":
        return 1 / harmonics
    if wave == "square":
        return (harmonics % 2) / harmonics
    if wave == "pulse":
        return np.sin(np.pi * harmonics * 0.2) / harmonics
    if wave == "triangle":
        return (harmonics % 2) / harmonics**2
    if wave == "organ":
        return np.isin(harmonics, (1, 2, 3, 4, 6, 8)) / np.sqrt(harmonics)
    raise ValueError(f"wave is {wave!r}; it must be saw, square, pulse, triangle or organ")


@cache
def table(wave: str, resonance: float) -> Floats:
    """Return a wave's table (ROWS * POINTS, flat) with a peak of `resonance` at the cutoff."""
    harmonics = np.arange(1, POINTS // 2, dtype=np.float64)
    cutoffs = 2.0 ** (np.arange(ROWS) / 2)[:, None]
    ratio = harmonics / cutoffs
    low_pass = 1 / np.sqrt(1 + ratio**8)
    peak = 1 + resonance * np.exp(-((np.log2(ratio) / 0.25) ** 2))
    spectrum = _amplitudes(wave, harmonics) * low_pass * peak * (ratio <= SKIRT)
    bins = np.zeros((ROWS, POINTS // 2 + 1), dtype=np.complex128)
    bins[:, 1:-1] = -0.5j * POINTS * spectrum
    return np.fft.irfft(bins, axis=1).astype(np.float32).ravel()


def hz(pitch: float) -> float:
    """Return the frequency of a MIDI pitch."""
    return float(440.0 * 2.0 ** ((pitch - 69) / 12))


def phases(frequency_hz: float, start: float, count: int) -> Phases:
    """Return `count` phases as 32-bit fractions of a turn; they wrap by overflow."""
    increment = np.uint32(round(frequency_hz / RATE_HZ * 2**32))
    turns = np.arange(count, dtype=np.uint32) * increment
    return turns + np.uint32(int(start * 2**32) & 0xFFFFFFFF)


def read_rows(table_RP: Floats, rows_N: Floats, phase_N: Phases, bits: int = POINT_BITS) -> Floats:
    """Read a flat table of 2^bits points at moving rows, between neighbouring rows."""
    row_N = rows_N.astype(np.int32)
    index_N = (row_N << bits) + (phase_N >> np.uint32(32 - bits)).astype(np.int32)
    low_N = table_RP.take(index_N)
    high_N = table_RP.take(index_N + (1 << bits))
    return np.asarray(low_N + (rows_N - row_N) * (high_N - low_N), dtype=np.float32)


def cutoff_rows(cutoff_hz_N: Floats, frequency_hz: float) -> Floats:
    """Turn cutoffs in Hz into table rows, held below the band limit of this pitch."""
    top = min(2 * np.log2(TOP_HZ / SKIRT / frequency_hz), ROWS - 1.01)
    rows_N = 2 * np.log2(cutoff_hz_N / np.float32(frequency_hz))
    # Rows are read in pairs, so the upper of the pair must stay below the limit too.
    return np.asarray(np.clip(rows_N, 0, max(top - 1, 0)), dtype=np.float32)


def sine(phase_N: Phases) -> Floats:
    """Return the sine of 32-bit phases."""
    index_N = (phase_N >> np.uint32(32 - POINT_BITS)).astype(np.int32)
    return np.asarray(_sine_table().take(index_N), dtype=np.float32)


@cache
def _sine_table() -> Floats:
    return np.sin(2 * np.pi * np.arange(POINTS) / POINTS).astype(np.float32)


def fm(frequency_hz: float, ratio: float, index_N: Floats) -> Floats:
    """Return two-operator FM: the index (radians) may move; carrier at `frequency_hz`."""
    modulator_N = index_N * sine(phases(frequency_hz * ratio, 0.0, len(index_N)))
    shift_N = (modulator_N * np.float32(2**31 / np.pi)).astype(np.int64).astype(np.uint32)
    return sine(phases(frequency_hz, 0.0, len(index_N)) + shift_N)


def pluck(frequency_hz: float, damping: float, count: int, rng: np.random.Generator) -> Floats:
    """Return a Karplus-Strong string in tune at any pitch.

    The string's loop filter (mean of two neighbours, Karplus and Strong 1983) takes harmonic h
    down by cos(pi h f / rate) each period; the rows of a table are that string at 48 moments.
    """
    # Harmonics end at the band limit, so that a bright pluck does not alias.
    harmonics = np.arange(1, max(2, min(200, int(TOP_HZ / frequency_hz))), dtype=np.float64)
    loss = -np.log(np.cos(np.pi * harmonics * frequency_hz / RATE_HZ) * (1 - damping))
    moments = np.linspace(0, 1, 48)[:, None] ** 2 * (count / RATE_HZ)
    colour = rng.uniform(0.5, 1.0, len(harmonics)) / harmonics**0.6
    spectrum = colour * np.exp(-loss * frequency_hz * moments)
    turn = np.exp(2j * np.pi * rng.uniform(0, 1, len(harmonics)))
    points = 1 << PLUCK_BITS
    bins = np.zeros((48, points // 2 + 1), dtype=np.complex64)
    bins[:, 1 : 1 + len(harmonics)] = spectrum * turn
    string_RP = (np.fft.irfft(bins, axis=1) * points / 4).astype(np.float32).ravel()
    rows_N = (np.sqrt(np.linspace(0, 1, count)) * 46.99).astype(np.float32)
    return read_rows(string_RP, rows_N, phases(frequency_hz, 0.0, count), PLUCK_BITS)
