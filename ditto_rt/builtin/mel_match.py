"""Give audio the mel that was asked: the last step of the vocoder.

The network's mel is near the one it was given, not equal. Measuring what came out and scaling each
bin by the ratio of asked to made mel brings it nearer, as a step of Griffin and Lim (1984) does for
magnitudes, but keeps the network's phases. Differentiable, no parameters.
B batch, N samples, M mel bands, F frames, K bins.
"""

from functools import cache

import torch
from torch import Tensor

from ditto_rt.builtin.frames import analyse, synthesise
from ditto_rt.builtin.mel import FLOOR, filters_MK

# The most that one step changes a bin, in nat: 17 dB.
MOST = 2.0


@cache
def _spread_KM(device: torch.device, dtype: torch.dtype) -> Tensor:
    # Each bin follows the bands it lies in, by its share in them; bins in no band stay.
    with torch.inference_mode(False):
        mel_MK = filters_MK(torch.zeros(1, device=device, dtype=dtype))
        return (mel_MK / mel_MK.sum(0).clamp_min(1e-3)).T.contiguous()


def match_mel(audio_BN: Tensor, mel_BMF: Tensor, circular: bool) -> Tensor:
    """Return audio (B, 512 F) whose log-mel is nearer to mel_BMF."""
    spectrum_BKF = analyse(audio_BN, circular)
    made_BMF = (filters_MK(audio_BN) @ spectrum_BKF.abs()).clamp_min(FLOOR).log()
    change_BMF = (mel_BMF - made_BMF).clamp(-MOST, MOST)
    gain_BKF = (_spread_KM(audio_BN.device, audio_BN.dtype) @ change_BMF).exp()
    # torch.stft counts a frame's phase from its start, `synthesise` from its middle.
    sign_K = 1.0 - 2.0 * (torch.arange(len(gain_BKF[0]), device=audio_BN.device) % 2)
    turned_BKF = spectrum_BKF * (gain_BKF * sign_K[:, None])
    return synthesise(turned_BKF.transpose(1, 2), circular)
