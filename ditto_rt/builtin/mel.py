"""The log-mel spectrogram that the built-in model and its vocoder speak.

B batch, N samples, M mel bands, F frames, K frequency bins.
"""

from functools import cache

import librosa
import torch
from torch import Tensor

RATE_HZ = 44_100
N_FFT = 2048
HOP = 512
BANDS = 128
LOW_HZ = 20.0
HIGH_HZ = 20_000.0
FLOOR = 1e-5


@cache
def _filters() -> Tensor:
    bank = librosa.filters.mel(
        sr=RATE_HZ, n_fft=N_FFT, n_mels=BANDS, fmin=LOW_HZ, fmax=HIGH_HZ, norm=None
    )
    # Whoever asks first may be one that wants no gradients; the next one may.
    with torch.inference_mode(False):
        return torch.from_numpy(bank)


def filters_MK(like: Tensor) -> Tensor:
    """Return the mel filter bank (128, 1025), unit-peak triangles, on the device of `like`."""
    return _filters().to(like)


def log_mel_BMF(audio_BN: Tensor) -> Tensor:
    """Return the natural log of mel amplitudes, shape (B, 128, N // 512).

    Frame f is centred on sample 512 f, so frame 0 shows an attack on the first sample.
    """
    window = torch.hann_window(N_FFT, dtype=audio_BN.dtype, device=audio_BN.device)
    spectrum_BKF = torch.stft(
        audio_BN, N_FFT, HOP, window=window, center=True, pad_mode="reflect", return_complex=True
    )
    mel_BMF = filters_MK(audio_BN) @ spectrum_BKF[..., : audio_BN.shape[-1] // HOP].abs()
    return mel_BMF.clamp_min(FLOOR).log()
