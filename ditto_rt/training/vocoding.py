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
from ditto_rt.training.adversary import Adversary, balanced
from ditto_rt.training.loop import Plan, Run, train
from ditto_rt.training.shards import read_shards
from ditto_rt.training.stages import read_latent
from ditto_rt.training.vocoder_loss import mel_distance, multi_resolution

SEGMENT_FRAMES = 64
BATCH = 4
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
    whole_B11 = torch.rand(len(real_BN), 1, 1, device=real_BN.device) < WHOLE
    return torch.where(whole_B11, mel_BMF, through_BMF)


def pulled(made_BN: Tensor, real_BN: Tensor, adversary: Adversary) -> dict[str, Tensor]:
    """Return the losses of a batch; their sum's gradient at the waveform is the balanced one."""
    leaf_BN = made_BN.detach().requires_grad_()
    losses = {"spectra": multi_resolution(leaf_BN, real_BN), "mel": mel_distance(leaf_BN, real_BN)}
    (near_BN,) = torch.autograd.grad(losses["spectra"] + losses["mel"], leaf_BN)
    share = adversary.share()
    verdict = adversary.judge(made_BN, real_BN)
    slope_BN = balanced(near_BN, verdict.pull_BN, share)
    # Of value zero: it carries the gradient, the others carry what is told.
    carrier = ((made_BN - made_BN.detach()) * slope_BN).sum()
    told = {name: loss.detach() for name, loss in losses.items()}
    return {**told, **verdict.losses, "spectra": told["spectra"] + carrier}


def train_vocoder(folder: Path, plan: Plan, device: torch.device, shipped: bool = False) -> Run:
    """Train on log-mels that went through the latent, and on some that did not.

    A new run begins with the package's own weights where `shipped` says so, else at random.
    """
    latent = read_latent(folder).to(device)
    audio_N = np.concatenate([shard.audio_N for shard in read_shards(folder / "corpus", SHARDS)])
    vocoder = Vocoder()
    if shipped:
        weights.load_into(vocoder, weights.VOCODER)
    vocoder.requires_grad_(True).train().to(device)
    adversary = Adversary(device)
    run = Run(vocoder, plan, folder / "vocoder.pt", {"adversary": adversary})

    def losses_of() -> dict[str, Tensor]:
        real_BN = _cuts_BN(audio_N).to(device)
        made_BN = run.network(asked_BMF(real_BN, latent))[:, INSIDE]
        return pulled(made_BN, real_BN[:, INSIDE], adversary)

    train(run, losses_of, "vocoder")
    return run
