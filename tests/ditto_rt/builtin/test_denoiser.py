import math

import pytest
import torch

from ditto_rt.builtin.denoiser import GRID_PERIODS_BEATS, Denoiser, Jump, TagTokens, grid_GW
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
    jump = Jump(torch.tensor([0.5]), torch.tensor([0.0]), torch.tensor([2.0]))
    with torch.no_grad():
        assert network(x_BCHW, jump, tokens, grid).shape == x_BCHW.shape


def test_jump_and_guidance_say_nothing_before_training_and_something_after() -> None:
    network = Denoiser()
    x_BCHW, grid = torch.randn(3, COMPONENTS, GROUPS, 8), torch.zeros(3, 12, GROUPS, 8)
    x_BCHW[:] = x_BCHW[:1]
    tokens = network.tokens(torch.tensor([1] * 3), torch.tensor([0] * 3), torch.tensor([120.0] * 3))
    jump = Jump(torch.full((3,), 0.5), torch.tensor([0.5, 0.5, 0.0]), torch.tensor([1.0, 3.0, 1.0]))
    with torch.no_grad():
        plain = network(x_BCHW, jump, tokens, grid)
        torch.testing.assert_close(plain[1:], plain[:1].expand_as(plain[1:]))
        torch.nn.init.normal_(network.unet.class_embedding.linear_2.weight)
        made = network(x_BCHW, jump, tokens, grid)
    assert (made[1] - made[0]).abs().max() > 0.01
    assert (made[2] - made[0]).abs().max() > 0.01


def test_parameters_stay_within_twelve_million() -> None:
    assert sum(p.numel() for p in Denoiser().parameters()) <= 12e6


def _made(x_BCHW: torch.Tensor, grid_BGHW: torch.Tensor, circular: bool) -> torch.Tensor:
    torch.manual_seed(0)
    network = Denoiser()
    tokens = network.tokens(torch.tensor([1]), torch.tensor([0]), torch.tensor([120.0]))
    jump = Jump(torch.tensor([0.5]), torch.tensor([0.0]), torch.tensor([2.0]))
    with torch.no_grad():
        made: torch.Tensor = network(x_BCHW, jump, tokens, grid_BGHW, circular)
        # The flag is gone after the call.
        straight = network(x_BCHW, jump, tokens, grid_BGHW)
    assert torch.equal(made, straight) is not circular
    return made


@pytest.mark.parametrize("circular", [True, False])
def test_a_shift_round_the_circle_shifts_the_output_and_only_there(circular: bool) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    x_BCHW, grid = torch.randn(1, COMPONENTS, GROUPS, 48), torch.randn(1, 12, GROUPS, 48)
    made = _made(x_BCHW, grid, circular)
    assert made.shape == x_BCHW.shape
    turned = _made(x_BCHW.roll(12, 3), grid.roll(12, 3), circular)
    off = (turned - made.roll(12, 3)).abs().max()
    assert (off < 1e-4) if circular else (off > 1e-2)
