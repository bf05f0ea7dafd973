"""Effects on whole clips: filters, reverb, delay, ducking, saturation. Shapes: N samples.

Each takes `loop`: then what would ring past the end rings at the start, as it does when the
clip is repeated.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, sosfilt

from ditto_rt.training.corpus.oscillators import RATE_HZ, Floats

# Samples run through a filter before a loop's first, so that its state is that of the loop.
RUN_IN = 8192


def add_at(audio_N: Floats, start: int, piece_M: Floats, loop: bool) -> None:
    """Add a piece at a sample position, in place; past the end it is cut, or wraps in a loop."""
    while start < len(audio_N) and len(piece_M):
        room = min(len(audio_N) - start, len(piece_M))
        audio_N[start : start + room] += piece_M[:room]
        if not loop:
            return
        start, piece_M = 0, piece_M[room:]


def filtered(audio_N: Floats, kind: str, cutoff_hz: float, loop: bool, order: int = 2) -> Floats:
    """Return a Butterworth low-pass or high-pass of the audio."""
    sos = butter(order, cutoff_hz, kind, fs=RATE_HZ, output="sos").astype(np.float32)
    run_in_M = audio_N[-RUN_IN:] if loop else audio_N[:0]
    whole = np.asarray(sosfilt(sos, np.concatenate((run_in_M, audio_N))), dtype=np.float32)
    return whole[len(run_in_M) :]


def swept(audio_N: Floats, open_N: Floats, closed_hz: float, loop: bool) -> Floats:
    """Crossfade from a low-passed version (open 0) to the audio itself (open 1)."""
    dull_N = filtered(audio_N, "lowpass", closed_hz, loop)
    return dull_N + open_N * (audio_N - dull_N)


def impulse(seconds: float, damping_hz: float, rng: np.random.Generator) -> Floats:
    """Return a synthetic room: noise that decays 60 dB in `seconds`, with unit energy."""
    t = np.arange(int(seconds * RATE_HZ), dtype=np.float32) / np.float32(RATE_HZ)
    noise = rng.standard_normal(len(t), dtype=np.float32) * np.exp(-6.9 / seconds * t)
    noise *= np.minimum(t / 0.012, 1)
    band = butter(1, (180, damping_hz), "bandpass", fs=RATE_HZ, output="sos").astype(np.float32)
    room = np.asarray(sosfilt(band, noise), dtype=np.float32)
    return np.asarray(room / np.sqrt(np.sum(room**2)), dtype=np.float32)


def reverb(send_N: Floats, impulse_M: Floats, loop: bool) -> Floats:
    """Convolve with a room by FFT; in a loop the tail is folded back to the start."""
    count = len(send_N)
    size = next_fast_len(count + len(impulse_M), real=True)
    wet = irfft(rfft(send_N, size) * rfft(impulse_M, size), size)
    if loop:
        folded = np.zeros(-(-size // count) * count, dtype=np.float32)
        folded[:size] = wet
        return np.asarray(folded.reshape(-1, count).sum(axis=0), dtype=np.float32)
    return np.asarray(wet[:count], dtype=np.float32)


def delay(send_N: Floats, step: int, feedback: float, loop: bool) -> Floats:
    """Return six echoes, `step` samples apart."""
    wet_N = np.zeros_like(send_N)
    for echo in range(1, 7):
        shift = echo * step
        gain = np.float32(feedback**echo)
        if loop:
            wet_N += gain * np.roll(send_N, shift)
        elif shift < len(send_N):
            wet_N[shift:] += gain * send_N[:-shift]
    return wet_N


def ducking(kicks: list[int], count: int, depth: float, release_s: float, loop: bool) -> Floats:
    """Return a gain that dips at each kick (sample positions) and comes back.

    In a loop the last kick's dip goes on past the end, into the start.
    """
    places = {*kicks, *(kick - count for kick in kicks if loop)}
    starts = np.array(sorted({-count, *places, count}))
    since = np.arange(-count, count) - np.repeat(starts[:-1], np.diff(starts))
    ducked = np.repeat(np.isin(starts[:-1], list(places)), np.diff(starts))
    dip = np.exp(-((since / (release_s * RATE_HZ)) ** 2)) * ducked
    # The mean over 4 ms rounds off the jump where one dip cuts another short.
    total = np.cumsum(1 - depth * dip)
    smooth = (total[count:] - total[count - 176 : -176]) / 176
    return np.asarray(smooth, dtype=np.float32)


def saturate(audio_N: Floats, drive: float) -> Floats:
    """Return tanh drive with unit gain for quiet sounds at drive 0 and the same peak at 1."""
    return np.asarray(np.tanh(drive * audio_N) / np.tanh(drive), dtype=np.float32)


def soft_clip(audio_N: Floats) -> Floats:
    """Bend what passes 0.8 so that nothing passes 0.99; leave the rest untouched."""
    size = np.abs(audio_N)
    bent = 0.8 + 0.19 * np.tanh((size - 0.8) / 0.19)
    clipped = np.where(size > 0.8, np.sign(audio_N) * bent, audio_N)
    return np.asarray(clipped, dtype=np.float32)


def curve(points: tuple[tuple[float, float], ...], beats_N: NDArray[np.float64]) -> Floats:
    """Return a piecewise linear curve of (beat, value) points at given beats."""
    beats, values = zip(*points, strict=True)
    return np.asarray(np.interp(beats_N, beats, values), dtype=np.float32)
