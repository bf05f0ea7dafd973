"""What controls listen to: levels, spectra, pitch classes and timbre, differentiable in torch.

Frames are centred: frame i of a hop is centred on sample i * hop, N samples have 1 + N // hop.
Constants (windows, filterbanks) are made once for each device and type.
Shapes: B clips, N samples, F bins, T frames, M mel bands, K the 12 pitch classes, C features,
G groups of bands.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import librosa
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.signal import savgol_filter
from torch import Tensor

MIDDLE_C_HZ = 261.2
"""Cut-off of the melody's high-pass (Music ControlNet, Wu et al. 2023, section 3.1)."""


@dataclass(frozen=True)
class MelSpec:
    """A log-mel analysis: Slaney bands of unit area, natural logarithm of power plus `floor`."""

    rate_hz: int
    n_fft: int = 2048
    hop: int = 512
    bands: int = 128
    low_hz: float = 20.0
    high_hz: float = 20_000.0
    floor: float = 1e-4


@dataclass(frozen=True)
class ChromaSpec:
    """A chromagram: power STFT, high-pass at middle C, 12 pitch classes from C up."""

    rate_hz: int
    n_fft: int = 4096
    hop: int = 1024
    floor: float = 1e-3


def _constant(values: NDArray[Any], device: torch.device, dtype: torch.dtype) -> Tensor:
    # Outside inference mode, whatever the caller's: a cached inference tensor could never take
    # part in a backward pass.
    with torch.inference_mode(False):
        return torch.tensor(values, device=device, dtype=dtype)


@lru_cache(maxsize=16)
def _hann(n_fft: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    return _constant(np.hanning(n_fft + 1)[:-1], device, dtype)


@lru_cache(maxsize=16)
def _mel_MF(spec: MelSpec, device: torch.device, dtype: torch.dtype) -> Tensor:
    high_hz = min(spec.high_hz, spec.rate_hz / 2)
    filters = librosa.filters.mel(
        sr=spec.rate_hz, n_fft=spec.n_fft, n_mels=spec.bands, fmin=spec.low_hz, fmax=high_hz
    )
    return _constant(filters, device, dtype)


@lru_cache(maxsize=16)
def _chroma_KF(spec: ChromaSpec, device: torch.device, dtype: torch.dtype) -> Tensor:
    filters = librosa.filters.chroma(sr=spec.rate_hz, n_fft=spec.n_fft, tuning=0.0)
    bins_hz = np.fft.rfftfreq(spec.n_fft, 1 / spec.rate_hz)
    return _constant(filters * high_pass(bins_hz), device, dtype)


@lru_cache(maxsize=16)
def _dct_CM(bands: int, first: int, count: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    basis_MM = dct(np.eye(bands), axis=0, norm="ortho")
    return _constant(basis_MM[first : first + count], device, dtype)


@lru_cache(maxsize=32)
def _savgol_TT(
    frames: int, window: int, order: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    # The filter's response to each unit vector: edges and all, since it is linear.
    return _constant(savgol_filter(np.eye(frames), window, order, axis=0), device, dtype)


def high_pass(bins_hz: NDArray[Any], cutoff_hz: float = MIDDLE_C_HZ) -> NDArray[Any]:
    """Return the power response of a second-order Butterworth high-pass: 1/2 at the cut-off."""
    fourth = (bins_hz / cutoff_hz) ** 4
    return np.asarray(fourth / (1 + fourth))


def stft_power(audio_BN: Tensor, n_fft: int, hop: int) -> Tensor:
    """Return power_BFT of the Hann-windowed STFT; beyond both ends there is silence."""
    spectrum_BFT = torch.stft(
        audio_BN,
        n_fft,
        hop,
        window=_hann(n_fft, audio_BN.device, audio_BN.dtype),
        pad_mode="constant",
        return_complex=True,
    )
    return spectrum_BFT.real**2 + spectrum_BFT.imag**2


def log_mel(audio_BN: Tensor, spec: MelSpec) -> Tensor:
    """Return mel_BMT, the natural logarithm of each band's power plus the floor."""
    power_BFT = stft_power(audio_BN, spec.n_fft, spec.hop)
    return torch.log(_mel_MF(spec, audio_BN.device, audio_BN.dtype) @ power_BFT + spec.floor)


def rms_db(audio_BN: Tensor, frame: int = 2048, hop: int = 512, floor_db: float = -100.0) -> Tensor:
    """Return level_BT = 20 log10 of each frame's RMS, reflected at both ends.

    The floor is added as power, so silence reads floor_db and still has no infinite gradient.
    Reflection, because padding with silence would make each take fade in and out by 3 dB.
    """
    padded_BN = F.pad(audio_BN, (frame // 2, frame // 2), mode="reflect")
    power_BT = F.avg_pool1d(padded_BN.square().unsqueeze(1), frame, hop).squeeze(1)
    return 10 * torch.log10(power_BT + 10 ** (floor_db / 10))


def savgol(x: Tensor, window: int, order: int = 2) -> Tensor:
    """Smooth the last axis by a Savitzky-Golay filter, as scipy's savgol_filter(mode="interp").

    The ends are those of a polynomial fitted to the last window, so a ramp stays a ramp. A window
    longer than the axis is cut to it; one no wider than the order leaves x as it is.
    """
    frames = x.shape[-1]
    fitting = min(window, frames)
    odd = fitting - (fitting + 1) % 2
    if odd <= order:
        return x
    return x @ _savgol_TT(frames, odd, order, x.device, x.dtype).T


def chroma(audio_BN: Tensor, spec: ChromaSpec) -> Tensor:
    """Return energy_BKT of the pitch classes C to B above middle C."""
    power_BFT = stft_power(audio_BN, spec.n_fft, spec.hop)
    return _chroma_KF(spec, audio_BN.device, audio_BN.dtype) @ power_BFT


def log_chroma(audio_BN: Tensor, spec: ChromaSpec) -> Tensor:
    """Return logp_BKT: the logarithm of each pitch class's share of a frame; shares add to 1.

    The floor is added to each energy, so silence is evenly spread.
    """
    energy_BKT = chroma(audio_BN, spec) + spec.floor
    return torch.log(energy_BKT / energy_BKT.sum(dim=1, keepdim=True))


def mfcc(mel_BMT: Tensor, count: int = 20) -> Tensor:
    """Return coefficients 1 to count - 1 of an orthonormal DCT-II over the bands, (B, C, T).

    Coefficient 0, the level, is left out (DITTO, section 4.3).
    """
    return _dct_CM(mel_BMT.shape[1], 1, count - 1, mel_BMT.device, mel_BMT.dtype) @ mel_BMT


def timbre(audio_BN: Tensor, spec: MelSpec, frames: int) -> Tensor:
    """Return mfcc_BCT averaged into `frames` equal parts of the audio."""
    return F.adaptive_avg_pool1d(mfcc(log_mel(audio_BN, spec)), frames)


def flux(mel_BMT: Tensor, groups: int = 16) -> Tensor:
    """Return flux_BGT: by how many nats each group of neighbouring mel bands rises in two frames.

    Spectral flux (Dixon 2006, Onset detection revisited) in the logarithm: attacks, and none of
    what decays. `groups` must divide the bands.
    """
    batch, _, frames = mel_BMT.shape
    level_BGT = mel_BMT.reshape(batch, groups, -1, frames).mean(dim=2)
    return (level_BGT[..., 2:] - level_BGT[..., :-2]).clamp_min(0)


def self_similarity(features_BCT: Tensor, window: int = 1) -> Tensor:
    """Return similarity_BTT: inner products of centred, unit-length, smoothed frames.

    Smoothing the frames along time by a Savitzky-Golay window smooths the matrix along both axes:
    (S T)(S T)' = S (T T') S'. A window of 1 does not smooth.
    """
    centred_BCT = features_BCT - features_BCT.mean(dim=2, keepdim=True)
    smooth_BCT = savgol(F.normalize(centred_BCT, dim=1), window)
    return smooth_BCT.transpose(1, 2) @ smooth_BCT
