"""Training of the tagger: on clips as they are, through the latent, and through the vocoder too.

What the codec leaves out or adds must not tell a genre, so that takes and clips are judged alike.
B batch, M mel bands, F frames.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from torch.nn.functional import cross_entropy

from ditto_rt import builtin
from ditto_rt.builtin.latent import FRAMES, Latent
from ditto_rt.builtin.mel import HOP, log_mel_BMF
from ditto_rt.evaluate.tagger import Tagger, tempo_class
from ditto_rt.training.loop import Plan, Run, train
from ditto_rt.training.shards import read_shards
from ditto_rt.training.stages import read_latent

BATCH = 32
SHARDS = 80
# Of the first shards' clips, an excerpt goes through latent and vocoder.
VOCODED_SHARDS, VOCODED_FRAMES = 16, 256
CROPS_FRAMES = (160, 256, 480)
LATENT_SHARE = 0.4
DRAW_SEED = 3
NOISE_NAT, LEVEL_NAT, SLOPE_NAT = 0.3, 0.7, 1.0


@dataclass(frozen=True)
class Heap:
    """Log-mels laid end to end in half precision, (M, F), with the labels of each clip."""

    mel_MF: Tensor
    start_I: NDArray[np.int64]
    bpm_I: Tensor
    genre_I: Tensor
    mood_I: Tensor


def read_heap(corpus: Path, model: builtin.Builtin) -> Heap:
    """Return the corpus's log-mels, and after them those of excerpts that the vocoder made."""
    plain, vocoded, labels, again = [], [], [], []
    shards = list(range(SHARDS))
    for number, shard in zip(track(shards, "listening"), read_shards(corpus, SHARDS), strict=False):
        for index, audio_N in shard.clips():
            row = (shard.bpm_I[index], shard.genre_I[index] - 1, shard.mood_I[index] - 1)
            whole = len(audio_N) // (HOP * FRAMES) * HOP * FRAMES
            mel_BMF = log_mel_BMF(torch.from_numpy(audio_N[:whole])[None])
            plain.append(mel_BMF[0].half())
            labels.append(row)
            if number < VOCODED_SHARDS and mel_BMF.shape[2] >= VOCODED_FRAMES:
                with torch.inference_mode():
                    asked = model.encode(torch.from_numpy(audio_N[None, : VOCODED_FRAMES * HOP]))
                    vocoded.append(log_mel_BMF(model.decode(asked))[0].half())
                again.append(row)
    pieces = plain + vocoded
    bpm, genre, mood = (np.array(column) for column in zip(*labels, *again, strict=True))
    return Heap(
        torch.cat(pieces, 1),
        np.cumsum([0] + [piece.shape[1] for piece in pieces]),
        *(torch.from_numpy(column) for column in (bpm, genre, mood)),
    )


def draw(heap: Heap, latent: Latent, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return cuts (B, M, F) of one random length, disturbed, and the index of each one's clip."""
    frames = int(generator.choice(CROPS_FRAMES))
    lengths_I = np.diff(heap.start_I)
    chosen = generator.choice(np.flatnonzero(lengths_I >= frames), BATCH)
    firsts = [
        int(heap.start_I[i]) + int(generator.integers(0, lengths_I[i] - frames + 1)) for i in chosen
    ]
    mel_BMF = torch.stack([heap.mel_MF[:, f : f + frames] for f in firsts]).float()
    coded_BMF = latent.decode(latent.encode(mel_BMF))
    through_B = torch.from_numpy(generator.random(BATCH) < LATENT_SHARE)[:, None, None]
    mel_BMF = torch.where(through_B, coded_BMF, mel_BMF)
    # Level and its drift say nothing: a take that follows a curve is still of its genre.
    level_B = LEVEL_NAT * torch.randn(BATCH, 1, 1)
    slope_B = SLOPE_NAT * (torch.rand(BATCH, 1, 1) - 0.5) * 2.0
    grain_B = NOISE_NAT * torch.rand(BATCH, 1, 1)
    drift_BF = level_B + slope_B * torch.linspace(-1.0, 1.0, frames)
    return mel_BMF + drift_BF + grain_B * torch.randn_like(mel_BMF), torch.from_numpy(chosen)


def train_tagger(folder: Path, plan: Plan) -> Run:
    """Train the tagger with the package's own codec on the corpus of `folder`."""
    heap = read_heap(folder / "corpus", builtin.load(torch.device("cpu")))
    latent = read_latent(folder)
    tagger = Tagger()
    tagger.mean_M.copy_(latent.mean_M)
    tagger.std_M.copy_(latent.std_M)
    run = Run(tagger, plan, folder / "tagger.pt")
    tempo_I = tempo_class(heap.bpm_I)

    def losses_of() -> dict[str, Tensor]:
        # Drawn by the step's number, so that a resumed run sees the cuts that it would have seen.
        mel_BMF, clip_B = draw(heap, latent, np.random.default_rng((DRAW_SEED, run.step)))
        heard = run.network(mel_BMF)
        asked = (heap.genre_I, heap.mood_I, tempo_I)
        scores = (heard.genre_BG, heard.mood_BK, heard.tempo_BT)
        genre, mood, tempo = (
            cross_entropy(score, label_I[clip_B], label_smoothing=0.05)
            for score, label_I in zip(scores, asked, strict=True)
        )
        return {"genre": genre, "mood": 0.5 * mood, "tempo": 0.5 * tempo}

    train(run, losses_of, "tagger")
    return run
