"""Tempo and first beat of a clip, read off its onsets. N samples, F frames."""

import librosa
import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
# How far to either side the first beat is looked for: less than a sixteenth note at 200 BPM.
AROUND_S = 0.07
FINE_SIZE, FINE_HOP = 512, 64
# In steps of so much, and what smooths the sums of neighbouring steps.
STEP_S = 0.001
SMOOTHING = np.array([0.25, 0.5, 0.25])


def tempo_near(audio_N: Audio, rate_hz: int, near_bpm: float) -> float:
    """Return the tempo near `near_bpm` (within 8 %) whose grid the onsets fit best.

    The onset envelope's Fourier sum at each candidate's beat and its halves and quarters. Chance to
    be within 0.5 BPM is about 5 %.
    """
    hop = 256
    envelope_F = librosa.onset.onset_strength(y=audio_N, sr=rate_hz, hop_length=hop)
    seconds_F = np.arange(len(envelope_F)) * hop / rate_hz
    candidates = near_bpm * np.linspace(0.92, 1.08, 641)
    beats = candidates[:, None] / 60.0 * seconds_F
    score = sum(np.abs(np.exp(2j * np.pi * k * beats) @ envelope_F) for k in (1, 2, 4))
    return float(candidates[np.argmax(score)])


def first_beat_ms(audio_N: Audio, rate_hz: int, bpm: float) -> float:
    """Return when the first beat of the onsets' grid is, in ms from the clip's first sample.

    The grid of half beats at `bpm`, moved by up to 70 ms to either side, on which the log spectrum
    (windows of 512 samples) rises most, over the whole clip: one attack beside its beat, or none
    on beat one, does not decide. Chance to be within 20 ms is about 29 %.
    """
    size_KF = np.abs(librosa.stft(audio_N, n_fft=FINE_SIZE, hop_length=FINE_HOP, center=False))
    rise_F = np.diff(np.log1p(100.0 * size_KF), axis=1).clip(0.0).sum(0)
    # What rises all the time is no onset.
    onset_F = (rise_F - np.median(rise_F)).clip(0.0)
    # The rise is steepest as the attack enters: it stands at the end of the later frame.
    seconds_F = (np.arange(len(onset_F)) * FINE_HOP + FINE_SIZE - FINE_HOP / 2) / rate_hz
    half_beat_s = 30.0 / bpm
    grid = np.arange(-1, len(audio_N) / rate_hz // half_beat_s + 2) * half_beat_s
    moved = np.arange(-AROUND_S, AROUND_S + STEP_S / 2, STEP_S)
    on_grid = np.interp(moved[:, None] + grid, seconds_F, onset_F, left=0.0, right=0.0)
    smooth = np.convolve(on_grid.sum(1), SMOOTHING, "same")
    return float(1000.0 * moved[smooth.argmax()])
