"""The tagger: genre, mood and tempo of a log-mel, and the embedding that distances are taken in.

A small network trained on the corpus alone (`ditto_rt.training.tagging`). It judges takes; nothing
that makes them knows it. B batch, M mel bands, F frames, D width, E embedding.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ditto_rt.builtin import weights
from ditto_rt.builtin.mel import BANDS
from ditto_rt.tags import GENRES, MOODS

WIDTH = 96
DILATIONS = (1, 2, 4, 8)
EMBEDDING = 64
# Tempo classes: this many to the octave, from 60 to 190 BPM.
LOWEST_BPM, TEMPO_STEPS = 60.0, 20
TEMPOS = 1 + math.ceil(TEMPO_STEPS * math.log2(190.0 / LOWEST_BPM))


@dataclass(frozen=True, eq=False)
class Heard:
    """What the tagger makes of clips: scores (logits) and the embedding_BE before them."""

    genre_BG: Tensor
    mood_BK: Tensor
    tempo_BT: Tensor
    embedding_BE: Tensor


def tempo_class(bpm_B: Tensor) -> Tensor:
    """Return the index of the nearest tempo class."""
    return (TEMPO_STEPS * (bpm_B / LOWEST_BPM).log2()).round().long().clamp(0, TEMPOS - 1)


class _Block(nn.Module):
    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(WIDTH, WIDTH, 9, padding=4 * dilation, dilation=dilation, groups=WIDTH)
        self.norm = nn.GroupNorm(1, WIDTH)
        self.wide = nn.Conv1d(WIDTH, 2 * WIDTH, 1)
        self.narrow = nn.Conv1d(2 * WIDTH, WIDTH, 1)

    def forward(self, x_BDF: Tensor) -> Tensor:
        update: Tensor = self.narrow(nn.functional.gelu(self.wide(self.norm(self.mix(x_BDF)))))
        return x_BDF + update


class Tagger(nn.Module):
    """Convolutions over time, then mean and deviation over time, so any length goes in."""

    mean_M: Tensor
    std_M: Tensor

    def __init__(self) -> None:
        """`mean_M` and `std_M` are the corpus's; training or a state dict fills them."""
        super().__init__()
        self.register_buffer("mean_M", torch.zeros(BANDS))
        self.register_buffer("std_M", torch.ones(BANDS))
        self.enter = nn.Conv1d(BANDS, WIDTH, 5, stride=2, padding=2)
        self.blocks = nn.Sequential(*(_Block(dilation) for dilation in DILATIONS))
        self.embed = nn.Linear(2 * WIDTH, EMBEDDING)
        self.genre = nn.Linear(EMBEDDING, len(GENRES))
        self.mood = nn.Linear(EMBEDDING, len(MOODS))
        self.tempo = nn.Linear(EMBEDDING, TEMPOS)

    def forward(self, mel_BMF: Tensor) -> Heard:
        """Listen to log-mels (B, 128, F), F of 8 or more."""
        normal_BMF = (mel_BMF - self.mean_M[:, None]) / self.std_M[:, None]
        x_BDF = self.blocks(self.enter(normal_BMF))
        pooled_BD = torch.cat((x_BDF.mean(2), x_BDF.std(2)), 1)
        embedding_BE = nn.functional.gelu(self.embed(pooled_BD))
        return Heard(
            self.genre(embedding_BE),
            self.mood(embedding_BE),
            self.tempo(embedding_BE),
            embedding_BE,
        )


def load(folder: Path = weights.FOLDER) -> Tagger:
    """Load the shipped tagger; raises NoModel where its file is not usable."""
    tagger = Tagger()
    weights.load_into(tagger, weights.TAGGER, folder)
    return tagger
