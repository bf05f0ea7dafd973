import pytest
import torch

from ditto_rt.builtin import latent
from ditto_rt.builtin.mel import BANDS


@pytest.fixture(scope="module")
def fitted() -> tuple[latent.Latent, torch.Tensor, float]:
    torch.manual_seed(0)
    # Smooth in time and frequency, as music is: noise through a moving mean.
    rough = torch.randn(1, 1, BANDS, 4000)
    mel_BMF = 2.0 * torch.nn.functional.avg_pool2d(rough, 9, 1, 4)[:, 0] - 1.0
    codec = latent.Latent()
    return codec, mel_BMF, codec.fit(mel_BMF)


def test_latents_have_unit_variance(fitted: tuple[latent.Latent, torch.Tensor, float]) -> None:
    codec, mel_BMF, _ = fitted
    variance_H = codec.encode(mel_BMF).var(dim=(0, 1, 3))
    torch.testing.assert_close(variance_H, torch.ones(latent.GROUPS), atol=0.02, rtol=0)


def test_what_is_lost_is_what_fit_reports(
    fitted: tuple[latent.Latent, torch.Tensor, float],
) -> None:
    codec, mel_BMF, kept = fitted
    wrong = (codec.decode(codec.encode(mel_BMF)) - mel_BMF) / codec.std_M[:, None]
    assert float(wrong.square().mean()) == pytest.approx(1.0 - kept, abs=0.01)


def test_decode_then_encode_is_the_identity(
    fitted: tuple[latent.Latent, torch.Tensor, float],
) -> None:
    codec, _, _ = fitted
    x0_BCHW = torch.randn(2, latent.COMPONENTS, latent.GROUPS, 11)
    torch.testing.assert_close(codec.encode(codec.decode(x0_BCHW)), x0_BCHW, atol=1e-3, rtol=0)
