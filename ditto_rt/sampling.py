"""Samplers as pure steps, and the map from x_T to x_0 that the optimiser differentiates.

A denoiser is any callable (x_BCHW, t, s) -> x_0 estimate of the same shape: s is the time that a
DDIM step with the estimate leads to, for models that learned jumps; others leave it aside. Where
s = t it is the estimate of x_0 itself. No step keeps state: a scheduler with a counter inside a
checkpointed region recomputes with the wrong sigma and gives a wrong gradient without a sign.
Shapes: B batch, C channels, H height, W width (time), S sampler steps.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from ditto_rt.model import Conditioning, JumpModel, Model
from ditto_rt.schedule import alpha, diffuse, log_snr_half, sigma

Denoise = Callable[[Tensor, Tensor, Tensor], Tensor]
Sampler = Literal["ddim", "dpmpp_2m", "ddpm"]


def ddim_step(
    x: Tensor, x_0: Tensor, t: Tensor, s: Tensor, eta: float = 0.0, noise: Tensor | None = None
) -> Tensor:
    """Step from time t to s by DDIM (Song et al. 2021, eq. 12 and 16); x_0 is the estimate at t.

    eta scales the fresh noise: 0 is deterministic, 1 is ancestral sampling. Also runs upwards
    (s > t > 0) with eta = 0. Raises ValueError where eta asks for noise and none is given.
    """
    # The noise that x_0 leaves; at t = 1 it is x itself, whatever the estimate.
    eps = (x - alpha(t) * x_0) / sigma(t)
    if eta == 0:
        return alpha(s) * x_0 + sigma(s) * eps
    if noise is None:
        raise ValueError(f"eta is {eta:g} without noise; allowed: 0, or noise of the shape of x")
    fresh = eta * sigma(s) / sigma(t) * torch.sqrt(1 - (alpha(t) / alpha(s)) ** 2)
    kept = torch.sqrt((sigma(s) ** 2 - fresh**2).clamp_min(0))
    return alpha(s) * x_0 + kept * eps + fresh * noise


def ddpm_step(x: Tensor, x_0: Tensor, t: Tensor, s: Tensor, noise: Tensor) -> Tensor:
    """Draw x_s from the posterior q(x_s | x_t, x_0) (Ho et al. 2020, eq. 6 and 7)."""
    return ddim_step(x, x_0, t, s, eta=1.0, noise=noise)


def dpmpp_2m_step(
    x: Tensor, x_0: Tensor, old_x_0: Tensor | None, t: Tensor, s: Tensor, t_old: Tensor
) -> Tensor:
    """Step from t to s by DPM-Solver++ 2M (Lu et al. 2022, Algorithm 2).

    old_x_0 is the estimate at t_old, the time before t; None for the first step. Where a log-SNR
    is infinite (t_old = 1 or s = 0) the step is of first order, so s = 0 returns x_0 itself.
    """
    # exp(lambda_t - lambda_s) written as a ratio of alphas and sigmas: finite at both ends.
    shrink = sigma(s) / sigma(t)
    estimate = x_0
    if old_x_0 is not None:
        h, h_old = log_snr_half(s) - log_snr_half(t), log_snr_half(t) - log_snr_half(t_old)
        # Infinities and their quotient are the two ends: there the correction is left out.
        half_ratio = torch.nan_to_num(h / (2 * h_old), nan=0.0, posinf=0.0, neginf=0.0)
        estimate = x_0 + half_ratio * (x_0 - old_x_0)
    return shrink * x + (alpha(s) - alpha(t) * shrink) * estimate


def threshold(x_0: Tensor, percentile: float | None = 0.995, limit: float = 8.0) -> Tensor:
    """Rein in an overdriven estimate by dynamic thresholding (Saharia et al. 2022, section 2.3).

    Each clip's values are cut at that percentile of their magnitudes and scaled down to `limit`
    deviations, if the percentile lies above it; other clips only lose what lies above `limit`.
    None leaves x_0 as it is.
    """
    if percentile is None:
        return x_0
    magnitudes = x_0.flatten(1).abs()
    bound = torch.quantile(magnitudes, percentile, dim=1).clamp_min(limit).view(-1, 1, 1, 1)
    return torch.clamp(x_0, -bound, bound) * (limit / bound)


def guided(
    model: Model,
    cond: Conditioning,
    guidance: float,
    percentile: float | None = None,
    apart: bool = False,
) -> Denoise:
    """Return a denoiser that follows the tags as strictly as `guidance` says; 1 is no guidance.

    A model that learned guidance and jumps is called once. Any other gets classifier-free guidance
    (Ho and Salimans 2022, eq. 6) on x_0, from one call on a doubled batch or, to spare memory,
    `apart`, from two: on x_0 rather than on the noise, which says nothing at t = 1 where alpha is
    0. `cond` is of one clip; a batch of latents shares it. `percentile` turns dynamic thresholding
    on.
    """

    def folded(x_BCHW: Tensor, t: Tensor, s: Tensor) -> Tensor:
        assert isinstance(model, JumpModel)
        shared = _repeat((cond,), len(x_BCHW))
        return threshold(model.jump(x_BCHW, t, s, shared, guidance), percentile)

    def plain(x_BCHW: Tensor, t: Tensor, _s: Tensor) -> Tensor:
        shared = _repeat((cond,), len(x_BCHW))
        return threshold(model.denoise(x_BCHW, t, shared), percentile)

    def doubled(x_BCHW: Tensor, t: Tensor, _s: Tensor) -> Tensor:
        both = _repeat((cond, model.unconditioned(cond)), len(x_BCHW))
        tagged, free = model.denoise(torch.cat([x_BCHW, x_BCHW]), t, both).chunk(2)
        return threshold(free + guidance * (tagged - free), percentile)

    def two_calls(x_BCHW: Tensor, t: Tensor, _s: Tensor) -> Tensor:
        tagged, free = (
            model.denoise(x_BCHW, t, _repeat((one,), len(x_BCHW)))
            for one in (cond, model.unconditioned(cond))
        )
        return threshold(free + guidance * (tagged - free), percentile)

    if isinstance(model, JumpModel):
        return folded
    if guidance == 1:
        return plain
    return two_calls if apart else doubled


def holding(denoise: Denoise, known_BCHW: Tensor, mask_W: Tensor) -> Denoise:
    """Return a denoiser that knows x_0 where mask_W is 1 and estimates the rest beside it.

    A deterministic sampler then walks the known part down from its own noise, and the denoiser
    sees it at each step (replacement: Song et al. 2021, Score-Based Generative Modeling, app. I.2).
    """

    def held(x_BCHW: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return torch.where(mask_W > 0, known_BCHW, denoise(x_BCHW, t, s))

    return held


def _repeat(conds: tuple[Conditioning, ...], batch: int) -> Conditioning:
    return Conditioning(
        tokens_BKD=torch.cat([one.tokens_BKD for one in conds]).repeat_interleave(batch, dim=0),
        grid_BGHW=torch.cat([one.grid_BGHW for one in conds]).repeat_interleave(batch, dim=0),
    )


def draw_noise(x_T: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Return noise_SBCHW for `steps` stochastic steps, drawn from a CPU generator.

    On the CPU, so that the same seed gives the same noise on every device.
    """
    noise_SBCHW = torch.randn(steps, *x_T.shape, generator=generator, dtype=torch.float32)
    return noise_SBCHW.to(device=x_T.device, dtype=x_T.dtype)


def _update(
    sampler: Sampler,
    eta: float,
    x: Tensor,
    estimates: tuple[Tensor, Tensor | None],
    clock: tuple[Tensor, Tensor, Tensor],
    noise: Tensor | None,
) -> Tensor:
    (x_0, old_x_0), (t_old, t, s) = estimates, clock
    if sampler == "dpmpp_2m":
        return dpmpp_2m_step(x, x_0, old_x_0, t, s, t_old)
    return ddim_step(x, x_0, t, s, 1.0 if sampler == "ddpm" else eta, noise)


def _advance(
    denoise: Denoise,
    sampler: Sampler,
    eta: float,
    clock: tuple[Tensor, Tensor, Tensor],
    noise: Tensor | None,
    x: Tensor,
    old_x_0: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    # One model call and one update, pure in its tensors, so that it can be run again. Only a plain
    # DDIM step is a jump: the others correct the path themselves, or leave it, from x_0.
    _, t, s = clock
    x_0 = denoise(x, t, s if sampler == "ddim" and eta == 0 else t)
    return _update(sampler, eta, x, (x_0, old_x_0), clock, noise), x_0


class _Recomputed(torch.autograd.Function):
    """Runs a pure function of tensors without a graph, and again with one in the backward pass.

    torch.utils.checkpoint gives the same gradient, but its non-reentrant form keeps the nodes of
    every step's graph (0.8 MiB a step with a UNet of 10 M parameters: memory doubles from 5 to 50
    steps), and its reentrant form refuses torch.autograd.grad.
    """

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Any], *tensors: Tensor) -> Any:
        ctx.function = function
        ctx.save_for_backward(*tensors)
        return function(*tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        tensors = [tensor.detach().requires_grad_() for tensor in ctx.saved_tensors]
        with torch.enable_grad():
            outputs = ctx.function(*tensors)
        return None, *torch.autograd.grad(outputs, tensors, gradients, allow_unused=True)


def sample(
    denoise: Denoise,
    x_T: Tensor,
    times_S: Tensor,
    sampler: Sampler = "ddim",
    noise_SBCHW: Tensor | None = None,
    eta: float = 0.0,
    checkpointed: bool = False,
) -> Tensor:
    """Return x_0 reached from x_T through times_S (`schedule.times`); differentiable in x_T.

    With `checkpointed`, each step keeps only its x and is computed again in the backward pass
    (DITTO, Algorithm 1): memory stays that of one model call. The denoiser must then be pure, and
    only x_T gets a gradient: the model is frozen.
    "ddpm", and "ddim" with eta above 0, need noise_SBCHW (`draw_noise`), one slice for each step,
    which makes them as repeatable as the others. Raises ValueError where it is missing.
    """
    steps = len(times_S) - 1
    if eta and sampler != "ddim":
        raise ValueError(f"eta is {eta:g} with sampler {sampler}; allowed: 0, or sampler ddim")
    if (sampler == "ddpm" or eta > 0) and (noise_SBCHW is None or len(noise_SBCHW) < steps):
        have = 0 if noise_SBCHW is None else len(noise_SBCHW)
        raise ValueError(f"noise has {have} slices; allowed: {steps}, one for each step")
    x = x_T
    history: tuple[Tensor, ...] = ()
    for i in range(steps):
        clock = (times_S[max(i - 1, 0)], times_S[i], times_S[i + 1])
        noise = None if noise_SBCHW is None else noise_SBCHW[i]
        advance = partial(_advance, denoise, sampler, eta, clock, noise)
        run = partial(_Recomputed.apply, advance) if checkpointed else advance
        x, x_0 = run(x, *history)
        history = (x_0,) if sampler == "dpmpp_2m" else ()
    return x


def invert(denoise: Denoise, x_0: Tensor, times_S: Tensor, noise: Tensor) -> Tensor:
    """Return an x_T from which DDIM leads back near x_0 (DDIM inversion; DITTO appendix D).

    times_S falls, as for `sample`. The first upward step adds the given noise, because a clean
    latent at t > 0 is nothing the model has seen; the rest is deterministic.
    """
    upward_S = times_S.flip(0)[1:]
    x = diffuse(x_0, noise, upward_S[0])
    for t, s in zip(upward_S[:-1], upward_S[1:], strict=True):
        x = ddim_step(x, denoise(x, t, t), t, s)
    return x
