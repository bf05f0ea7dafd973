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
    spectrum_BFK = analyse(audio_BN, True, size=64)
    assert spectrum_BFK.shape == (1, 20, 33)
    torch.testing.assert_close(synthesise(spectrum_BFK, True), audio_BN, atol=1e-5, rtol=0)


def test_a_loop_has_no_first_frame() -> None:
    audio_BN = torch.randn(1, 20 * HOP, generator=torch.Generator().manual_seed(0))
    turned = analyse(audio_BN.roll(3 * HOP, 1), circular=True)
    torch.testing.assert_close(turned, analyse(audio_BN, True).roll(3, 1), atol=1e-4, rtol=0)


def test_reach_goes_round_as_often_as_it_must() -> None:
    x_BCF = torch.tensor([[[1.0, 2.0]]])
    assert reach(x_BCF, 3, circular=True)[0, 0].tolist() == [2, 1, 2, 1, 2, 1, 2, 1]
    assert reach(x_BCF, 1, circular=False)[0, 0].tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("circular", [False, True])
def test_gradients_are_those_of_finite_differences(circular: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    audio_BN = torch.randn(2, 6 * 16, generator=generator).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: analyse(x, circular, size=64), audio_BN)
    spectrum_BFK = analyse(audio_BN.detach(), circular, size=64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: synthesise(x, circular), spectrum_BFK)


def test_a_spectrum_is_that_of_the_frame_from_its_first_sample() -> None:
    audio_BN = torch.randn(1, 8 * HOP, generator=torch.Generator().manual_seed(2))
    spectrum_BFK = analyse(audio_BN, circular=False)
    frame_T = audio_BN[0, 2 * HOP : 6 * HOP] * torch.hann_window(4 * HOP)
    torch.testing.assert_close(spectrum_BFK[0, 4], torch.fft.rfft(frame_T), atol=1e-4, rtol=0)
