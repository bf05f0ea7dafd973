"""The denoiser: diffusers' UNet2DConditionModel that predicts v on the compact latent.

It reads tags as cross-attention tokens and the beat grid as extra channels, so that tempo and bar
are given and need not be guessed. It is teacher and student in one: told the time to jump to and
the guidance, it predicts the velocity of the whole jump (Frans et al. 2024, shortcut models).
B batch, C channels, G grid channels, H groups, W time, K tokens, D width of a token.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ditto_rt.builtin.latent import COMPONENTS
from ditto_rt.builtin.unet import marks, unet_class
from ditto_rt.limits import GUIDANCE
from ditto_rt.tags import GENRES, MOODS

UNet2DConditionModel = unet_class(marks())

TOKEN_WIDTH = 192
# Periods in beats: a sixteenth, an eighth, a beat, two beats, a bar of four, four bars.
GRID_PERIODS_BEATS = (0.25, 0.5, 1.0, 2.0, 4.0, 16.0)
TEMPO_OCTAVE_BPM = 60.0
JUMP_WAVES = (0.5, 1.0, 2.0, 4.0)


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


@dataclass(frozen=True)
class Jump:
    """From time t_B down to time s_B (0 to 1) with guidance w_B; s = t is the plain velocity."""

    t_B: Tensor
    s_B: Tensor
    w_B: Tensor

    def features(self) -> Tensor:
        """Return t, t - s and guidance as waves, (B, 24)."""
        strength_B = (self.w_B - GUIDANCE.low) / (GUIDANCE.high - GUIDANCE.low)
        said_B31 = torch.stack((self.t_B, self.t_B - self.s_B, strength_B), 1)[:, :, None]
        angles = math.pi * said_B31 * torch.tensor(JUMP_WAVES, device=said_B31.device)
        return torch.cat((angles.sin(), angles.cos()), 2).flatten(1)


@contextmanager
def circular_time(network: nn.Module) -> Iterator[None]:
    """Let every convolution see the end of the time axis before its start while inside.

    Attention knows no places, so the whole network then turns with its input, by whole strides
    (4 steps of a width that is a multiple of 4). Height keeps its zeros.
    """

    def reach(conv: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        assert isinstance(conv, nn.Conv2d)
        far = conv.stride[1]
        return (F.pad(inputs[0], (far, far, 0, 0), mode="circular"), *inputs[1:])

    def trim(_conv: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        # One step on each side saw the convolution's own zeros.
        return output[..., 1:-1]

    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size[1] > 1]
    hooks = [conv.register_forward_pre_hook(reach) for conv in convs]
    hooks += [conv.register_forward_hook(trim) for conv in convs]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _silence(layer: nn.Linear) -> None:
    # Jump and guidance say nothing at first: training starts from a plain denoiser.
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


class Denoiser(nn.Module):
    """UNet and tag tokens together: all that training moves."""

    def __init__(self, channels: tuple[int, ...] = (80, 128, 192)) -> None:
        """Attention sits on the two lower levels, where a step is cheap (docs/model.md)."""
        super().__init__()
        self.tokens = TagTokens()
        unet = UNet2DConditionModel(
            in_channels=COMPONENTS + 2 * len(GRID_PERIODS_BEATS),
            out_channels=COMPONENTS,
            block_out_channels=channels,
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=TOKEN_WIDTH,
            attention_head_dim=8,
            norm_num_groups=16,
            class_embed_type="projection",
            projection_class_embeddings_input_dim=3 * 2 * len(JUMP_WAVES),
        )
        self.unet = unet
        _silence(self.unet.class_embedding.linear_2)

    def forward(
        self,
        x_BCHW: Tensor,
        jump: Jump,
        tokens_BKD: Tensor,
        grid_BGHW: Tensor,
        circular: bool = False,
    ) -> Tensor:
        """Return the v (B, C, H, W) of a jump: x_s = cos(a) x_t - sin(a) v, a = (t - s) pi / 2.

        Where s = t it is alpha eps - sigma x_0, guided. With `circular` time is a circle.
        """
        with circular_time(self.unet) if circular else nullcontext():
            v_BCHW: Tensor = self.unet(
                torch.cat((x_BCHW, grid_BGHW), 1),
                jump.t_B * 1000.0,
                tokens_BKD,
                class_labels=jump.features(),
                return_dict=False,
            )[0]
        return v_BCHW
