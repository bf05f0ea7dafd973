"""Samplers: closed forms on Gaussian data, order of convergence, gradients through checkpoints.

For data N(mean, deviation^2) the denoiser and the path it leads along are known: x_T goes to
mean + deviation x_T.
"""

from itertools import pairwise
from math import cos, pi

import pytest
import torch
from torch import Tensor, nn

from ditto_rt.model import Conditioning
from ditto_rt.sampling import (
    Denoise,
    Sampler,
    ddim_step,
    ddpm_step,
    dpmpp_2m_step,
    draw_noise,
    guided,
    invert,
    sample,
    threshold,
)
from ditto_rt.schedule import alpha, sigma, times

torch.set_num_threads(1)
SAMPLERS: tuple[Sampler, ...] = ("ddim", "dpmpp_2m", "ddpm")
MEAN, DEVIATION = 0.7, 0.4


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _latent(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=_seeded(seed), dtype=torch.float64)


def _gaussian(mean: float, deviation: float) -> Denoise:
    def denoise(x: Tensor, t: Tensor, _s: Tensor) -> Tensor:
        gain = alpha(t) * deviation**2 / (alpha(t) ** 2 * deviation**2 + sigma(t) ** 2)
        return mean + gain * (x - alpha(t) * mean)

    return denoise


class _Net(nn.Module):
    """A small net that depends on x, t and a conditioning token."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inward = nn.Conv2d(3, 8, (1, 3), padding=(0, 1)).double()
        self.outward = nn.Conv2d(8, 2, (1, 3), padding=(0, 1)).double()
        self.calls = 0

    def forward(self, x_BCHW: Tensor, t: Tensor, s: Tensor) -> Tensor:
        self.calls += 1
        clock = (t + 0.3 * s).expand(len(x_BCHW), 1, *x_BCHW.shape[2:])
        return self.outward(torch.tanh(self.inward(torch.cat([x_BCHW, clock], dim=1))))


def _noise(sampler: Sampler, x_T: Tensor, steps: int) -> Tensor | None:
    return draw_noise(x_T, steps, _seeded(9)) if sampler == "ddpm" else None


def test_ddim_matches_the_closed_form_of_unit_gaussian_data() -> None:
    # With x_0 = alpha x each step turns x by the angle between the times.
    x_T = _latent(1, 2, 1, 16)
    for steps in (1, 2, 5, 20):
        x_0 = sample(_gaussian(0.0, 1.0), x_T, times(steps, dtype=torch.float64))
        assert torch.allclose(x_0, cos(pi / 2 / steps) ** steps * x_T, atol=1e-14)


def test_ddim_is_exact_in_one_step_where_all_data_are_one_point() -> None:
    x_0 = sample(_gaussian(MEAN, 0.0), _latent(1, 2, 1, 16), times(1, dtype=torch.float64))
    assert torch.equal(x_0, torch.full_like(x_0, MEAN))


def _gaussian_jumps(mean: float, deviation: float) -> Denoise:
    # Along the path x keeps its place among the deviations of its time, so every jump is known.
    plain = _gaussian(mean, deviation)

    def spread(t: Tensor) -> Tensor:
        return torch.sqrt(alpha(t) ** 2 * deviation**2 + sigma(t) ** 2)

    def denoise(x: Tensor, t: Tensor, s: Tensor) -> Tensor:
        if s == t:
            return plain(x, t, s)
        x_s = alpha(s) * mean + spread(s) * (x - alpha(t) * mean) / spread(t)
        shrink = sigma(s) / sigma(t)
        return (x_s - shrink * x) / (alpha(s) - shrink * alpha(t))

    return denoise


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
def test_ddim_with_a_denoiser_that_jumps_is_exact_in_any_number_of_steps(steps: int) -> None:
    x_T = _latent(1, 2, 1, 64)
    grid = times(steps, dtype=torch.float64)
    x_0 = sample(_gaussian_jumps(MEAN, DEVIATION), x_T, grid)
    assert torch.allclose(x_0, MEAN + DEVIATION * x_T, atol=1e-12)


@pytest.mark.parametrize(("sampler", "eta"), [("dpmpp_2m", 0.0), ("ddpm", 0.0), ("ddim", 0.5)])
def test_samplers_that_correct_the_path_ask_for_x_0_itself(sampler: Sampler, eta: float) -> None:
    x_T, grid = _latent(1, 2, 1, 6), times(5, dtype=torch.float64)
    noise = draw_noise(x_T, 5, _seeded(9))
    jumping, plain = (
        sample(make(MEAN, DEVIATION), x_T, grid, sampler, noise, eta)
        for make in (_gaussian_jumps, _gaussian)
    )
    assert torch.equal(jumping, plain)


def _error(sampler: Sampler, steps: int, mean: float, deviation: float) -> float:
    x_T = _latent(1, 2, 1, 64)
    x_0 = sample(_gaussian(mean, deviation), x_T, times(steps, dtype=torch.float64), sampler)
    return (x_0 - (mean + deviation * x_T)).abs().max().item()


def test_ddim_converges_with_first_order() -> None:
    errors = [_error("ddim", steps, MEAN, DEVIATION) for steps in (16, 32, 64, 128)]
    for coarse, fine in pairwise(errors):
        assert 1.9 < coarse / fine < 2.1


def test_dpmpp_2m_converges_with_nearly_second_order() -> None:
    # h^2 log(1/h): the log-SNR's steps are of one size near t = 1, however many there are. Wide
    # data, where the error keeps its sign and a ratio of errors means something.
    errors = [_error("dpmpp_2m", steps, 0.0, 2.0) for steps in (64, 128, 256, 512)]
    for coarse, fine in pairwise(errors):
        assert 3.2 < coarse / fine < 4.1


@pytest.mark.parametrize(("mean", "deviation"), [(MEAN, DEVIATION), (0.0, 1.0), (0.0, 2.0)])
def test_dpmpp_2m_is_nearer_than_ddim_with_as_many_steps(mean: float, deviation: float) -> None:
    for steps in (16, 32):
        second, first = (_error(name, steps, mean, deviation) for name in ("dpmpp_2m", "ddim"))
        assert second < first / 2.5


def test_dpmpp_2m_returns_the_estimate_at_the_last_step() -> None:
    x, x_0, old = (_latent(1, 2, 1, 4, seed=seed) for seed in range(3))
    t_old, t, s = torch.tensor([0.5, 0.2, 0.0], dtype=torch.float64)
    assert torch.equal(dpmpp_2m_step(x, x_0, old, t, s, t_old), x_0)


def test_dpmpp_2m_after_pure_noise_is_ddim() -> None:
    x, x_0, old = (_latent(1, 2, 1, 4, seed=seed) for seed in range(3))
    t_old, t, s = torch.tensor([1.0, 0.8, 0.6], dtype=torch.float64)
    first = ddim_step(x, x_0, t, s)
    assert torch.allclose(dpmpp_2m_step(x, x_0, old, t, s, t_old), first, atol=1e-14)
    assert torch.allclose(dpmpp_2m_step(x, x_0, None, t, s, t_old), first, atol=1e-14)


def test_ddpm_has_the_mean_and_deviation_of_the_posterior() -> None:
    t, s = torch.tensor([0.6, 0.4], dtype=torch.float64)
    x, x_0 = torch.tensor(0.9, dtype=torch.float64), torch.tensor(-0.3, dtype=torch.float64)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    ratio = alpha(t) / alpha(s)
    variance_ts = sigma(t) ** 2 - ratio**2 * sigma(s) ** 2
    mean = (ratio * sigma(s) ** 2 * x + alpha(s) * variance_ts * x_0) / sigma(t) ** 2
    deviation = (variance_ts * sigma(s) ** 2 / sigma(t) ** 2).sqrt()
    assert ddpm_step(x, x_0, t, s, zero).item() == pytest.approx(mean.item(), abs=1e-14)
    drawn = ddpm_step(x, x_0, t, s, one) - ddpm_step(x, x_0, t, s, zero)
    assert drawn.item() == pytest.approx(deviation.item(), abs=1e-14)


def test_ddpm_reaches_the_variance_of_the_data() -> None:
    x_T, steps = _latent(1, 1, 1, 20_000), 800
    noise = draw_noise(x_T, steps, _seeded(1))
    grid = times(steps, dtype=torch.float64)
    x_0 = sample(_gaussian(MEAN, DEVIATION), x_T, grid, "ddpm", noise)
    assert x_0.mean().item() == pytest.approx(MEAN, abs=0.01)
    assert x_0.std().item() == pytest.approx(DEVIATION, rel=0.02)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_any_eta_keeps_the_marginal_variance(eta: float) -> None:
    # One step on unit data from an exact x_t, with x_0 drawn with it.
    t, s = torch.tensor([0.7, 0.5], dtype=torch.float64)
    x_0, eps, noise = torch.randn(3, 200_000, generator=_seeded(), dtype=torch.float64)
    x_s = ddim_step(alpha(t) * x_0 + sigma(t) * eps, x_0, t, s, eta, noise)
    residual = x_s - alpha(s) * x_0
    assert residual.std().item() == pytest.approx(sigma(s).item(), rel=0.01)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_gradient_with_checkpoints_is_the_gradient_without(sampler: Sampler) -> None:
    net, x_T, steps = _Net(), _latent(2, 2, 1, 6), 6
    grid, noise = times(steps, dtype=torch.float64), _noise(sampler, x_T, 6)
    results = []
    for checkpointed in (False, True):
        x = x_T.clone().requires_grad_()
        x_0 = sample(net, x, grid, sampler, noise, checkpointed=checkpointed)
        loss = x_0.pow(3).sum()
        results.append((loss, torch.autograd.grad(loss, x)[0]))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_gradient_is_that_of_finite_differences(sampler: Sampler) -> None:
    net, x_T = _Net(), _latent(1, 2, 1, 3).requires_grad_()
    grid, noise = times(4, dtype=torch.float64), _noise(sampler, x_T.detach(), 4)

    def generate(x: Tensor) -> Tensor:
        return sample(net, x, grid, sampler, noise, checkpointed=True)

    assert torch.autograd.gradcheck(generate, (x_T,), eps=1e-6, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("folded", [False, True])
def test_gradient_through_guidance_and_thresholding_is_that_of_finite_differences(
    folded: bool,
) -> None:
    x_T = (3 * _latent(1, 2, 1, 5)).requires_grad_()
    model = _TinyJumpModel() if folded else _TinyModel()
    denoise, grid = guided(model, _conditioning(), 3.0, 0.9), times(3, dtype=torch.float64)

    def generate(x: Tensor) -> Tensor:
        return sample(denoise, x, grid, checkpointed=True)

    assert torch.autograd.gradcheck(generate, (x_T,), eps=1e-6, atol=1e-7, rtol=1e-5)


def test_checkpointing_runs_each_step_again_and_only_then() -> None:
    net, x_T, grid = _Net(), _latent(1, 2, 1, 6).requires_grad_(), times(5, dtype=torch.float64)
    sample(net, x_T, grid).sum().backward()
    assert net.calls == 5
    sample(net, x_T, grid, checkpointed=True).sum().backward()
    assert net.calls == 5 + 10
    with torch.no_grad():
        sample(net, x_T, grid, checkpointed=True)
    assert net.calls == 15 + 5


def test_checkpointing_keeps_one_latent_a_step_and_no_activations() -> None:
    def saved_latents(checkpointed: bool, steps: int) -> int:
        kept: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        net, x_T = _Net(), _latent(1, 2, 1, 64).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            x_0 = sample(net, x_T, times(steps, dtype=torch.float64), checkpointed=checkpointed)
        return sum(kept.values()) // x_0.untyped_storage().nbytes()

    # In latents of 2 channels: x; or the 3 + 8 channels inside the net.
    assert saved_latents(True, 20) <= 20
    assert saved_latents(False, 20) >= 5 * 20


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_noise_gives_the_same_output(sampler: Sampler) -> None:
    net, x_T, grid = _Net(), _latent(1, 2, 1, 6), times(5, dtype=torch.float64)
    once = sample(net, x_T, grid, sampler, _noise(sampler, x_T, 5))
    again = sample(net, x_T, grid, sampler, _noise(sampler, x_T, 5), checkpointed=True)
    assert torch.equal(once, again)


def test_another_noise_gives_another_output() -> None:
    x_T, grid = _latent(1, 2, 1, 6), times(5, dtype=torch.float64)
    one, other = (
        sample(_Net(), x_T, grid, "ddpm", draw_noise(x_T, 5, _seeded(seed))) for seed in (1, 2)
    )
    assert not torch.allclose(one, other)


def test_stochastic_samplers_ask_for_noise() -> None:
    x_T, grid = _latent(1, 2, 1, 6), times(5, dtype=torch.float64)
    with pytest.raises(ValueError, match="noise has 0 slices; allowed: 5"):
        sample(_Net(), x_T, grid, "ddpm")
    with pytest.raises(ValueError, match="noise has 3 slices; allowed: 5"):
        sample(_Net(), x_T, grid, "ddim", draw_noise(x_T, 3, _seeded()), eta=0.5)
    with pytest.raises(ValueError, match="eta is 0.5 with sampler dpmpp_2m"):
        sample(_Net(), x_T, grid, "dpmpp_2m", eta=0.5)
    with pytest.raises(ValueError, match="eta is 1 without noise"):
        ddim_step(x_T, x_T, grid[1], grid[2], eta=1.0)


class _TinyModel:
    """As much of a Model as guidance needs: a net that reads its tokens, counting its calls."""

    name, device, sample_rate_hz, latent_hop = "tiny", torch.device("cpu"), 100, 4

    def __init__(self) -> None:
        self.net, self.batches = _Net(), list[int]()

    def denoise(self, x_BCHW: Tensor, t: Tensor, cond: Conditioning) -> Tensor:
        self.batches.append(len(x_BCHW))
        shift_B = cond.tokens_BKD.mean(dim=(1, 2)) + cond.grid_BGHW.mean(dim=(1, 2, 3))
        return self.net(x_BCHW + shift_B.view(-1, 1, 1, 1), t, t)

    def unconditioned(self, cond: Conditioning) -> Conditioning:
        return Conditioning(torch.zeros_like(cond.tokens_BKD), cond.grid_BGHW)


def _conditioning() -> Conditioning:
    return Conditioning(_latent(1, 2, 3, seed=5), _latent(1, 1, 1, 6, seed=6))


@pytest.mark.parametrize("clips", [1, 3])
def test_guidance_in_one_call_equals_two_calls(clips: int) -> None:
    model, cond, t = _TinyModel(), _conditioning(), torch.tensor(0.4, dtype=torch.float64)
    x = _latent(clips, 2, 1, 6)
    together = guided(model, cond, 2.5)(x, t, t)
    assert model.batches == [2 * clips]
    tagged, free = (guided(model, c, 1.0)(x, t, t) for c in (cond, model.unconditioned(cond)))
    assert model.batches == [2 * clips, clips, clips]
    assert torch.allclose(together, free + 2.5 * (tagged - free), atol=1e-14)
    apart = guided(model, cond, 2.5, apart=True)(x, t, t)
    assert model.batches[3:] == [clips, clips] and torch.allclose(apart, together, atol=1e-14)


class _TinyJumpModel(_TinyModel):
    """The same, with jumps and guidance learned."""

    # A model has these too; guidance calls none of them.
    latent_shape = condition = encode = decode = staticmethod(len)

    def jump(
        self, x_BCHW: Tensor, t: Tensor, s: Tensor, cond: Conditioning, guidance: float
    ) -> Tensor:
        self.batches.append(len(x_BCHW))
        shift_B = guidance * cond.tokens_BKD.mean(dim=(1, 2))
        return self.net(x_BCHW + shift_B.view(-1, 1, 1, 1), t, s)


def test_a_model_that_learned_guidance_is_called_once_with_the_jump() -> None:
    model, cond, x = _TinyJumpModel(), _conditioning(), _latent(3, 2, 1, 6)
    t, s = torch.tensor([0.8, 0.3], dtype=torch.float64)
    made = guided(model, cond, 2.5)(x, t, s)
    assert model.batches == [3]
    assert torch.equal(made, model.jump(x, t, s, cond, 2.5))
    assert not torch.allclose(made, guided(model, cond, 1.0)(x, t, s))
    assert not torch.allclose(made, guided(model, cond, 2.5)(x, t, t))


def test_thresholding_leaves_ordinary_estimates_alone() -> None:
    x_0 = _latent(2, 2, 1, 500).clamp(-3.9, 3.9)
    assert torch.equal(threshold(x_0), x_0)
    assert torch.equal(threshold(100 * x_0, percentile=None), 100 * x_0)


def test_thresholding_scales_an_overdriven_clip_and_no_other() -> None:
    x_0 = _latent(2, 2, 1, 500).clamp(-3.9, 3.9)
    x_0[1] *= 5
    reined = threshold(x_0, percentile=0.9, limit=4.0)
    assert torch.equal(reined[0], x_0[0])
    assert reined[1].abs().max().item() == pytest.approx(4.0)
    bound = torch.quantile(x_0[1].abs(), 0.9)
    inside = x_0[1].abs() < bound
    assert torch.allclose(reined[1][inside], x_0[1][inside] * 4 / bound)


def test_inversion_leads_back_to_the_latent() -> None:
    x_0 = MEAN + DEVIATION * _latent(1, 2, 1, 64)
    noise, denoise = _latent(1, 2, 1, 64, seed=1), _gaussian(MEAN, DEVIATION)
    errors = []
    for steps in (20, 80):
        grid = times(steps, dtype=torch.float64)
        x_T = invert(denoise, x_0, grid, noise)
        errors.append((sample(denoise, x_T, grid) - x_0).abs().mean().item())
        assert x_T.std().item() == pytest.approx(1, abs=0.2)
    assert errors[0] < 0.15 and errors[1] < errors[0] / 2
