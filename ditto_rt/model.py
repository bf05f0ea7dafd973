"""The one door to a generative model: samplers, controls and the daemon know nothing else.

Shapes: B batch, C channels, H height (frequency), W width (time), N samples, K tokens, D width.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ditto_rt.tags import Tags


@dataclass(frozen=True)
class Conditioning:
    """What a clip is asked to be, as tensors.

    tokens_BKD: tags for cross-attention. grid_BGHW: the beat grid, laid along the latent's time.
    """

    tokens_BKD: Tensor
    grid_BGHW: Tensor


class Model(Protocol):
    """A frozen diffusion model, differentiable from waveform to x_T.

    The clean latent has unit variance; noise is added as x_t = alpha(t) x_0 + sigma(t) eps with
    alpha = cos(pi t / 2), sigma = sin(pi t / 2), so t = 1 is pure noise (zero terminal SNR).
    """

    @property
    def name(self) -> str:
        """Short name for reports."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the audio it reads and makes."""

    @property
    def latent_hop(self) -> int:
        """Audio samples for each step of the latent's last axis."""

    def latent_shape(self, samples: int) -> tuple[int, int, int]:
        """Return (C, H, W) of the smallest latent that covers `samples` of audio."""

    def condition(self, tags: Tags, bpm: float, start_beat: float, width: int) -> Conditioning:
        """Return the conditioning of one clip (B = 1) of `width` latent steps.

        The clip begins `start_beat` beats after beat one of a bar.
        """

    def unconditioned(self, cond: Conditioning) -> Conditioning:
        """Return the same clip without its tags, for classifier-free guidance."""

    def denoise(self, x_BCHW: Tensor, t: Tensor, cond: Conditioning) -> Tensor:
        """Return the estimate of x_0, shape (B, C, H, W), from x_t at time t (0-dim, 0 to 1)."""

    def encode(self, audio_BN: Tensor) -> Tensor:
        """Return x_0 (B, C, H, W) of audio at the model's rate; the end is padded with silence."""

    def decode(self, x0_BCHW: Tensor) -> Tensor:
        """Return audio (B, N) with N = W * latent_hop; the gradient goes through."""


@runtime_checkable
class JumpModel(Model, Protocol):
    """A model that learned to be guided and to jump, so that a sampler step is one plain call.

    Others are guided by two calls, and step with the estimate at t alone.
    """

    def jump(
        self, x_BCHW: Tensor, t: Tensor, s: Tensor, cond: Conditioning, guidance: float
    ) -> Tensor:
        """Return the x_0 (B, C, H, W) with which a DDIM step from t ends where the path is at s.

        At s = t that is the guided estimate of x_0. t and s are 0-dim, s at most t; `guidance`
        lies in `limits.GUIDANCE`.
        """
