"""Training of the vocoder, from the corpus's own audio.

B batch, N samples, M mel bands, F frames.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ditto_rt.builtin import weights
from ditto_rt.builtin.latent import Latent
from ditto_rt.builtin.mel import HOP, log_mel_BMF
from ditto_rt.builtin.vocoder import Vocoder
from ditto_rt.training.loop import Plan, Run, train
from ditto_rt.training.shards import read_shards
from ditto_rt.training.stages import read_latent
from ditto_rt.training.vocoder_loss import mel_distance, multi_resolution

SEGMENT_FRAMES = 128
BATCH = 8
SHARDS = 60
# Share of cuts whose mel did not go through the latent.
WHOLE = 0.4
# The ends of a cut are judged by nobody: their frames look past the cut.
INSIDE = slice(4 * HOP, -4 * HOP)


def _cuts_BN(audio_N: NDArray[np.int16]) -> Tensor:
    length = SEGMENT_FRAMES * HOP
    starts = torch.randint(0, len(audio_N) - length, (BATCH,)).tolist()
    cut = np.stack([audio_N[s : s + length] for s in starts]).astype(np.float32) / 32767.0
    return torch.from_numpy(cut)


def asked_BMF(real_BN: Tensor, latent: Latent) -> Tensor:
    """Return each cut's log-mel, some as they are and some through the latent."""
    mel_BMF = log_mel_BMF(real_BN)
    through_BMF = latent.decode(latent.encode(mel_BMF))
    whole_B = torch.rand(len(real_BN), 1, 1, device=real_BN.device) < WHOLE
    return torch.where(whole_B, mel_BMF, through_BMF)


def train_vocoder(folder: Path, plan: Plan, device: torch.device, shipped: bool = False) -> Run:
    """Train on log-mels that went through the latent, and on some that did not.

    A new run begins with the package's own weights where `shipped` says so, else at random.
    """
    latent = read_latent(folder).to(device)
    audio_N = np.concatenate([shard.audio_N for shard in read_shards(folder / "corpus", SHARDS)])
    vocoder = Vocoder()
    if shipped:
        weights.load_into(vocoder, weights.VOCODER)
    run = Run(vocoder.requires_grad_(True).train().to(device), plan, folder / "vocoder.pt")

    def losses_of() -> dict[str, Tensor]:
        real_BN = _cuts_BN(audio_N).to(device)
        made_BN = run.network(asked_BMF(real_BN, latent))[:, INSIDE]
        real_BN = real_BN[:, INSIDE]
        return {
            "spectra": multi_resolution(made_BN, real_BN),
            "mel": mel_distance(made_BN, real_BN),
        }

    train(run, losses_of, "vocoder")
    return run
