"""The stages of training, each reading what the one before wrote.

B batch, N samples, C channels, H groups, W latent steps, M mel bands, F frames.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ditto_rt.builtin import weights
from ditto_rt.builtin.denoiser import Denoiser
from ditto_rt.builtin.latent import Latent
from ditto_rt.builtin.mel import log_mel_BMF
from ditto_rt.training.distil import losses
from ditto_rt.training.latents import STEP, draw_batch, encode_corpus, read_latents
from ditto_rt.training.loop import Plan, Run, train
from ditto_rt.training.shards import read_shards

FIT_SHARDS = 10
DRAW_SEED = 1


def fit_latent(corpus: Path, folder: Path) -> float:
    """Fit the linear latent, encode the corpus with it; return the share of variance kept."""
    latent = Latent()
    mels = [
        log_mel_BMF(torch.from_numpy(audio[: len(audio) // STEP * STEP])[None])
        for shard in read_shards(corpus, FIT_SHARDS)
        for _, audio in shard.clips()
    ]
    kept = latent.fit(torch.cat(mels, 2))
    _keep(latent, corpus, folder)
    return kept


def keep_latent(corpus: Path, folder: Path) -> None:
    """Encode the corpus with the package's own latent, which its other weights depend on."""
    latent = Latent()
    weights.load_into(latent, weights.LATENT)
    _keep(latent, corpus, folder)


def _keep(latent: Latent, corpus: Path, folder: Path) -> None:
    torch.save(latent.state_dict(), folder / "latent.pt")
    encode_corpus(corpus, latent, folder)


def read_latent(folder: Path) -> Latent:
    """Read the fitted linear latent."""
    latent = Latent()
    latent.load_state_dict(torch.load(folder / "latent.pt", weights_only=True))
    return latent


def train_denoiser(
    folder: Path, plan: Plan, device: torch.device, size: int, shipped: bool = False
) -> Run:
    """Train teacher and student in one network, on clips of mixed lengths.

    A new run begins with the package's own weights where `shipped` says so, else at random.
    """
    data = read_latents(folder)
    network = Denoiser()
    if shipped:
        weights.load_into(network, weights.DENOISER)
    # Channels last: a sixth faster on a CPU.
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = Run(network.requires_grad_(True).train(), plan, folder / "denoiser.pt")
    teacher = run.follower(network)

    def losses_of() -> dict[str, Tensor]:
        # Drawn by the step's number, so that a resumed run sees the clips that it would have seen.
        batch = draw_batch(data, size, np.random.default_rng((DRAW_SEED, run.step)))
        return losses(network, teacher, batch.to(device))

    train(run, losses_of, "denoiser")
    return run
