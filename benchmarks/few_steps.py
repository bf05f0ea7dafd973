"""Search with few sampler steps, decode with others: how close each pair comes to what was asked.

Run: python -m benchmarks.few_steps --takes 4. One search for each control, number of search steps
and optimiser; the noise that it finds is then decoded with each number of steps, and the finished
audio is measured as in benchmarks.controls. This is where the defaults of `[render]` come from.
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.controls import RATE_HZ, jobs
from ditto_rt import builtin, spec
from ditto_rt.devices import choose, set_numerics
from ditto_rt.model import Model
from ditto_rt.render import Take, render

FIGURES = {"intensity": "mse_db2", "melody": "accuracy", "structure": "mse"}
console = Console()


def _take(job: spec.Job, model: Model, start: Take | None = None) -> Take:
    events = render(job, model, RATE_HZ, None if start is None else start.x_T)
    (last,) = (event for event in events if isinstance(event, Take))
    return last


def _figure(take: Take, control: str) -> float:
    return float(getattr(getattr(take.report, control), FIGURES[control]))


def _with(job: spec.Job, **quality: object) -> spec.Job:
    return job.model_copy(update={"quality": job.quality.model_copy(update=quality)})


def search_and_decode(
    job: spec.Job, control: str, model: Model, decode: Sequence[int]
) -> tuple[list[float], dict[str, float]]:
    """Return the figure decoded with each number of steps, and what the search cost and found."""
    before_s = time.perf_counter()
    found = _take(_with(job, steps=job.quality.search_steps), model)
    cost = {
        "iterations": float(found.report.iterations),
        "wall_s": time.perf_counter() - before_s,
        "deviation": float(found.x_T.std()),
        "loss": min(found.report.loss),
    }
    decoded = [_take(_with(job, steps=steps, iterations=0), model, found) for steps in decode]
    return [_figure(take, control) for take in decoded], cost


def main(
    control: Annotated[list[str] | None, typer.Option(help="Which; all by default.")] = None,
    search: Annotated[str, typer.Option(help="Steps of the search, with commas.")] = "1,2,4",
    decode: Annotated[str, typer.Option(help="Steps of what is heard.")] = "1,2,4,20",
    optimiser: Annotated[list[str] | None, typer.Option(help="name or name:rate")] = None,
    takes: int = 4,
    iterations: int | None = None,
    threads: int = 2,
    weights: Path | None = None,
) -> None:
    """Print one table for each control."""
    set_numerics(threads)
    model = builtin.load(choose("auto"), **({"folder": weights} if weights else {}))
    decoding = [int(steps) for steps in decode.split(",")]
    for name in control or FIGURES:
        heads = [f"decoded with {steps}" for steps in decoding]
        table = Table(
            "optimiser",
            "search",
            *heads,
            "iterations",
            "s",
            "deviation of x_T",
            "loss",
            title=f"{name}: {FIGURES[name]}, means of {takes}",
        )
        for rule in optimiser or ["adam:0.05", "lbfgs:0.2"]:
            update, _, rate = rule.partition(":")
            for steps in map(int, search.split(",")):
                quality = spec.Quality(
                    search_steps=steps,
                    iterations=iterations,
                    optimiser=update,
                    learning_rate=float(rate or 0.05),
                )
                made = [
                    search_and_decode(job, name, model, decoding)
                    for job in track(list(jobs(name, takes, quality)), f"{rule} {steps}")
                ]
                figures = [
                    statistics.mean(column) for column in zip(*(m[0] for m in made), strict=True)
                ]
                costs = [statistics.mean(m[1][key] for m in made) for key in made[0][1]]
                table.add_row(
                    rule,
                    str(steps),
                    *(f"{one:.3f}" for one in figures),
                    *(f"{one:.2f}" for one in costs),
                )
        console.print(table)


if __name__ == "__main__":
    typer.run(main)
