"""The stages of training, each reading what the one before wrote.

B batch, N samples, C channels, H groups, W latent steps, M mel bands, F frames.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from ditto_rt.builtin.denoiser import Denoiser, grid_GW
from ditto_rt.builtin.latent import FRAMES, Latent
from ditto_rt.builtin.mel import HOP, RATE_HZ, log_mel_BMF
from ditto_rt.training.loop import Plan, Run, train
from ditto_rt.training.shards import read_shards

STEP = HOP * FRAMES
FIT_SHARDS = 10
SHORTEST_W, USUAL_W, LONGEST_W = 43, 140, 259
TAG_DROP = 0.1


@dataclass(frozen=True)
class Latents:
    """The corpus as latents laid end to end, (16, 4, W) in half precision, with labels."""

    x0_CHW: Tensor
    start_I: NDArray[np.int64]
    bpm_I: NDArray[np.float64]
    genre_I: NDArray[np.int64]
    mood_I: NDArray[np.int64]


def fit_latent(corpus: Path, folder: Path) -> float:
    """Fit the linear latent, encode the corpus with it; return the share of variance kept."""
    latent = Latent()
    mels = [
        log_mel_BMF(torch.from_numpy(audio[: len(audio) // STEP * STEP])[None])
        for shard in read_shards(corpus, FIT_SHARDS)
        for _, audio in shard.clips()
    ]
    kept = latent.fit(torch.cat(mels, 2))
    torch.save(latent.state_dict(), folder / "latent.pt")
    pieces, labels = [], []
    for shard in track(list(read_shards(corpus)), "encoding"):
        for index, audio in shard.clips():
            mel = log_mel_BMF(torch.from_numpy(audio[: len(audio) // STEP * STEP])[None])
            pieces.append(latent.encode(mel)[0].half())
            labels.append((shard.bpm_I[index], shard.genre_I[index], shard.mood_I[index]))
    torch.save(torch.cat(pieces, 2), folder / "latents.pt")
    starts = np.cumsum([0] + [piece.shape[2] for piece in pieces])
    bpm, genre, mood = (np.array(column) for column in zip(*labels, strict=True))
    np.savez(folder / "labels.npz", start_I=starts, bpm_I=bpm, genre_I=genre, mood_I=mood)
    return kept


def read_latents(folder: Path) -> Latents:
    """Read what `fit_latent` wrote."""
    with np.load(folder / "labels.npz") as labels:
        columns = {name: labels[name] for name in labels.files}
    return Latents(torch.load(folder / "latents.pt", weights_only=True), **columns)


def read_latent(folder: Path) -> Latent:
    """Read the fitted linear latent."""
    latent = Latent()
    latent.load_state_dict(torch.load(folder / "latent.pt", weights_only=True))
    return latent


@dataclass(frozen=True)
class Batch:
    """Clean latents with their labels; index 0 and 0 BPM mean 'not said'."""

    x0_BCHW: Tensor
    grid_BGHW: Tensor
    genre_B: Tensor
    mood_B: Tensor
    bpm_B: Tensor


def draw_batch(data: Latents, size: int, generator: np.random.Generator) -> Batch:
    """Draw clips of one random length, half of them from their first beat."""
    widths_I = np.diff(data.start_I)
    # Mostly short: a long clip costs in proportion and teaches the same bars.
    longest = LONGEST_W if generator.random() < 0.2 else USUAL_W
    width = int(generator.integers(SHORTEST_W, longest))
    pool = np.flatnonzero(widths_I >= min(width, int(widths_I.max())))
    width = min(width, int(widths_I.max()))
    chosen = generator.choice(pool, size)
    step_s = STEP / RATE_HZ
    cuts, grids = [], []
    for index in chosen:
        spare = int(widths_I[index]) - width
        skip = int(generator.integers(0, spare + 1)) if generator.random() < 0.5 else 0
        first = int(data.start_I[index]) + skip
        cuts.append(data.x0_CHW[:, :, first : first + width])
        bpm = float(data.bpm_I[index])
        grids.append(grid_GW(bpm, skip * step_s * bpm / 60.0, width, step_s))
    x0_BCHW = torch.stack(cuts).float().contiguous(memory_format=torch.channels_last)
    grid_BGHW = torch.stack(grids)[:, :, None].expand(-1, -1, x0_BCHW.shape[2], -1)
    said = [torch.from_numpy(generator.random(size) > TAG_DROP) for _ in range(3)]
    said = [one & torch.from_numpy(generator.random(size) > TAG_DROP) for one in said]
    return Batch(
        x0_BCHW,
        grid_BGHW,
        torch.from_numpy(data.genre_I[chosen]) * said[0],
        torch.from_numpy(data.mood_I[chosen]) * said[1],
        torch.from_numpy(data.bpm_I[chosen]).float() * said[2],
    )


def draw_times(size: int) -> Tensor:
    """Draw times in 0 to 1: mostly logit-normal, some uniform so that the ends are learned."""
    logit = torch.sigmoid(0.4 + 1.2 * torch.randn(size))
    return torch.where(torch.rand(size) < 0.75, logit, torch.rand(size))


def velocity_loss(network: Denoiser, batch: Batch, t_B: Tensor) -> Tensor:
    """Return the squared error of v = alpha eps - sigma x_0 (Salimans and Ho 2022, appendix D)."""
    angle = (0.5 * torch.pi * t_B)[:, None, None, None]
    noise = torch.randn_like(batch.x0_BCHW)
    noisy = angle.cos() * batch.x0_BCHW + angle.sin() * noise
    target = angle.cos() * noise - angle.sin() * batch.x0_BCHW
    tokens = network.tokens(batch.genre_B, batch.mood_B, batch.bpm_B)
    made: Tensor = network(noisy, t_B, tokens, batch.grid_BGHW)
    return (made - target).square().mean()


def train_denoiser(folder: Path, plan: Plan, device: torch.device, size: int) -> Run:
    """Train the denoiser on clips of mixed lengths."""
    data = read_latents(folder)
    # Channels last: a sixth faster on a CPU.
    network = Denoiser().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = Run(network, plan, folder / "denoiser.pt")
    generator = np.random.default_rng(run.step)

    def loss_of() -> Tensor:
        batch = draw_batch(data, size, generator)
        moved = Batch(**{k: v.to(device) for k, v in vars(batch).items()})
        return velocity_loss(network, moved, draw_times(size).to(device))

    train(run, loss_of, "denoiser")
    return run
