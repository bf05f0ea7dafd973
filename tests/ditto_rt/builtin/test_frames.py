import pytest
import torch

from ditto_rt.builtin.frames import analyse, reach, synthesise
from ditto_rt.builtin.mel import HOP


def _centred(spectrum_BKF: torch.Tensor) -> torch.Tensor:
    sign_K = 1.0 - 2.0 * (torch.arange(spectrum_BKF.shape[1]) % 2)
    return (spectrum_BKF * sign_K[:, None]).transpose(1, 2)


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("frames", [1, 2, 3, 40])
def test_frames_add_up_to_the_audio_they_came_from(frames: int, circular: bool) -> None:
    audio_BN = torch.randn(2, frames * HOP, generator=torch.Generator().manual_seed(frames))
    back_BN = synthesise(_centred(analyse(audio_BN, circular)), circular)
    # Three frames or fewer are less than a window: their loop is longer than what they hold.
    torch.testing.assert_close(back_BN, audio_BN, atol=1e-4, rtol=0)


def test_a_loop_has_no_first_frame() -> None:
    audio_BN = torch.randn(1, 20 * HOP, generator=torch.Generator().manual_seed(0))
    turned = analyse(audio_BN.roll(3 * HOP, 1), circular=True)
    torch.testing.assert_close(turned, analyse(audio_BN, True).roll(3, 2), atol=1e-4, rtol=0)


def test_reach_goes_round_as_often_as_it_must() -> None:
    x_BCF = torch.tensor([[[1.0, 2.0]]])
    assert reach(x_BCF, 3, circular=True)[0, 0].tolist() == [2, 1, 2, 1, 2, 1, 2, 1]
    assert reach(x_BCF, 1, circular=False)[0, 0].tolist() == [0, 1, 2, 0]
