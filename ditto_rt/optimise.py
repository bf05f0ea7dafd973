"""DITTO's search for the initial noise (Novack et al. 2024, Algorithm 1), as a generator.

The caller stops, cancels or keeps a deadline by leaving the loop; nothing here does I/O.
Shapes: x_T and x_0 are (B, C, H, W); the losses are those of the whole batch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite, log, sqrt

import torch
from torch import Tensor

State = tuple[Tensor, ...]
Update = Callable[[Tensor, Tensor, State], tuple[Tensor, State]]
"""(x, gradient, state) -> (new x, new state); the first state is the empty tuple."""


@dataclass(frozen=True, eq=False)
class Step:
    """One evaluated latent. `losses` are weighted; `total` is their sum; tensors are detached.

    index 0 is the latent the search began with. `best`: no earlier step had a lower total.
    """

    index: int
    losses: Mapping[str, float]
    total: float
    x_T: Tensor
    x_0: Tensor
    best: bool


class Diverged(ArithmeticError):
    """A loss or gradient that is not a number; `best` is the best step before it, if any.

    Raised and not passed over: a search that stops early without a word looks like one that ended.
    """

    def __init__(self, what: str, index: int, best: Step | None) -> None:
        """Say what was not finite, and at which step."""
        super().__init__(f"{what} at iteration {index}; allowed: finite numbers")
        self.best = best


def adam(
    learning_rate: float = 5e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> Update:
    """Return Adam's update (Kingma and Ba 2015, Algorithm 1); the paper's choice, at its rate."""

    def update(x: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, State]:
        start = (gradient.new_zeros(()), torch.zeros_like(x), torch.zeros_like(x))
        count, mean, square = state or start
        count = count + 1
        mean = torch.lerp(mean, gradient, 1 - beta1)
        square = beta2 * square + (1 - beta2) * gradient**2
        deviation = torch.sqrt(square / (1 - beta2**count)) + epsilon
        step = learning_rate / (1 - beta1**count) * mean / deviation
        return x - step, (count, mean, square)

    return update


def nesterov(learning_rate: float = 5.0, momentum: float = 0.9, clip: float = 0.1) -> Update:
    """Return gradient descent with Nesterov momentum and a clipped norm (ReNO, 2024, section 3)."""

    def update(x: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, State]:
        clipped = gradient * (clip / gradient.norm().clamp_min(clip))
        velocity = momentum * state[0] + clipped if state else clipped
        return x - learning_rate * (clipped + momentum * velocity), (velocity,)

    return update


def normalised(learning_rate: float = 0.05, momentum: float = 0.9) -> Update:
    """Return descent along the gradient's direction with momentum.

    One step, without momentum, changes x by `learning_rate` in root mean square.
    """

    def update(x: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, State]:
        size = gradient.norm().clamp_min(torch.finfo(x.dtype).tiny) / sqrt(x.numel())
        mean = torch.lerp(state[0] if state else torch.zeros_like(x), gradient / size, 1 - momentum)
        return x - learning_rate * mean, (mean,)

    return update


def lbfgs(learning_rate: float = 0.2, memory: int = 10) -> Update:
    """Return limited-memory BFGS (Nocedal and Wright 2006, Algorithm 7.4) without a line search.

    `learning_rate` is the largest change of x, in root mean square, that one step may make.
    """

    def update(x: Tensor, gradient: Tensor, state: State) -> tuple[Tensor, State]:
        s_MD = y_MD = x.new_zeros((0, x.numel()))
        if state:
            x_old, gradient_old, s_MD, y_MD = state
            s, y = (x - x_old).flatten(), (gradient - gradient_old).flatten()
            # A pair of negative curvature would turn the direction uphill.
            if s @ y > 0:
                s_MD, y_MD = torch.cat([s_MD, s[None]]), torch.cat([y_MD, y[None]])
        s_MD, y_MD = s_MD[-memory:], y_MD[-memory:]
        direction = _two_loops(gradient.flatten(), s_MD, y_MD).view_as(x)
        size = direction.norm() / sqrt(x.numel())
        # Without curvature the gradient gives only a direction: go the whole length.
        shrink = learning_rate / size.clamp_min(torch.finfo(x.dtype).tiny)
        shrink = shrink.clamp_max(1) if len(s_MD) else shrink
        return x - shrink * direction, (x, gradient, s_MD, y_MD)

    return update


def _two_loops(gradient_D: Tensor, s_MD: Tensor, y_MD: Tensor) -> Tensor:
    # The inverse Hessian of the last M pairs times the gradient.
    pairs = [(s, y, 1 / (s @ y)) for s, y in zip(s_MD, y_MD, strict=True)]
    direction, shares = gradient_D, list[Tensor]()
    for s, y, rho in reversed(pairs):
        shares.append(rho * (s @ direction))
        direction = direction - shares[-1] * y
    if pairs:
        s, y, _ = pairs[-1]
        direction = direction * (s @ y) / (y @ y)
    for (s, y, rho), share in zip(pairs, reversed(shares), strict=True):
        direction = direction + s * (share - rho * (y @ direction))
    return direction


UPDATES: Mapping[str, Callable[[float], Update]] = {
    "adam": adam,
    "nesterov": nesterov,
    "normalised": normalised,
    "lbfgs": lbfgs,
}
"""Update rules by name; each takes its learning rate."""


def norm_penalty(x_T: Tensor) -> Tensor:
    """Return how unlikely the norm of x_T is for Gaussian noise; 0 at the likeliest norm.

    ReNO's regulariser |z|^2 / 2 - (d - 1) log |z| less its minimum, at |z|^2 = d - 1; mean over
    the batch.
    """
    d = x_T[0].numel()
    square_B = x_T.flatten(1).square().sum(1)
    least = (d - 1) * (1 - log(d - 1)) / 2
    return (square_B / 2 - (d - 1) * torch.log(square_B) / 2 - least).mean()


def on_shell(x_T: Tensor) -> Tensor:
    """Return x_T with each clip scaled to unit deviation about 0: the shell where noise lives."""
    return x_T / x_T.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()


def as_it_is(x_T: Tensor) -> Tensor:
    """Return x_T unchanged."""
    return x_T


@dataclass(frozen=True)
class Settings:
    """How the latent is searched.

    iterations: updates; one more latent than that is evaluated. norm_weight: weight of
    `norm_penalty` (ReNO: 0.01). project: applied after each update, `on_shell` or `as_it_is`.
    """

    iterations: int = 70
    update: Update = field(default_factory=adam)
    norm_weight: float = 0.0
    project: Callable[[Tensor], Tensor] = as_it_is


def optimise(
    x_T: Tensor,
    generate: Callable[[Tensor], Tensor],
    loss: Callable[[Tensor], Mapping[str, Tensor]],
    settings: Settings | None = None,
) -> Iterator[Step]:
    """Yield each latent tried, from x_T on: x_T <- update(grad over x_T of loss(generate(x_T))).

    `generate` maps x_T to x_0; `loss` maps x_0 to each control's weighted loss. The backward pass
    runs after the yield, so that leaving the loop saves it. Raises Diverged for a loss or gradient
    that is not finite; it carries the best step so far.
    """
    rules = settings or Settings()
    x = x_T.detach()
    state: State = ()
    best: Step | None = None
    for index in range(rules.iterations + 1):
        with torch.enable_grad():
            x_0 = generate(x.requires_grad_())
            losses = _with_norm(loss(x_0), x, rules.norm_weight)
            values = torch.stack(list(losses.values()))
            total = values.sum()
        # One transfer from the device for all figures.
        figures = dict(zip(losses, values.tolist(), strict=True))
        if not isfinite(sum(figures.values())):
            raise Diverged(f"loss is {figures}", index, best)
        better = best is None or sum(figures.values()) < best.total
        step = Step(index, figures, sum(figures.values()), x.detach(), x_0.detach(), better)
        best = step if better else best
        yield step
        # Only now, and not after the last latent: a caller who has enough leaves before this.
        if index < rules.iterations:
            (gradient,) = torch.autograd.grad(total, x)
            if not torch.isfinite(gradient).all():
                raise Diverged("gradient is not finite", index, best)
            x, state = rules.update(x.detach(), gradient, state)
            x = rules.project(x)


def best_step(steps: Iterable[Step]) -> Step:
    """Run a search to its end and return its best step.

    Raises Diverged as the search does (the best is then its `best`); ValueError for no steps.
    """
    best: Step | None = None
    for step in steps:
        best = step if step.best else best
    if best is None:
        raise ValueError("search has 0 steps; allowed: 1 or more")
    return best


def _with_norm(
    losses: Mapping[str, Tensor], x_T: Tensor, norm_weight: float
) -> Mapping[str, Tensor]:
    if not losses:
        raise ValueError("search has 0 controls; allowed: 1 or more")
    return {**losses, "norm": norm_weight * norm_penalty(x_T)} if norm_weight else losses
