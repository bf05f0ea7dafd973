"""How near the vocoder comes to the audio whose mel it is given, beside Griffin-Lim.

B batch, C channels, H groups, W latent steps, M bands, N samples.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial

import librosa
import numpy as np
import torch
from torch import Tensor

from ditto_rt.builtin import Builtin
from ditto_rt.builtin import mel as mels
from ditto_rt.training.corpus import Clip
from ditto_rt.training.vocoder_loss import mel_distance, multi_resolution

GRIFFIN_LIM_ITERATIONS = 32


def _griffin_lim(mel_BMF: Tensor, length: int) -> Tensor:
    filters = mels.filters_MK(torch.zeros(1)).numpy()
    size = librosa.util.nnls(filters, mel_BMF[0].exp().cpu().numpy())
    # A centred STFT has one frame more than our mel keeps.
    size = np.pad(size, ((0, 0), (0, 1)), mode="edge")
    audio = librosa.griffinlim(
        size,
        n_iter=GRIFFIN_LIM_ITERATIONS,
        hop_length=mels.HOP,
        n_fft=mels.N_FFT,
        length=length,
        random_state=0,
    )
    return torch.from_numpy(audio.astype(np.float32))[None].to(mel_BMF.device)


@torch.inference_mode()
def codec_figures(model: Builtin, clips: Iterable[Clip]) -> dict[str, dict[str, float]]:
    """Return medians of log-mel distance (nat), spectral distance and seconds for four ways."""
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for clip in clips:
        whole = len(clip.audio_N) // model.latent_hop * model.latent_hop
        real_BN = torch.from_numpy(clip.audio_N[None, :whole]).to(model.device)
        mel_BMF = mels.log_mel_BMF(real_BN)
        coded_BMF = model.mel_of(model.encode(real_BN))
        ways: dict[str, Callable[[], Tensor]] = {
            "vocoder": partial(model.vocode, mel_BMF),
            f"Griffin-Lim, {GRIFFIN_LIM_ITERATIONS} iterations": partial(
                _griffin_lim, mel_BMF, whole
            ),
            "vocoder, through the latent": partial(model.vocode, coded_BMF),
            "Griffin-Lim, through the latent": partial(_griffin_lim, coded_BMF, whole),
        }
        for name, way in ways.items():
            before_s = time.perf_counter()
            made_BN = way()
            wall_s = time.perf_counter() - before_s
            far = float(mel_distance(made_BN, real_BN)), float(multi_resolution(made_BN, real_BN))
            rows.setdefault(name, []).append((*far, wall_s))
    keys = ("log_mel_nat", "multi_resolution", "wall_s")
    return {
        name: dict(zip(keys, map(statistics.median, zip(*found, strict=True)), strict=True))
        for name, found in rows.items()
    }
