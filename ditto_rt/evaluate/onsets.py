"""Tempo and first beat of a clip, read off its onsets. N samples, F frames."""

import librosa
import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
# How far to either side the first beat is looked for: less than a sixteenth note at 200 BPM.
AROUND_S = 0.07
FINE_SIZE, FINE_HOP = 512, 64


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


def first_beat_ms(audio_N: Audio, rate_hz: int) -> float:
    """Return when the strongest onset around the clip's first sample is, in ms; 0 is on it.

    The clip is laid end to end, as it loops, and onsets are looked for within 70 ms on both sides.
    An onset is where the log spectrum rises most within a window of 512 samples. Chance to be
    within 20 ms is about 29 %.
    """
    around = round(AROUND_S * rate_hz)
    reach = around + FINE_SIZE
    joint_N = np.concatenate((audio_N[-reach:], audio_N[: reach + FINE_HOP]))
    size_KF = np.abs(librosa.stft(joint_N, n_fft=FINE_SIZE, hop_length=FINE_HOP, center=False))
    rise_F = np.diff(np.log1p(100.0 * size_KF), axis=1).clip(0.0).sum(0)
    # The rise is steepest as the attack enters: it stands at the end of the later frame.
    at_F = np.arange(len(rise_F)) * FINE_HOP + FINE_SIZE - FINE_HOP / 2 - reach
    inside_F = np.abs(at_F) <= around
    return float(1000.0 * at_F[inside_F][rise_F[inside_F].argmax()] / rate_hz)
