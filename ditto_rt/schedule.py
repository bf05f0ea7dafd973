"""The variance-preserving cosine schedule and the times at which a sampler stops.

x_t = alpha(t) x_0 + sigma(t) noise, alpha = cos(pi t / 2), sigma = sin(pi t / 2) (Salimans and Ho,
"Progressive distillation", 2022, eq. 3). t = 1 is pure noise: alpha is exactly 0 there.
Shapes: S sampler steps; `...` any.
"""

from math import pi

import torch
from torch import Tensor


def alpha(t: Tensor) -> Tensor:
    """Return the share of the clean latent at time t (0 to 1)."""
    # As a sine of 1 - t, because cos(pi / 2) in floating point is not 0.
    return torch.sin((1 - t) * (pi / 2))


def sigma(t: Tensor) -> Tensor:
    """Return the share of the noise at time t (0 to 1)."""
    return torch.sin(t * (pi / 2))


def log_snr_half(t: Tensor) -> Tensor:
    """Return lambda = log(alpha / sigma): -inf at t = 1, +inf at t = 0."""
    return torch.log(alpha(t)) - torch.log(sigma(t))


def diffuse(x_0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """Return x_t, the clean latent x_0 carried to time t with the given noise."""
    return alpha(t) * x_0 + sigma(t) * noise


def times(
    steps: int,
    start: float = 1.0,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Return steps + 1 equally spaced times from `start` down to 0, both exact.

    Raises ValueError for fewer than one step or a start outside 0 (left out) to 1.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; allowed: 1 or more")
    if not 0 < start <= 1:
        raise ValueError(f"start is {start:g}; allowed: more than 0, at most 1")
    times_S = torch.arange(steps, -1, -1, dtype=torch.float64) * (start / steps)
    times_S[0] = start
    return times_S.to(dtype=dtype, device=device)
