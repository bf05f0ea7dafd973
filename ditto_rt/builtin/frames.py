"""Audio to overlapping frames and back, with ends or round a loop.

Frame f is centred on sample 512 f; N samples have N / 512 frames. With `circular` the last frame
is followed by the first. B batch, C channels, N samples, F frames, K bins.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ditto_rt.builtin.mel import HOP, N_FFT

HALF = N_FFT // 2
BINS = HALF + 1
# What the squared Hann windows at a quarter of their length add up to.
OVERLAP = 1.5


def reach(x_BCF: Tensor, frames: int, circular: bool) -> Tensor:
    """Return x with `frames` more on both sides: zeros, or what lies round the loop."""
    if not circular:
        return F.pad(x_BCF, (frames, frames))
    index = torch.arange(-frames, x_BCF.shape[-1] + frames, device=x_BCF.device)
    return x_BCF[..., index % x_BCF.shape[-1]]


def _window(like: Tensor) -> Tensor:
    return torch.hann_window(N_FFT, device=like.device, dtype=like.dtype)


def analyse(audio_BN: Tensor, circular: bool) -> Tensor:
    """Return the spectrum (B, K, F) of audio of 512 F samples."""
    frames = audio_BN.shape[-1] // HOP
    mode = "constant" if audio_BN.shape[-1] <= HALF else "reflect"
    padded_BN = reach(audio_BN, HALF, True) if circular else F.pad(audio_BN, (HALF, HALF), mode)
    window = _window(audio_BN)
    spectrum_BKF = torch.stft(
        padded_BN, N_FFT, HOP, window=window, center=False, return_complex=True
    )
    return spectrum_BKF[..., :frames]


def synthesise(spectrum_BFK: Tensor, circular: bool) -> Tensor:
    """Return audio (B, 512 F) of windowed frames, each as if centred on time zero."""
    frames = spectrum_BFK.shape[1]
    # A window centred on time zero: shift by half a frame is a sign of (-1)^k.
    sign_K = 1.0 - 2.0 * (torch.arange(BINS, device=spectrum_BFK.device) % 2)
    window = _window(sign_K)
    pieces_BFT = torch.fft.irfft(spectrum_BFK * sign_K, N_FFT) * window
    summed_BN = _overlap_add(pieces_BFT)
    if circular:
        return _wrap(summed_BN, frames * HOP) / OVERLAP
    weight = window.square().expand(1, frames, -1)
    middle = slice(HALF, HALF + frames * HOP)
    return (summed_BN / _overlap_add(weight).clamp_min(0.1))[:, middle]


def _overlap_add(pieces_BFT: Tensor) -> Tensor:
    length = (pieces_BFT.shape[1] - 1) * HOP + N_FFT
    folded = F.fold(pieces_BFT.transpose(1, 2), (1, length), (1, N_FFT), stride=(1, HOP))
    return folded[:, 0, 0]


def _wrap(summed_BN: Tensor, length: int) -> Tensor:
    # The sum begins half a window before frame 0; what passes the end comes in at the start.
    whole_BN = F.pad(summed_BN, (0, -summed_BN.shape[1] % length))
    turned_BN = whole_BN.reshape(len(whole_BN), -1, length).sum(1)
    return turned_BN.roll(-HALF, 1)
