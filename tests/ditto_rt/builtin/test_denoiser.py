import math

import pytest
import torch

from ditto_rt.builtin.denoiser import GRID_PERIODS_BEATS, Denoiser, TagTokens, grid_GW
from ditto_rt.builtin.latent import COMPONENTS, GROUPS


def test_grid_turns_once_in_each_period() -> None:
    # 120 bpm and steps of an eighth of a second: a beat is four steps.
    grid = grid_GW(120.0, 0.0, 64, 0.125)
    beat = GRID_PERIODS_BEATS.index(1.0)
    torch.testing.assert_close(grid[beat, :60], grid[beat, 4:], atol=1e-4, rtol=0)
    assert grid[beat, 0] == pytest.approx(math.sin(2 * math.pi * 0.125), abs=1e-5)


def test_grid_of_a_later_start_is_the_same_grid_shifted() -> None:
    whole, late = grid_GW(90.0, 0.0, 50, 0.05), grid_GW(90.0, 20 * 0.05 * 1.5, 30, 0.05)
    torch.testing.assert_close(whole[:, 20:], late, atol=1e-4, rtol=0)


def test_tokens_tell_tags_and_tempo_apart_and_null_is_the_same_for_all() -> None:
    tokens = TagTokens()
    genre_B, mood_B = torch.tensor([1, 2, 0, 0]), torch.tensor([1, 1, 0, 0])
    made = tokens(genre_B, mood_B, torch.tensor([120.0, 121.0, 0.0, 0.0]))
    assert (made[0, 0] - made[1, 0]).abs().max() > 0.1
    assert (made[0, 2] - made[1, 2]).abs().max() > 1e-4
    torch.testing.assert_close(made[2], made[3])


@pytest.mark.parametrize("width", [43, 60, 101])
def test_any_length_goes_through(width: int) -> None:
    torch.set_num_threads(1)
    network = Denoiser()
    x_BCHW = torch.randn(1, COMPONENTS, GROUPS, width)
    grid = grid_GW(120.0, 0.0, width, 0.046)[None, :, None].expand(-1, -1, GROUPS, -1)
    tokens = network.tokens(torch.tensor([1]), torch.tensor([0]), torch.tensor([120.0]))
    with torch.no_grad():
        assert network(x_BCHW, torch.tensor([0.5]), tokens, grid).shape == x_BCHW.shape


def test_parameters_stay_within_twelve_million() -> None:
    assert sum(p.numel() for p in Denoiser().parameters()) <= 12e6
