"""The denoiser: diffusers' UNet2DConditionModel that predicts v on the compact latent.

It reads tags as cross-attention tokens and the beat grid as extra channels, so that tempo and bar
are given and need not be guessed. B batch, C channels, G grid channels, H groups, W time,
K tokens, D width of a token.
"""

import math
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from ditto_rt.builtin.latent import COMPONENTS
from ditto_rt.tags import GENRES, MOODS

TOKEN_WIDTH = 192
# Periods in beats: a sixteenth, an eighth, a beat, two beats, a bar of four, four bars.
GRID_PERIODS_BEATS = (0.25, 0.5, 1.0, 2.0, 4.0, 16.0)
TEMPO_OCTAVE_BPM = 60.0


def grid_GW(bpm: float, start_beat: float, width: int, step_s: float) -> Tensor:
    """Return sines and cosines of the beat grid at the middle of each latent step, (12, W)."""
    beats_W = start_beat + (torch.arange(width, dtype=torch.float64) + 0.5) * step_s * bpm / 60.0
    periods = torch.tensor(GRID_PERIODS_BEATS, dtype=torch.float64)
    phase = 2.0 * math.pi * beats_W / periods[:, None]
    return torch.cat((phase.sin(), phase.cos())).float()


class TagTokens(nn.Module):
    """Three tokens: genre, mood and tempo, each with a null for classifier-free guidance."""

    def __init__(self) -> None:
        """Index 0 of each table is the null."""
        super().__init__()
        self.genre = nn.Embedding(len(GENRES) + 1, TOKEN_WIDTH)
        self.mood = nn.Embedding(len(MOODS) + 1, TOKEN_WIDTH)
        self.tempo = nn.Sequential(
            nn.Linear(16, TOKEN_WIDTH), nn.SiLU(), nn.Linear(TOKEN_WIDTH, TOKEN_WIDTH)
        )
        self.no_tempo = nn.Parameter(torch.zeros(TOKEN_WIDTH))

    def forward(self, genre_B: Tensor, mood_B: Tensor, bpm_B: Tensor) -> Tensor:
        """Return tokens (B, 3, 192); indices 0 and a tempo of 0 BPM mean 'not said'."""
        octave_B1 = (bpm_B.clamp_min(1.0) / TEMPO_OCTAVE_BPM).log2()[:, None]
        angles = octave_B1 * math.pi * 2.0 ** torch.arange(-1.0, 7.0, device=bpm_B.device)
        tempo_BD = self.tempo(torch.cat((angles.sin(), angles.cos()), 1))
        tempo_BD = torch.where(bpm_B[:, None] > 0, tempo_BD, self.no_tempo)
        return torch.stack((self.genre(genre_B), self.mood(mood_B), tempo_BD), 1)


class Denoiser(nn.Module):
    """UNet and tag tokens together: all that training moves."""

    def __init__(self, channels: tuple[int, ...] = (80, 128, 192)) -> None:
        """Attention sits on the two lower levels, where a step is cheap (docs/model.md)."""
        super().__init__()
        self.tokens = TagTokens()
        self.unet: Any = UNet2DConditionModel(  # type: ignore[no-untyped-call]
            in_channels=COMPONENTS + 2 * len(GRID_PERIODS_BEATS),
            out_channels=COMPONENTS,
            block_out_channels=channels,
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=TOKEN_WIDTH,
            attention_head_dim=8,
            norm_num_groups=16,
        )

    def forward(self, x_BCHW: Tensor, t_B: Tensor, tokens_BKD: Tensor, grid_BGHW: Tensor) -> Tensor:
        """Return v = alpha eps - sigma x_0, shape (B, C, H, W), at times t_B in 0 to 1."""
        joined = torch.cat((x_BCHW, grid_BGHW), 1)
        v_BCHW: Tensor = self.unet(joined, t_B * 1000.0, tokens_BKD, return_dict=False)[0]
        return v_BCHW
