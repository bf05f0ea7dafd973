"""What teaches guidance and jumps, on networks whose jumps are known in closed form.

For data N(mean, deviation^2) a point keeps its place among the deviations of its time.
"""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ditto_rt.builtin.denoiser import Jump
from ditto_rt.training.distil import (
    SHORTEST_JUMP,
    Row,
    angle_B111,
    draw_guidance,
    draw_jumps,
    draw_plan,
    guided_velocity,
    losses,
    rotate,
    two_halves,
)
from ditto_rt.training.latents import Batch

MEAN, DEVIATION, SHAPE = 0.5, 0.6, (2, 4, 9)


class _Exact(nn.Module):
    """Jumps as Gaussian data ask for it; the tags' first number moves the mean."""

    def tokens(self, genre_B: Tensor, mood_B: Tensor, bpm_B: Tensor) -> Tensor:
        return (genre_B + mood_B + bpm_B)[:, None, None].double()

    def forward(self, x: Tensor, jump: Jump, tokens_BKD: Tensor, grid_BGHW: Tensor) -> Tensor:
        angle, end = angle_B111(jump.t_B), angle_B111(jump.s_B)
        mean = MEAN + jump.w_B[:, None, None, None] * tokens_BKD[:, :1, :, None]
        turn = angle - end

        def spread(at: Tensor) -> Tensor:
            return torch.sqrt((at.cos() * DEVIATION).square() + at.sin().square())

        x_s = end.cos() * mean + spread(end) * (x - angle.cos() * mean) / spread(angle)
        plain = (x - angle.cos() * mean) * angle.cos() * angle.sin() * (1 - DEVIATION**2)
        plain = plain / spread(angle).square() - angle.sin() * mean
        jumped = (turn.cos() * x - x_s) / turn.sin().clamp_min(1e-9)
        return torch.where(turn > 1e-6, jumped, plain)


def _batch(size: int, said: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(size, *SHAPE, generator=generator, dtype=torch.float64)
    tag_B = torch.full((size,), said)
    return Batch(
        MEAN + said + DEVIATION * noise,
        torch.zeros(size, 12, *SHAPE[1:]),
        tag_B,
        0 * tag_B,
        0.0 * tag_B,
    )


def test_jumps_lead_down_within_the_times_and_hold_those_of_few_steps() -> None:
    torch.manual_seed(0)
    t_B, s_B = draw_jumps(5000)
    assert (s_B >= 0).all() and (t_B <= 1).all() and (s_B < t_B).all()
    for t, s in ((1.0, 0.0), (1.0, 0.5), (0.5, 0.0), (0.25, 0.0)):
        assert ((t_B == t) & (s_B == s)).float().mean() > 0.02
    drawn = draw_guidance(5000)
    assert drawn.min() >= 1 and drawn.max() <= 4 and 0.4 < (drawn == 2).float().mean() < 0.6


def test_the_plan_of_a_batch_has_data_guided_and_jumping_rows() -> None:
    torch.manual_seed(0)
    jump, data, guided = draw_plan(16)
    assert (data, guided) == (8, 11)
    assert (jump.w_B[:data] == 1).all() and (jump.s_B[:guided] == jump.t_B[:guided]).all()
    assert (jump.s_B[guided:] < jump.t_B[guided:]).all()


@pytest.mark.parametrize(("t", "s"), [(1.0, 0.0), (0.9, 0.2), (0.5, 0.375), (0.03, 0.0)])
def test_two_halves_end_where_two_jumps_end(t: float, s: float) -> None:
    network, batch = _Exact(), _batch(3, 0)
    t_B, s_B = torch.full((3,), t).double(), torch.full((3,), s).double()
    jump = Jump(t_B, s_B, torch.ones(3).double())
    row = Row(batch.x0_BCHW, network.tokens(*[batch.mood_B] * 3), batch.grid_BGHW)
    turned = rotate(row.x_BCHW, two_halves(network, row, jump), angle_B111(t_B, s_B))
    exact = network(row.x_BCHW, jump, row.tokens_BKD, row.grid_BGHW)
    asked = rotate(row.x_BCHW, exact, angle_B111(t_B, s_B))
    # Halves of the exact jump are exact; the shortest ones follow the velocity instead.
    close = 1e-9 if t - s >= 2 * SHORTEST_JUMP else 5e-3
    torch.testing.assert_close(turned, asked, atol=close, rtol=0)


def test_guidance_is_the_sum_of_two_calls() -> None:
    network, batch = _Exact(), _batch(4, 1)
    t_B, w_B = torch.linspace(0.1, 1, 4).double(), torch.tensor([1.0, 2.0, 3.0, 4.0]).double()
    tokens = network.tokens(batch.genre_B, batch.mood_B, batch.bpm_B)
    row = Row(batch.x0_BCHW, tokens, batch.grid_BGHW)
    made = guided_velocity(network, row, Jump(t_B, t_B, w_B), 0 * tokens[:1])
    plain = Jump(t_B, t_B, torch.ones(4).double())
    tagged, free = (network(row.x_BCHW, plain, one, row.grid_BGHW) for one in (tokens, 0 * tokens))
    torch.testing.assert_close(made, free + w_B[:, None, None, None] * (tagged - free))
    torch.testing.assert_close(made[0], tagged[0])


def test_a_network_that_jumps_and_is_guided_exactly_has_nothing_to_learn_but_the_data() -> None:
    torch.manual_seed(0)
    network = _Exact()
    found = [losses(network, network, _batch(16, 0)) for _ in range(30)]
    mean = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    assert mean["guidance"] < 1e-12
    assert mean["jump"] < 1e-4
    # What no network can know of v: the spread of x_0 and noise where their sum is known.
    assert 0.3 < mean["data"] < 1.0


def test_targets_are_the_teachers_and_carry_no_gradient() -> None:
    torch.manual_seed(0)

    class Off(_Exact):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(()).double())

        def forward(self, *inputs: object) -> Tensor:
            return super().forward(*inputs) + self.bias  # type: ignore[arg-type]

    network, teacher = Off(), Off()
    with torch.no_grad():
        teacher.bias.fill_(math.sqrt(0.01))
    parts = losses(network, teacher, _batch(16, 0))  # type: ignore[arg-type]
    assert parts["guidance"].item() == pytest.approx(0.01, rel=1e-3)
    sum(parts.values()).backward()  # type: ignore[union-attr]
    assert network.bias.grad is not None and teacher.bias.grad is None
