"""One training loop for every network: resumable, averaged, with a bar that tells time left."""

import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

WARM_UP_STEPS = 200
Network = TypeVar("Network", bound=nn.Module)


class Stateful(Protocol):
    """What else learns in a run, and goes into its checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state, made of what `torch.load(weights_only=True)` reads."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from that state."""


@dataclass(frozen=True)
class Plan:
    """How long and how fast to train. `minutes` ends a run early; it resumes where it stopped."""

    steps: int
    learning_rate: float
    ema: float = 0.999
    save_every_s: float = 120.0
    minutes: float | None = None


def _rate(plan: Plan, step: int) -> float:
    # Warm up, hold, then fall linearly to a tenth over the last third.
    rise = min(1.0, (step + 1) / WARM_UP_STEPS)
    fall = min(1.0, 0.1 + 0.9 * (plan.steps - step) / (plan.steps / 3.0))
    return plan.learning_rate * rise * fall


class Run:
    """Owns a network, its running average and optimiser, and their file on disk."""

    def __init__(
        self,
        network: nn.Module,
        plan: Plan,
        path: Path,
        beside: Mapping[str, Stateful] | None = None,
    ) -> None:
        """Resume from `path` where it exists, to the step and with the optimiser's state.

        What learns `beside` the network is kept with it by name.
        """
        self.network, self.plan, self.path = network, plan, path
        self.beside = beside or {}
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=1e-3
        )
        self.average = {name: p.detach().clone() for name, p in network.named_parameters()}
        self.step = 0
        self.seconds = 0.0
        self.history: list[tuple[int, dict[str, float]]] = []
        if path.exists():
            self._load(torch.load(path, weights_only=True))

    def _load(self, saved: dict[str, Any]) -> None:
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.average = saved["average"]
        self.step, self.seconds = saved["step"], saved["seconds"]
        self.history = [tuple(row) for row in saved["history"]]
        # A checkpoint from before there was something beside: that begins anew.
        for name in self.beside.keys() & saved.keys():
            self.beside[name].load_state_dict(saved[name])
        torch.set_rng_state(saved["rng"])
        torch.cuda.set_rng_state_all(saved.get("cuda_rng", []))

    def save(self) -> None:
        """Write the whole state, whole or not at all."""
        part = self.path.with_suffix(".part")
        torch.save(
            {
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "average": self.average,
                "step": self.step,
                "seconds": self.seconds,
                "history": self.history,
                "rng": torch.get_rng_state(),
                "cuda_rng": torch.cuda.get_rng_state_all(),
                **{name: other.state_dict() for name, other in self.beside.items()},
            },
            part,
        )
        part.rename(self.path)

    def averaged(self) -> dict[str, Tensor]:
        """Return the network's state with averaged weights."""
        return {**self.network.state_dict(), **self.average}

    def follower(self, network: Network) -> Network:
        """Return a frozen copy of the run's network whose weights are the average and move on."""
        copy = deepcopy(network).requires_grad_(False).eval()
        for name, parameter in copy.named_parameters():
            parameter.data = self.average[name]
        return copy

    def advance(self, loss: Tensor) -> None:
        """Take one optimiser step down `loss` and move the average."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = _rate(self.plan, self.step)
        self.optimiser.step()
        # A short memory at first, so that the average forgets the random start.
        keep = min(self.plan.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                self.average[name].lerp_(parameter, 1.0 - keep)
        self.step += 1


def _smooth(old: dict[str, float] | None, losses: Mapping[str, Tensor]) -> dict[str, float]:
    now = {name: float(loss.detach()) for name, loss in losses.items()}
    return now if old is None else {name: 0.98 * old[name] + 0.02 * now[name] for name in now}


def train(run: Run, losses_of: Callable[[], Mapping[str, Tensor]], title: str) -> None:
    """Train until the plan's steps or minutes are over.

    `losses_of` draws a batch each call and returns the losses that are added up, by name.
    """
    started = saved = time.monotonic()
    smooth: dict[str, float] | None = None
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task(title, total=run.plan.steps, completed=run.step)
        while run.step < run.plan.steps:
            before = time.monotonic()
            losses = losses_of()
            run.advance(torch.stack(list(losses.values())).sum())
            smooth = _smooth(smooth, losses)
            now = time.monotonic()
            run.seconds += now - before
            told = " ".join(f"{name} {value:.4f}" for name, value in smooth.items())
            bar.update(task, completed=run.step, description=f"{title} {told}")
            if run.step % 50 == 0:
                run.history.append((run.step, smooth))
                if not bar.console.is_terminal:
                    bar.console.print(f"{title} {run.step}/{run.plan.steps} {told}")
            if now - saved > run.plan.save_every_s:
                run.save()
                saved = now
            if run.plan.minutes is not None and now - started > 60.0 * run.plan.minutes:
                break
    run.save()
