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
    """Return the bands (M, K) that lie within the first bins, and each bin's share in them."""
    with torch.inference_mode(False):
        whole_MK = filters_MK(torch.zeros(1, device=device, dtype=dtype))
        mel_MK = whole_MK[:, :bins]
        mel_MK = mel_MK[: int((mel_MK.sum(1) > 0.99 * whole_MK.sum(1)).sum())].contiguous()
        # Bins in no band stay as they are.
        spread_KM = (mel_MK / mel_MK.sum(0).clamp_min(1e-3)).T.contiguous()
    return mel_MK, spread_KM


def _gain_BKF(size_BKF: Tensor, mel_BMF: Tensor, push: float = 1.0) -> Tensor:
    mel_MK, spread_KM = _filters(size_BKF.device, size_BKF.dtype, size_BKF.shape[1])
    made_BMF = (mel_MK @ size_BKF).clamp_min(FLOOR).log()
    change_BMF = (mel_BMF[:, : len(mel_MK)] - made_BMF).clamp(-MOST, MOST)
    return (spread_KM @ change_BMF * push).exp()


def _unit(x_BKF: Tensor) -> Tensor:
    return x_BKF / x_BKF.abs().clamp_min(1e-9)


@torch.no_grad()
def _settle(size_BKF: Tensor, start_BKF: Tensor, circular: bool) -> Tensor:
    """Return phases (unit size) that frames of these magnitudes can have: fast Griffin-Lim.

    No gradient: what is asked of a take depends on magnitudes, and phases through many
    iterations have no useful slope.
    """
    phase_BKF = _unit(start_BKF)
    before_BKF = size_BKF * phase_BKF
    for _ in range(SETTLINGS):
        low_BN = synthesise(size_BKF * phase_BKF, circular)
        made_BKF = analyse(low_BN, circular, 2 * (BASS_BINS - 1))
        phase_BKF = _unit(made_BKF + MOMENTUM * (made_BKF - before_BKF))
        before_BKF = made_BKF
    return phase_BKF


def _bass_BKF(bass_BKF: Tensor, mel_BMF: Tensor, circular: bool) -> Tensor:
    size_BKF = bass_BKF.abs().clamp_min(1e-4)
    for _ in range(ROUNDS):
        size_BKF = size_BKF * _gain_BKF(size_BKF, mel_BMF)
    return size_BKF * _settle(size_BKF, bass_BKF, circular)


def match_mel(audio_BN: Tensor, mel_BMF: Tensor, circular: bool) -> Tensor:
    """Return audio (B, 512 F) whose log-mel is nearer to mel_BMF."""
    spectrum_BKF = analyse(audio_BN, circular)
    matched_BKF = spectrum_BKF * _gain_BKF(spectrum_BKF.abs(), mel_BMF)
    bass_BKF = _bass_BKF(spectrum_BKF[:, :BASS_BINS], mel_BMF, circular)
    bins_K = torch.arange(BASS_BINS, device=audio_BN.device)
    part_K = ((FADE_TO - bins_K) / (FADE_TO - FADE_FROM)).clamp(0.0, 1.0)[:, None]
    mixed_BKF = torch.lerp(matched_BKF[:, :BASS_BINS], bass_BKF, part_K.to(bass_BKF.dtype))
    matched_BN = synthesise(torch.cat((mixed_BKF, matched_BKF[:, BASS_BINS:]), 1), circular)
    for push in LAST_PUSHES:
        again_BKF = analyse(matched_BN, circular)
        gain_BKF = _gain_BKF(again_BKF.abs(), mel_BMF, push)
        matched_BN = synthesise(again_BKF * gain_BKF, circular)
    return matched_BN
