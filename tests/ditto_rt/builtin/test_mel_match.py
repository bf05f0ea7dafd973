import pytest
import torch

from ditto_rt.builtin.mel import BANDS, HOP, log_mel_BMF
from ditto_rt.builtin.mel_match import MOST, match_mel

FRAMES = 24


def _noise(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(1, FRAMES * HOP, generator=generator)


def _slope() -> torch.Tensor:
    # Smooth over bands and time, as music's mel is; at most 1 nat.
    bands, frames = torch.meshgrid(torch.arange(BANDS), torch.arange(FRAMES), indexing="ij")
    return (bands / 20.0 + frames / 4.0).sin()[None]


def test_audio_that_has_the_mel_already_stays() -> None:
    audio_BN = _noise(0)
    torch.testing.assert_close(
        match_mel(audio_BN, log_mel_BMF(audio_BN), circular=False), audio_BN, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("circular", [False, True])
def test_the_mel_comes_nearer_by_two_thirds(circular: bool) -> None:
    audio_BN = _noise(1)
    asked_BMF = log_mel_BMF(audio_BN) + _slope()
    made_BMF = log_mel_BMF(match_mel(audio_BN, asked_BMF, circular))
    inside = slice(2, -2)
    before = _slope()[..., inside].abs().mean()
    assert (made_BMF - asked_BMF)[..., inside].abs().mean() < before / 3


def test_no_bin_moves_further_than_the_limit() -> None:
    audio_BN = _noise(2)
    loud_BN = match_mel(audio_BN, log_mel_BMF(audio_BN) + 10.0, circular=False)
    # What lies above the highest band stays as it was.
    assert 0.9 < loud_BN.std() / (audio_BN.std() * torch.e**MOST) < 1.0


def test_a_turned_loop_gives_the_same_turned() -> None:
    audio_BN = _noise(3)
    asked_BMF = log_mel_BMF(audio_BN) + _slope()
    turned_BN = match_mel(audio_BN.roll(7 * HOP, 1), asked_BMF.roll(7, 2), circular=True)
    straight_BN = match_mel(audio_BN, asked_BMF, circular=True)
    torch.testing.assert_close(turned_BN, straight_BN.roll(7 * HOP, 1), atol=1e-5, rtol=0)


def test_gradients_are_those_of_finite_differences() -> None:
    audio_BN = _noise(4).double().requires_grad_()
    asked_BMF = (log_mel_BMF(audio_BN.detach()) + _slope()).requires_grad_()
    generator = torch.Generator().manual_seed(5)
    ways = [torch.randn(x.shape, generator=generator).double() for x in (audio_BN, asked_BMF)]

    def value(step: float) -> torch.Tensor:
        moved = match_mel(audio_BN + step * ways[0], asked_BMF + step * ways[1], False)
        return moved.pow(4).sum()

    slopes = torch.autograd.grad(value(0.0), (audio_BN, asked_BMF))
    along = sum((slope * way).sum() for slope, way in zip(slopes, ways, strict=True))
    with torch.no_grad():
        between = (value(1e-6) - value(-1e-6)) / 2e-6
    torch.testing.assert_close(along, between, rtol=1e-4, atol=0)
