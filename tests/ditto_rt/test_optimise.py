"""The search: update rules against their references, the loop's contract, divergence."""

from collections.abc import Callable, Mapping
from itertools import islice
from math import log

import pytest
import torch
from torch import Tensor

from ditto_rt.optimise import (
    UPDATES,
    Diverged,
    Settings,
    State,
    Update,
    adam,
    best_step,
    lbfgs,
    nesterov,
    norm_penalty,
    normalised,
    on_shell,
    optimise,
)
from ditto_rt.sampling import sample
from ditto_rt.schedule import alpha, times

torch.set_num_threads(1)


def _latent(seed: int = 0, clips: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(clips, 2, 1, 16, generator=generator, dtype=torch.float64)


def _generate(x_T: Tensor) -> Tensor:
    grid = times(4, dtype=torch.float64)
    return sample(lambda x, t, s: torch.tanh(alpha(t) * x), x_T, grid, checkpointed=True)


def _level(x_0: Tensor) -> Mapping[str, Tensor]:
    return {"level": (x_0.mean() - 0.3).square(), "edge": 0.5 * (x_0[..., 0] + 0.2).square().mean()}


def _steep(x: Tensor) -> Tensor:
    # A quadratic bowl, thirty times steeper in one direction than in another.
    return (torch.linspace(1, 30, x.numel(), dtype=x.dtype).view_as(x) * (x - 0.5) ** 2).sum() / 2


def _run(update: Update, steps: int) -> list[Tensor]:
    x, state, path = _latent(), State(), list[Tensor]()
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(_steep(x.requires_grad_()), x)
        x, state = update(x.detach(), gradient, state)
        path.append(x)
    return path


def _torch_run(make: type[torch.optim.Optimizer], steps: int, **options: object) -> list[Tensor]:
    x, path = _latent().requires_grad_(), list[Tensor]()
    optimizer = make([x], **options)
    for _ in range(steps):
        optimizer.zero_grad()
        _steep(x).backward()
        optimizer.step()
        path.append(x.detach().clone())
    return path


def test_adam_walks_as_torch_does() -> None:
    ours, theirs = _run(adam(0.05), 30), _torch_run(torch.optim.Adam, 30, lr=0.05)
    for mine, its in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, its, atol=1e-12)


def test_nesterov_walks_as_torch_does_where_nothing_is_clipped() -> None:
    ours = _run(nesterov(0.003, 0.9, clip=1e9), 30)
    theirs = _torch_run(torch.optim.SGD, 30, lr=0.003, momentum=0.9, nesterov=True)
    for mine, its in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, its, atol=1e-12)


def test_nesterov_clips_the_norm_of_a_steep_gradient() -> None:
    x = _latent()
    moved, _ = nesterov(1.0, momentum=0.0, clip=0.1)(x, 100 * _latent(1), ())
    assert (x - moved).norm().item() == pytest.approx(0.1)


def test_normalised_steps_do_not_depend_on_the_gradients_size() -> None:
    x, gradient, update = _latent(), _latent(1), normalised(0.05, momentum=0.0)
    small, large = update(x, 1e-9 * gradient, ())[0], update(x, 1e9 * gradient, ())[0]
    assert torch.allclose(small, large, atol=1e-12)
    assert (small - x).square().mean().sqrt().item() == pytest.approx(0.05)


def test_a_gradient_of_zero_moves_nothing() -> None:
    x = _latent()
    for make in UPDATES.values():
        assert torch.equal(make(0.1)(x, torch.zeros_like(x), ())[0], x)


def test_lbfgs_finds_the_bottom_of_a_bowl_far_sooner_than_the_others() -> None:
    bottom = torch.full_like(_latent(), 0.5)
    assert (_run(lbfgs(1.0), 40)[-1] - bottom).abs().max() < 1e-6
    assert (_run(adam(0.05), 40)[-1] - bottom).abs().max() > 1e-3


def test_lbfgs_never_steps_further_than_asked() -> None:
    path = [_latent(), *_run(lbfgs(0.1), 10)]
    for before, after in zip(path[:-1], path[1:], strict=True):
        assert (after - before).square().mean().sqrt() <= 0.1 + 1e-12


def test_lbfgs_walks_downhill_where_the_curvature_is_negative() -> None:
    # From the top between two wells, whose bottoms are at -1 and 1.
    x, state, update = 0.1 * torch.sign(_latent()), State(), lbfgs(0.2)
    for _ in range(40):
        x, state = update(x, x**3 - x, state)
    assert torch.allclose(x, torch.sign(_latent()), atol=1e-6)


@pytest.mark.parametrize("name", UPDATES)
def test_every_rule_lowers_the_loss(name: str) -> None:
    rate = {"nesterov": 2.0}.get(name, 0.05)
    settings = Settings(iterations=80, update=UPDATES[name](rate))
    steps = list(optimise(_latent(), _generate, _level, settings))
    assert best_step(iter(steps)).total < 0.02 * steps[0].total


def test_the_first_step_is_the_latent_as_given() -> None:
    x_T = _latent()
    first = next(optimise(x_T, _generate, _level))
    assert first.index == 0 and first.best
    assert torch.equal(first.x_T, x_T)
    assert torch.equal(first.x_0, _generate(x_T))
    assert not first.x_T.requires_grad and not first.x_0.requires_grad


def test_each_step_reports_the_losses_of_its_own_latent() -> None:
    for step in optimise(_latent(), _generate, _level, Settings(5, adam(0.05))):
        losses = {name: loss.item() for name, loss in _level(_generate(step.x_T)).items()}
        assert step.losses == pytest.approx(losses)
        assert step.total == pytest.approx(sum(losses.values()))


def test_there_is_one_more_step_than_iterations() -> None:
    for iterations in (0, 1, 7):
        steps = list(optimise(_latent(), _generate, _level, Settings(iterations)))
        assert [step.index for step in steps] == list(range(iterations + 1))


def test_the_latent_given_is_not_changed() -> None:
    x_T = _latent()
    best_step(optimise(x_T, _generate, _level, Settings(5, adam(0.5))))
    assert torch.equal(x_T, _latent()) and not x_T.requires_grad


def test_the_same_start_gives_the_same_search() -> None:
    one, other = (
        [step.x_T for step in optimise(_latent(), _generate, _level, Settings(8, adam(0.05)))]
        for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_settings_may_be_used_for_two_searches_at_once() -> None:
    settings = Settings(6, adam(0.05))
    alone = [step.total for step in optimise(_latent(), _generate, _level, settings)]
    pair = zip(
        optimise(_latent(), _generate, _level, settings),
        optimise(_latent(1), _generate, _level, settings),
        strict=True,
    )
    assert [first.total for first, _ in pair] == alone


def test_the_best_step_is_that_of_the_lowest_total() -> None:
    # A rate far too high, so that the search wanders.
    steps = list(optimise(_latent(), _generate, _level, Settings(20, adam(1.0))))
    totals = [step.total for step in steps]
    assert best_step(iter(steps)).index == totals.index(min(totals)) < 20
    assert [s.best for s in steps] == [t < min(totals[:i], default=9) for i, t in enumerate(totals)]


def test_leaving_the_loop_stops_the_work() -> None:
    calls = []

    def counted(x_T: Tensor) -> Tensor:
        calls.append(1)
        return _generate(x_T)

    list(islice(optimise(_latent(), counted, _level), 3))
    assert len(calls) == 3


def test_a_search_works_where_the_caller_has_switched_gradients_off() -> None:
    with torch.no_grad():
        steps = list(optimise(_latent(), _generate, _level, Settings(10, adam(0.05))))
    assert steps[-1].total < steps[0].total


def _breaks_after(good: int, what: str) -> Callable[[Tensor], Mapping[str, Tensor]]:
    seen = []

    def loss(x_0: Tensor) -> Mapping[str, Tensor]:
        seen.append(1)
        if len(seen) <= good:
            return _level(x_0)
        # The root's slope at 0 is infinite: a finite loss without a usable gradient.
        broken = x_0.sum() * torch.nan if what == "loss" else (0 * x_0).sum().abs().sqrt()
        return {**_level(x_0), "broken": broken}

    return loss


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_number_that_is_none_stops_the_search_and_keeps_the_best(what: str) -> None:
    steps = []
    with pytest.raises(Diverged, match=rf"^{what} is .* at iteration 3; allowed: finite") as caught:
        for step in optimise(_latent(), _generate, _breaks_after(3, what)):
            steps.append(step)
    assert caught.value.best is not None
    assert caught.value.best.total == min(step.total for step in steps)


def test_a_search_that_starts_broken_has_no_best() -> None:
    with pytest.raises(Diverged) as caught:
        best_step(optimise(_latent(), _generate, _breaks_after(0, "loss")))
    assert caught.value.best is None


def test_nothing_to_search_for_is_refused() -> None:
    with pytest.raises(ValueError, match="0 controls; allowed: 1 or more"):
        next(optimise(_latent(), _generate, lambda x_0: {}))
    with pytest.raises(ValueError, match="0 steps; allowed: 1 or more"):
        best_step(iter(()))


def test_the_norm_penalty_is_least_at_the_likeliest_norm() -> None:
    d = _latent().numel()
    likeliest = on_shell(_latent()) * ((d - 1) / d) ** 0.5
    assert norm_penalty(likeliest).item() == pytest.approx(0, abs=1e-10)
    for scale in (0.5, 0.9, 1.1, 2.0):
        x_T = (scale * likeliest).requires_grad_()
        (gradient,) = torch.autograd.grad(norm_penalty(x_T), x_T)
        assert norm_penalty(x_T) > 0
        assert torch.sign((gradient * x_T).sum()).item() == (1 if scale > 1 else -1)


def test_the_norm_penalty_is_renos_up_to_a_constant() -> None:
    one, other = (
        norm_penalty(x).item() - (x.square().sum() / 2 - (x.numel() - 1) * log(x.norm())).item()
        for x in (_latent(), 3 * _latent(1))
    )
    assert one == pytest.approx(other, abs=1e-10)


def test_the_shell_has_unit_deviation_for_each_clip() -> None:
    x_T = _latent(clips=3) * torch.tensor([0.1, 1.0, 7.0]).view(3, 1, 1, 1)
    shell = on_shell(x_T)
    assert torch.allclose(shell.square().mean(dim=(1, 2, 3)), torch.ones(3, dtype=x_T.dtype))
    assert torch.allclose(shell / shell[:, :1, :, :1], x_T / x_T[:, :1, :, :1])


def _deviation_after(settings: Settings) -> float:
    *_, last = optimise(_latent(), _generate, lambda x_0: {"up": -x_0.sum()}, settings)
    return last.x_T.square().mean().sqrt().item()


def test_a_greedy_search_leaves_the_shell_unless_it_is_held() -> None:
    assert _deviation_after(Settings(40, adam(0.3))) > 2
    assert _deviation_after(Settings(40, adam(0.3), project=on_shell)) == pytest.approx(1)
    assert _deviation_after(Settings(40, adam(0.3), norm_weight=1.0)) == pytest.approx(1, abs=0.3)


def test_the_norm_penalty_is_among_the_losses() -> None:
    step = next(optimise(_latent(), _generate, _level, Settings(norm_weight=0.01)))
    assert step.losses["norm"] == pytest.approx(0.01 * norm_penalty(_latent()).item())
    assert "norm" not in next(optimise(_latent(), _generate, _level)).losses
