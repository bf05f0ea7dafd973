"""The schedule: exact ends, variance preserved, times that reach them."""

from math import cos, pi, sin

import pytest
import torch

from ditto_rt.schedule import alpha, diffuse, log_snr_half, sigma, times


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_ends_are_exact(dtype: torch.dtype) -> None:
    ends = torch.tensor([0.0, 1.0], dtype=dtype)
    assert alpha(ends).tolist() == [1.0, 0.0]
    assert sigma(ends).tolist() == [0.0, 1.0]


def test_variance_is_preserved() -> None:
    t = torch.linspace(0, 1, 101, dtype=torch.float64)
    assert torch.allclose(alpha(t) ** 2 + sigma(t) ** 2, torch.ones_like(t), atol=1e-15)


def test_it_is_the_trigonometric_schedule() -> None:
    t = torch.tensor(0.3, dtype=torch.float64)
    assert alpha(t).item() == pytest.approx(cos(0.15 * pi), abs=1e-15)
    assert sigma(t).item() == pytest.approx(sin(0.15 * pi), abs=1e-15)


def test_log_snr_falls_from_infinity_to_minus_infinity() -> None:
    values = log_snr_half(torch.linspace(0, 1, 11))
    assert values[0] == torch.inf and values[-1] == -torch.inf
    assert (values.diff() < 0).all()


def test_diffused_unit_latents_keep_unit_variance() -> None:
    generator = torch.Generator().manual_seed(0)
    x_0, noise = torch.randn(2, 100_000, generator=generator)
    for t in (0.1, 0.5, 0.9):
        assert diffuse(x_0, noise, torch.tensor(t)).var().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("steps", [1, 3, 7, 20, 1000])
def test_times_fall_evenly_to_zero(steps: int) -> None:
    grid = times(steps, start=0.7, dtype=torch.float64)
    assert len(grid) == steps + 1
    assert grid[0] == 0.7 and grid[-1] == 0
    assert torch.allclose(grid.diff(), torch.full((steps,), -0.7 / steps, dtype=torch.float64))


@pytest.mark.parametrize(("steps", "start"), [(0, 1.0), (-1, 1.0), (4, 0.0), (4, 1.5)])
def test_impossible_times_are_refused(steps: int, start: float) -> None:
    with pytest.raises(ValueError, match="allowed: "):
        times(steps, start)
