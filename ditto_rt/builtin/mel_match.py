"""Give audio the mel that was asked: the last step of the vocoder.

The network's mel is near the one it was given, not equal. Measuring what came out and scaling each
bin by the ratio of asked to made mel brings it nearer, as a step of Griffin and Lim (1984) does for
magnitudes, but keeps the network's phases. In the bass, where most of the power lies and a mel band
is hardly wider than a bin, magnitudes are known well enough to settle the phases too (`_settle`).
Differentiable, no parameters. B batch, N samples, M mel bands, F frames, K bins.
"""

from functools import cache

import torch
from torch import Tensor

from ditto_rt.builtin.frames import analyse, synthesise
from ditto_rt.builtin.magnitudes import TINY, magnitudes, scaled
from ditto_rt.builtin.mel import FLOOR, N_FFT, filters_MK

# The most that one step asks of a band, in nat: 17 dB.
MOST = 2.0
# Part of a step is lost, because frames that overlap must agree; so the last ones ask for more.
# More in the first step too overshoots.
LAST_PUSHES = (1.5, 1.5)
# The bass as a signal of its own, at this fraction of the rate: bins 0 to 32, up to 690 Hz.
BASS_RATE = 32
BASS_BINS = N_FFT // BASS_RATE // 2 + 1
# Settled bins fade out here, below where the filters of that signal would alias.
FADE_FROM, FADE_TO = 20, 28
ROUNDS = 10
SETTLINGS = 16
# Fast Griffin-Lim's momentum (Perraudin et al. 2013).
MOMENTUM = 0.99


@cache
def _filters(device: torch.device, dtype: torch.dtype, bins: int) -> tuple[Tensor, Tensor]:
    """Return the bands (K, M) that lie within the first bins, and each bin's share in them."""
    with torch.inference_mode(False):
        whole_MK = filters_MK(torch.zeros(1, device=device, dtype=dtype))
        mel_MK = whole_MK[:, :bins]
        mel_MK = mel_MK[: int((mel_MK.sum(1) > 0.99 * whole_MK.sum(1)).sum())]
        # Bins in no band stay as they are.
        spread_MK = mel_MK / mel_MK.sum(0).clamp_min(1e-3)
        return mel_MK.T.contiguous(), spread_MK.contiguous()


def _gain_BFK(size_BFK: Tensor, mel_BFM: Tensor, push: float = 1.0) -> Tensor:
    mel_KM, spread_MK = _filters(size_BFK.device, size_BFK.dtype, size_BFK.shape[2])
    made_BFM = (size_BFK @ mel_KM).clamp_min(FLOOR).log()
    change_BFM = (mel_BFM[..., : mel_KM.shape[1]] - made_BFM).clamp(-MOST, MOST)
    return (change_BFM * push @ spread_MK).exp()


def _unit(x_BFK: Tensor) -> Tensor:
    return x_BFK / x_BFK.abs().clamp_min(TINY)


@torch.no_grad()
def _settle(size_BFK: Tensor, start_BFK: Tensor, circular: bool) -> Tensor:
    """Return phases (unit size) that frames of these magnitudes can have: fast Griffin-Lim.

    No gradient: what is asked of a take depends on magnitudes, and phases through many
    iterations have no useful slope.
    """
    phase_BFK = _unit(start_BFK)
    before_BFK = size_BFK * phase_BFK
    for _ in range(SETTLINGS):
        low_BN = synthesise(size_BFK * phase_BFK, circular)
        made_BFK = analyse(low_BN, circular, 2 * (BASS_BINS - 1))
        phase_BFK = _unit(made_BFK + MOMENTUM * (made_BFK - before_BFK))
        before_BFK = made_BFK
    return phase_BFK


def _bass_BFK(bass_BFK: Tensor, size_BFK: Tensor, mel_BFM: Tensor, circular: bool) -> Tensor:
    size_BFK = size_BFK.clamp_min(1e-4)
    for _ in range(ROUNDS):
        size_BFK = size_BFK * _gain_BFK(size_BFK, mel_BFM)
    return size_BFK * _settle(size_BFK, bass_BFK, circular)


def match_mel(audio_BN: Tensor, mel_BMF: Tensor, circular: bool) -> Tensor:
    """Return audio (B, 512 F) whose log-mel is nearer to mel_BMF."""
    mel_BFM = mel_BMF.transpose(1, 2).contiguous()
    spectrum_BFK = analyse(audio_BN, circular)
    size_BFK = magnitudes(spectrum_BFK)
    matched_BFK = scaled(spectrum_BFK, _gain_BFK(size_BFK, mel_BFM))
    low = (..., slice(BASS_BINS))
    bass_BFK = _bass_BFK(spectrum_BFK[low], size_BFK[low], mel_BFM, circular)
    bins_K = torch.arange(BASS_BINS, device=audio_BN.device)
    part_K = ((FADE_TO - bins_K) / (FADE_TO - FADE_FROM)).clamp(0.0, 1.0)
    mixed_BFK = torch.lerp(matched_BFK[low], bass_BFK, part_K.to(bass_BFK.dtype))
    matched_BN = synthesise(torch.cat((mixed_BFK, matched_BFK[..., BASS_BINS:]), 2), circular)
    for push in LAST_PUSHES:
        again_BFK = analyse(matched_BN, circular)
        gain_BFK = _gain_BFK(magnitudes(again_BFK), mel_BFM, push)
        matched_BN = synthesise(scaled(again_BFK, gain_BFK), circular)
    return matched_BN
