"""How far two waveforms are apart for an ear: spectra at several resolutions.

B batch, N samples, K bins, F frames.
"""

import math

import torch
from torch import Tensor

from ditto_rt.builtin.mel import log_mel_BMF

WINDOWS = (4096, 2048, 1024, 512, 128)


def _magnitude_BKF(audio_BN: Tensor, size: int) -> Tensor:
    window = torch.hann_window(size, device=audio_BN.device)
    spectrum = torch.stft(audio_BN, size, size // 4, window=window, return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square()).clamp_min(1e-9).sqrt()


def _floor(size: int) -> float:
    # Keeps silence and inaudible noise from deciding the gradient.
    return 1e-3 * math.sqrt(size)


def log_magnitude_BKF(audio_BN: Tensor, size: int) -> Tensor:
    """Return the natural log of magnitudes (B, size / 2 + 1, F), with a floor."""
    return (_magnitude_BKF(audio_BN, size) + _floor(size)).log()


def multi_resolution(made_BN: Tensor, real_BN: Tensor) -> Tensor:
    """Return spectral convergence plus log-magnitude distance, mean over five resolutions.

    Source: Yamamoto et al. 2020 (Parallel WaveGAN), section 2.2.
    """
    total = torch.zeros((), device=made_BN.device)
    for size in WINDOWS:
        made, real = _magnitude_BKF(made_BN, size), _magnitude_BKF(real_BN, size)
        convergence = (made - real).norm(dim=(1, 2)) / (real.norm(dim=(1, 2)) + 1e-2 * size)
        floor = _floor(size)
        logs = ((made + floor).log() - (real + floor).log()).abs().mean()
        total = total + convergence.mean() + logs
    return total / len(WINDOWS)


def mel_distance(made_BN: Tensor, real_BN: Tensor) -> Tensor:
    """Return the mean absolute difference of natural-log mels."""
    return (log_mel_BMF(made_BN) - log_mel_BMF(real_BN)).abs().mean()
