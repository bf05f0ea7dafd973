"""One batch that trains teacher and student together: data, guidance, and jumps.

Rows of a batch have three kinds. Data rows learn the velocity (s = t, no guidance). Guidance rows
learn what two calls would give, so that one call is enough (Meng et al. 2023, "On distillation of
guided diffusion models"). Jump rows learn that one jump is two jumps of half its length (Frans et
al. 2024, "One step diffusion via shortcut models"), guided. On the cosine schedule a jump from t to
s is a rotation by a = (t - s) pi / 2: x_s = cos(a) x_t - sin(a) v.
B batch, C channels, H groups, W latent steps.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ditto_rt.builtin.denoiser import Denoiser, Jump
from ditto_rt.limits import GUIDANCE
from ditto_rt.training.latents import Batch

# Of 16 rows: data, guidance, and the rest for jumps.
DATA_SHARE, GUIDANCE_SHARE = 0.5, 0.1875
# What is asked for most: half of the guided rows have it.
USUAL_GUIDANCE = 2.0
# Whole halves down to here are one jump; below it the velocity itself is the jump.
SHORTEST_JUMP = 1.0 / 32.0
# How often the sampler's own 1, 2, 4 and 8 steps are drawn; the rest are jumps of any length.
GRID_STEPS, GRID_ODDS, GRID_SHARE = (1, 2, 4, 8), (0.35, 0.3, 0.2, 0.15), 0.65


@dataclass(frozen=True)
class Row:
    """Noisy latents and all that the network reads beside them."""

    x_BCHW: Tensor
    tokens_BKD: Tensor
    grid_BGHW: Tensor

    def part(self, rows: slice) -> "Row":
        """Return some of the rows."""
        return Row(self.x_BCHW[rows], self.tokens_BKD[rows], self.grid_BGHW[rows])


def part(jump: Jump, rows: slice) -> Jump:
    """Return the jumps of some rows."""
    return Jump(jump.t_B[rows], jump.s_B[rows], jump.w_B[rows])


def draw_times(size: int) -> Tensor:
    """Draw times in 0 to 1: mostly logit-normal, some uniform so that the ends are learned."""
    logit = torch.sigmoid(0.4 + 1.2 * torch.randn(size))
    return torch.where(torch.rand(size) < 0.75, logit, torch.rand(size))


def draw_guidance(size: int) -> Tensor:
    """Draw guidance: half of the time the usual one, else anything in the range."""
    any_B = GUIDANCE.low + (GUIDANCE.high - GUIDANCE.low) * torch.rand(size)
    return torch.where(torch.rand(size) < 0.5, torch.tensor(USUAL_GUIDANCE), any_B)


def draw_jumps(size: int) -> tuple[Tensor, Tensor]:
    """Draw (t_B, s_B), t > s: mostly steps of a sampler with 1, 2, 4 or 8, else of any length."""
    steps_B = torch.tensor(GRID_STEPS)[
        torch.multinomial(torch.tensor(GRID_ODDS), size, replacement=True)
    ]
    place_B = torch.floor(torch.rand(size) * steps_B)
    free_t_B = torch.sqrt(torch.rand(size)).clamp_min(SHORTEST_JUMP)
    free_s_B = free_t_B * torch.rand(size)
    on_grid_B = torch.rand(size) < GRID_SHARE
    t_B = torch.where(on_grid_B, 1.0 - place_B / steps_B, free_t_B)
    return t_B, torch.where(on_grid_B, 1.0 - (place_B + 1.0) / steps_B, free_s_B)


def draw_plan(size: int) -> tuple[Jump, int, int]:
    """Draw one jump for each row; return them with the ends of the data and guidance rows."""
    data = round(DATA_SHARE * size)
    guided = data + round(GUIDANCE_SHARE * size)
    t_B, w_B = draw_times(size), draw_guidance(size)
    s_B = t_B.clone()
    w_B[:data] = GUIDANCE.low
    t_B[guided:], s_B[guided:] = draw_jumps(size - guided)
    return Jump(t_B, s_B, w_B), data, guided


def angle_B111(t_B: Tensor, s_B: Tensor | float = 0.0) -> Tensor:
    """Return the angle of the rotation from t to s, shaped to multiply latents."""
    return (0.5 * math.pi * (t_B - s_B))[:, None, None, None]


def rotate(x_BCHW: Tensor, v_BCHW: Tensor, angle: Tensor) -> Tensor:
    """Return x_s = cos(a) x_t - sin(a) v."""
    return angle.cos() * x_BCHW - angle.sin() * v_BCHW


def guided_velocity(network: Denoiser, row: Row, jump: Jump, null_1KD: Tensor) -> Tensor:
    """Return v_null + w (v_tagged - v_null) at s = t (Ho and Salimans 2022, eq. 6)."""
    t_B, plain_B = torch.cat((jump.t_B, jump.t_B)), torch.ones_like(jump.t_B).repeat(2)
    x, grid = (torch.cat((one, one)) for one in (row.x_BCHW, row.grid_BGHW))
    tokens = torch.cat((row.tokens_BKD, null_1KD.expand_as(row.tokens_BKD)))
    v_BCHW: Tensor = network(x, Jump(t_B, t_B, plain_B), tokens, grid)
    tagged, free = v_BCHW.chunk(2)
    return free + jump.w_B[:, None, None, None] * (tagged - free)


def two_halves(network: Denoiser, row: Row, jump: Jump) -> Tensor:
    """Return the v of the jump that two jumps of half its length make."""
    middle_B = 0.5 * (jump.t_B + jump.s_B)
    half = angle_B111(jump.t_B, middle_B)
    # A jump too short to be halved has the velocity's own direction: s = t there.
    short_B = jump.t_B - middle_B < SHORTEST_JUMP
    first = Jump(jump.t_B, torch.where(short_B, jump.t_B, middle_B), jump.w_B)
    second = Jump(middle_B, torch.where(short_B, middle_B, jump.s_B), jump.w_B)
    v_first: Tensor = network(row.x_BCHW, first, row.tokens_BKD, row.grid_BGHW)
    x_middle = rotate(row.x_BCHW, v_first, half)
    v_second: Tensor = network(x_middle, second, row.tokens_BKD, row.grid_BGHW)
    # (cos(2h) x_t - x_s) / sin(2h), written so that nothing is divided by a small sine.
    return 0.5 * (v_first - half.tan() * row.x_BCHW + v_second / half.cos())


def losses(network: Denoiser, teacher: Denoiser, batch: Batch) -> dict[str, Tensor]:
    """Return the squared error of v of each kind of rows: data, guidance, jump.

    The targets of guidance and jumps are the teacher's, the network's running average: its own
    would be chased while they move, and guidance multiplies their noise.
    """
    size, device = len(batch.x0_BCHW), batch.x0_BCHW.device
    drawn, data, guided = draw_plan(size)
    jump = Jump(drawn.t_B.to(device), drawn.s_B.to(device), drawn.w_B.to(device))
    angle = angle_B111(jump.t_B)
    noise = torch.randn_like(batch.x0_BCHW)
    tags = batch.genre_B, batch.mood_B, batch.bpm_B
    noisy = angle.cos() * batch.x0_BCHW + angle.sin() * noise
    row = Row(noisy, network.tokens(*tags), batch.grid_BGHW)
    target = angle.cos() * noise - angle.sin() * batch.x0_BCHW
    of_guidance, of_jumps = slice(data, guided), slice(guided, size)
    with torch.no_grad():
        none = torch.zeros(1, dtype=torch.long, device=device)
        null_1KD = teacher.tokens(none, none, torch.zeros(1, device=device))
        taught = Row(row.x_BCHW, teacher.tokens(*tags), row.grid_BGHW)
        target[of_guidance] = guided_velocity(
            teacher, taught.part(of_guidance), part(jump, of_guidance), null_1KD
        )
        target[of_jumps] = two_halves(teacher, taught.part(of_jumps), part(jump, of_jumps))
    made: Tensor = network(row.x_BCHW, jump, row.tokens_BKD, row.grid_BGHW)
    error_B = (made - target).square().mean((1, 2, 3))
    kinds = {"data": slice(0, data), "guidance": of_guidance, "jump": of_jumps}
    return {name: error_B[rows].mean() for name, rows in kinds.items()}
