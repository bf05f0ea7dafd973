"""How closely audio follows what was asked: librosa's RMS and chroma, and nothing of ditto_rt.

Shapes: N samples, T frames, C the 12 pitch classes.
"""

from collections.abc import Sequence

import librosa
import numpy as np
from numpy.typing import NDArray

WINDOW_S = 0.2


def loudness_error(
    audio_N: NDArray[np.float32], rate_hz: int, bpm: float, points: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Return (mean distance in dB, correlation) of the RMS in windows of 0.2 s from a curve."""
    window = int(WINDOW_S * rate_hz)
    rms_T = librosa.feature.rms(
        y=audio_N, frame_length=window, hop_length=window // 4, center=False
    )
    level_T = librosa.amplitude_to_db(rms_T[0], ref=1.0, amin=1e-5, top_db=None)
    centre_s = (np.arange(len(level_T)) * (window // 4) + window / 2) / rate_hz
    beats, decibels = zip(*points, strict=True)
    asked_T = np.interp(centre_s * bpm / 60, beats, decibels)
    distance_db = float(np.abs(level_T - asked_T).mean())
    return distance_db, float(np.corrcoef(level_T, asked_T)[0, 1])


def melody_accuracy(
    audio_N: NDArray[np.float32],
    rate_hz: int,
    bpm: float,
    notes: Sequence[tuple[int, float, float]],
) -> float:
    """Return the share of frames inside notes whose strongest pitch class is the asked one."""
    # Tuned to A = 440 Hz, as the model is. Guessing the tuning would call librosa's compiled
    # piptrack, which crashed numba in a process that had compiled much else.
    chroma_CT = librosa.feature.chroma_stft(
        y=audio_N, sr=rate_hz, n_fft=8192, hop_length=1024, tuning=0.0
    )
    beat_T = librosa.frames_to_time(np.arange(chroma_CT.shape[1]), sr=rate_hz, hop_length=1024)
    beat_T = beat_T * bpm / 60
    hits = [
        chroma_CT[:, frame].argmax() == pitch % 12
        for pitch, beat, beats in notes
        for frame in np.flatnonzero((beat_T >= beat) & (beat_T < beat + beats))
    ]
    return float(np.mean(hits))
