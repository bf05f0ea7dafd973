"""The corpus as latents: encoding it once, and drawing batches from it.

C channels, H groups, W latent steps, B batch, G grid channels, I clips.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from ditto_rt.builtin.denoiser import grid_GW
from ditto_rt.builtin.latent import FRAMES, Latent
from ditto_rt.builtin.mel import HOP, RATE_HZ, log_mel_BMF
from ditto_rt.training.shards import SHARD_CLIPS, read_shards

STEP = HOP * FRAMES
SHORTEST_W, USUAL_W, LONGEST_W = 43, 140, 259
# Each tag is left out so often, and all of them together once more as often.
TAG_DROP = 0.1


@dataclass(frozen=True)
class Latents:
    """The corpus as latents laid end to end, (16, 4, W) in half precision, with labels."""

    x0_CHW: Tensor
    start_I: NDArray[np.int64]
    bpm_I: NDArray[np.float64]
    genre_I: NDArray[np.int64]
    mood_I: NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Clean latents with their labels; index 0 and 0 BPM mean 'not said'."""

    x0_BCHW: Tensor
    grid_BGHW: Tensor
    genre_B: Tensor
    mood_B: Tensor
    bpm_B: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


def encode_corpus(corpus: Path, latent: Latent, folder: Path) -> None:
    """Write every clip's latent and labels to latents.pt and labels.npz."""
    shards = len(list(corpus.glob("shard_*.npz")))
    pieces, labels = [], []
    for shard in track(read_shards(corpus), f"encoding {shards * SHARD_CLIPS} clips", shards):
        for index, audio in shard.clips():
            mel = log_mel_BMF(torch.from_numpy(audio[: len(audio) // STEP * STEP])[None])
            pieces.append(latent.encode(mel)[0].half())
            labels.append((shard.bpm_I[index], shard.genre_I[index], shard.mood_I[index]))
    torch.save(torch.cat(pieces, 2), folder / "latents.pt")
    starts = np.cumsum([0] + [piece.shape[2] for piece in pieces])
    bpm, genre, mood = (np.array(column) for column in zip(*labels, strict=True))
    np.savez(folder / "labels.npz", start_I=starts, bpm_I=bpm, genre_I=genre, mood_I=mood)


def read_latents(folder: Path) -> Latents:
    """Read what `encode_corpus` wrote."""
    with np.load(folder / "labels.npz") as labels:
        columns = {name: labels[name] for name in labels.files}
    return Latents(torch.load(folder / "latents.pt", weights_only=True), **columns)


def draw_batch(data: Latents, size: int, generator: np.random.Generator) -> Batch:
    """Draw clips of one random length, half of them from their first beat."""
    widths_I = np.diff(data.start_I)
    # Mostly short: a long clip costs in proportion and teaches the same bars.
    longest = LONGEST_W if generator.random() < 0.2 else USUAL_W
    width = int(generator.integers(SHORTEST_W, longest))
    width = min(width, int(widths_I.max()))
    chosen = generator.choice(np.flatnonzero(widths_I >= width), size)
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
    # All at once, too: guidance asks for the estimate without any tag.
    any_said = generator.random(size) > TAG_DROP
    said = [torch.from_numpy(any_said & (generator.random(size) > TAG_DROP)) for _ in range(3)]
    return Batch(
        x0_BCHW,
        torch.stack(grids)[:, :, None].expand(-1, -1, x0_BCHW.shape[2], -1),
        torch.from_numpy(data.genre_I[chosen]) * said[0],
        torch.from_numpy(data.mood_I[chosen]) * said[1],
        torch.from_numpy(data.bpm_I[chosen]).float() * said[2],
    )
