"""How closely a finished take meets what was asked, read off the audio file's samples alone.

Shares no code with the losses that the take was optimised by: librosa and numpy, no torch.
N samples, F frames, P pitch classes, K bins.
"""

from dataclasses import dataclass

import librosa
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfilt

from ditto_rt.spec import (
    Intensity,
    IntensityReport,
    Job,
    Melody,
    MelodyReport,
    SeamReport,
    Structure,
    StructureReport,
)

Array = NDArray[np.float64]
HOP_S = 0.01
SMOOTH_S = 1.0
LEVEL_PARTS = 48
MIDDLE_C_HZ = 261.2


def loudness_db(audio_N: NDArray[np.float32], rate_hz: int) -> Array:
    """Return RMS in dB every 10 ms, smoothed over one second by a moving mean."""
    hop = round(HOP_S * rate_hz)
    # Reflected at the ends: silence beyond them would read as a fade.
    rms_F = librosa.feature.rms(
        y=audio_N, frame_length=4 * hop, hop_length=hop, pad_mode="reflect"
    )[0]
    level_F = librosa.amplitude_to_db(rms_F, ref=1.0, amin=1e-5, top_db=None)
    smooth: Array = uniform_filter1d(level_F, round(SMOOTH_S / HOP_S), mode="nearest")
    return smooth


def intensity(
    audio_N: NDArray[np.float32], rate_hz: int, asked: Intensity, bpm: float
) -> IntensityReport:
    """Compare the loudness with the breakpoints' curve, smoothed in the same way.

    A flat curve has no shape to follow: its correlation is given as 0.
    """
    made_F = loudness_db(audio_N, rate_hz)
    beats_F = np.arange(len(made_F)) * HOP_S * bpm / 60.0
    drawn_F = np.interp(beats_F, [p.beat for p in asked.points], [p.db for p in asked.points])
    target_F = uniform_filter1d(drawn_F, round(SMOOTH_S / HOP_S), mode="nearest")
    mse = float(np.mean((made_F - target_F) ** 2))
    flat = np.std(target_F) < 1e-6 or np.std(made_F) < 1e-6
    correlation = 0.0 if flat else float(np.corrcoef(made_F, target_F)[0, 1])
    middle = (np.arange(LEVEL_PARTS) * 2 + 1) * len(made_F) // (2 * LEVEL_PARTS)
    level_db = tuple(round(float(db), 1) for db in made_F[middle])
    return IntensityReport(mse_db2=mse, correlation=correlation, level_db=level_db)


def melody(audio_N: NDArray[np.float32], rate_hz: int, asked: Melody, bpm: float) -> MelodyReport:
    """Return the share of sounding frames whose strongest pitch class is the asked one.

    librosa's chroma of an STFT behind Music ControlNet's biquad high-pass at middle C. Not a cut:
    that leaves the upper half of middle C's own line, which lies nearer to C sharp.
    """
    hop = rate_hz // 50
    biquad = butter(2, MIDDLE_C_HZ, "highpass", fs=rate_hz, output="sos")
    high_N = sosfilt(biquad, audio_N)
    power_KF = np.abs(librosa.stft(high_N, n_fft=4096, hop_length=hop)) ** 2
    chroma_PF = librosa.feature.chroma_stft(S=power_KF, sr=rate_hz, tuning=0.0, norm=None)
    beats_F = np.arange(chroma_PF.shape[1]) * hop / rate_hz * bpm / 60.0
    wanted_F = np.full(chroma_PF.shape[1], -1)
    for note in asked.notes:
        wanted_F[(beats_F >= note.beat) & (beats_F < note.beat + note.beats)] = note.pitch % 12
    sounding_F = wanted_F >= 0
    if not sounding_F.any():
        return MelodyReport(accuracy=0.0)
    hits = chroma_PF.argmax(0)[sounding_F] == wanted_F[sounding_F]
    return MelodyReport(accuracy=float(hits.mean()))


def structure(audio_N: NDArray[np.float32], rate_hz: int, asked: Structure) -> StructureReport:
    """Return the squared distance of self-similarities, ten frames a second, from librosa's MFCC.

    Both sides are made by the same rule: vectors less their mean over time, unit length, inner
    products; for the pattern the vectors are its letters.
    """
    hop = rate_hz // 100
    mfcc = librosa.feature.mfcc(y=audio_N, sr=rate_hz, n_mfcc=20, hop_length=hop)[1:]
    tenths = mfcc.shape[1] // 10
    pooled = mfcc[:, : tenths * 10].reshape(len(mfcc), tenths, 10).mean(2)
    smooth = uniform_filter1d(pooled, 10, axis=1, mode="nearest")
    letters = np.array([ord(c) for c in asked.pattern.upper()])
    index = np.arange(tenths) * len(letters) // tenths
    one_hot = (letters[index][None] == np.unique(letters)[:, None]).astype(np.float64)
    return StructureReport(mse=float(np.mean((_similarity(smooth) - _similarity(one_hot)) ** 2)))


def _similarity(rows_CF: Array) -> Array:
    centred = rows_CF - rows_CF.mean(1, keepdims=True)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-9)
    product: Array = unit.T @ unit
    return product


def seam(audio_N: NDArray[np.float32], rate_hz: int) -> SeamReport:
    """Return the spectral change across the loop point over the 99th percentile of those inside.

    The take is laid three times end to end; the change is the Euclidean distance of neighbouring
    log-magnitude frames (1024 samples, hop 512), the largest of those that touch the loop point.
    """
    size, hop = 1024, 512
    frames = len(audio_N)
    three = np.concatenate((audio_N, audio_N, audio_N))
    window = np.hanning(size)

    def change_from(starts: NDArray[np.int64]) -> Array:
        cut = three[starts[:, None] + np.arange(size)] * window
        levels = np.log(np.abs(np.fft.rfft(cut, axis=1)) + 1e-3)
        distance: Array = np.linalg.norm(np.diff(levels, axis=0), axis=1)
        return distance

    inside = change_from(np.arange(frames, 2 * frames - size, hop))
    across = change_from(np.arange(2 * frames - size - hop, 2 * frames + hop, hop))
    return SeamReport(ratio=float(across.max() / max(np.percentile(inside, 99), 1e-9)))


def step_ratio(audio_N: NDArray[np.float32]) -> float:
    """Return the sample step across the loop point over the 99.9th percentile of those inside."""
    inside = np.abs(np.diff(audio_N))
    return float(abs(audio_N[0] - audio_N[-1]) / max(np.percentile(inside, 99.9), 1e-9))


@dataclass(frozen=True)
class Measured:
    """What a take measures; None where nothing was asked."""

    seam: SeamReport
    intensity: IntensityReport | None
    melody: MelodyReport | None
    structure: StructureReport | None


def measure(audio_N: NDArray[np.float32], rate_hz: int, job: Job) -> Measured:
    """Measure the seam and each target of the job."""
    return Measured(
        seam=seam(audio_N, rate_hz),
        intensity=intensity(audio_N, rate_hz, job.intensity, job.bpm) if job.intensity else None,
        melody=melody(audio_N, rate_hz, job.melody, job.bpm) if job.melody else None,
        structure=structure(audio_N, rate_hz, job.structure) if job.structure else None,
    )
