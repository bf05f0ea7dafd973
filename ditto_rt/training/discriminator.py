"""Tells real audio from made audio by its magnitude spectra at three resolutions.

In the manner of UnivNet (Jang et al. 2021, section 2.2), narrow enough for a CPU. It hears the log
of magnitudes, so that the grain of quiet noise counts as much as a kick drum. B batch, N samples,
K bins, F frames, C channels.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from ditto_rt.training.vocoder_loss import log_magnitude_BKF

RESOLUTIONS = (2048, 1024, 512)
# Output channels, kernel and stride over bins and frames.
LAYERS = (
    (16, (5, 3), (3, 2)),
    (16, (5, 3), (2, 1)),
    (32, (3, 3), (2, 2)),
    (32, (3, 3), (1, 1)),
)
LEAK = 0.1


class Resolution(nn.Module):
    """Strided convolutions over one spectrogram."""

    def __init__(self, size: int) -> None:
        """`size` is the window's length in samples; frames begin a quarter of it apart."""
        super().__init__()
        self.size = size
        channels = (1, *(layer[0] for layer in LAYERS))
        self.convolutions = nn.ModuleList(
            weight_norm(nn.Conv2d(before, after, kernel, stride, (kernel[0] // 2, kernel[1] // 2)))
            for before, (after, kernel, stride) in zip(channels, LAYERS, strict=False)
        )
        self.score = weight_norm(nn.Conv2d(channels[-1], 1, 3, padding=1))

    def forward(self, audio_BN: Tensor) -> list[Tensor]:
        """Return what each layer answers, (B, C, K', F'); the last answer is the score."""
        x_BCKF = log_magnitude_BKF(audio_BN, self.size)[:, None] / 3.0
        answers = []
        for convolution in self.convolutions:
            x_BCKF = nn.functional.leaky_relu(convolution(x_BCKF), LEAK)
            answers.append(x_BCKF)
        return [*answers, self.score(x_BCKF)]


class Discriminator(nn.Module):
    """One `Resolution` for each window; 56,000 parameters in all."""

    def __init__(self) -> None:
        """Start at random."""
        super().__init__()
        self.resolutions = nn.ModuleList(Resolution(size) for size in RESOLUTIONS)

    def forward(self, audio_BN: Tensor) -> list[list[Tensor]]:
        """Return the answers of each resolution's layers; each last one is the score."""
        return [resolution(audio_BN) for resolution in self.resolutions]


def hinge(real: list[list[Tensor]], made: list[list[Tensor]]) -> Tensor:
    """Return the discriminator's loss: scores of real audio above 1, of made audio below -1."""
    pairs = zip(real, made, strict=True)
    return torch.stack(
        [(1 - r[-1]).relu().mean() + (1 + m[-1]).relu().mean() for r, m in pairs]
    ).mean()


def not_believed(made: list[list[Tensor]]) -> Tensor:
    """Return the generator's loss: how far from real the made audio's scores are."""
    return torch.stack([-answers[-1].mean() for answers in made]).mean()


def feature_distance(real: list[list[Tensor]], made: list[list[Tensor]]) -> Tensor:
    """Return how far the layers' answers are apart, in parts of the real ones' mean size.

    Source: Defossez et al. 2022 (EnCodec), section 3.4.
    """
    apart = [
        (r - m).abs().mean() / r.abs().mean().clamp_min(1e-6)
        for real_answers, made_answers in zip(real, made, strict=True)
        for r, m in zip(real_answers[:-1], made_answers[:-1], strict=True)
    ]
    return torch.stack(apart).mean()
