import pytest
import torch

from ditto_rt.builtin.frames import analyse, reach, synthesise
from ditto_rt.builtin.mel import HOP


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("frames", [1, 2, 3, 40])
def test_frames_add_up_to_the_audio_they_came_from(frames: int, circular: bool) -> None:
    audio_BN = torch.randn(2, frames * HOP, generator=torch.Generator().manual_seed(frames))
    back_BN = synthesise(analyse(audio_BN, circular), circular)
    torch.testing.assert_close(back_BN, audio_BN, atol=1e-4, rtol=0)


def test_smaller_frames_hold_a_slower_signal() -> None:
    audio_BN = torch.randn(1, 20 * 16, generator=torch.Generator().manual_seed(1))
    spectrum_BKF = analyse(audio_BN, True, size=64)
    assert spectrum_BKF.shape == (1, 33, 20)
    torch.testing.assert_close(synthesise(spectrum_BKF, True), audio_BN, atol=1e-5, rtol=0)


def test_a_loop_has_no_first_frame() -> None:
    audio_BN = torch.randn(1, 20 * HOP, generator=torch.Generator().manual_seed(0))
    turned = analyse(audio_BN.roll(3 * HOP, 1), circular=True)
    torch.testing.assert_close(turned, analyse(audio_BN, True).roll(3, 2), atol=1e-4, rtol=0)


def test_reach_goes_round_as_often_as_it_must() -> None:
    x_BCF = torch.tensor([[[1.0, 2.0]]])
    assert reach(x_BCF, 3, circular=True)[0, 0].tolist() == [2, 1, 2, 1, 2, 1, 2, 1]
    assert reach(x_BCF, 1, circular=False)[0, 0].tolist() == [0, 1, 2, 0]
