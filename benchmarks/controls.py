"""How closely takes follow what was asked: means over random seeds and targets, as a table.

Run: python -m benchmarks.controls --takes 20. Measured by ditto_rt.measure from the finished
audio, which shares no code with the losses. "before" is the same seed without control.
"""

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ditto_rt import builtin, spec
from ditto_rt.devices import choose, set_numerics
from ditto_rt.evaluate.asked import CONTROLS, with_control
from ditto_rt.measure import Measured, measure, step_ratio
from ditto_rt.model import Model
from ditto_rt.render import Take, render

RATE_HZ = 48_000

DEFAULT = spec.Quality()
console = Console()


def jobs(control: str, takes: int, quality: spec.Quality) -> Iterator[spec.Job]:
    """Yield `takes` jobs with random tags, tempo, seed and target for one control."""
    for number in range(takes):
        yield with_control(control, number, quality)


def _finish(job: spec.Job, model: Model) -> Take:
    take = None
    for event in render(job, model, RATE_HZ):
        take = event if isinstance(event, Take) else take
    assert take is not None
    return take


def _figures(control: str, audio_N: np.ndarray, found: Measured) -> dict[str, float]:
    figures = {"seam ratio": found.seam.ratio, "step ratio": step_ratio(audio_N)}
    part = getattr(found, control, None)
    return {**figures, **(part.model_dump() if part else {})}


def measure_control(control: str, takes: int, quality: spec.Quality, model: Model) -> list[dict]:
    """Render each job with and without its control; return a record for each."""
    rows = []
    for job in track(list(jobs(control, takes, quality)), control):
        free = _finish(
            job.model_copy(update={"quality": quality.model_copy(update={"iterations": 0})}), model
        )
        made = _finish(job, model)
        rows.append(
            {
                "job": job.model_dump(mode="json"),
                "before": _figures(control, free.audio_N, measure(free.audio_N, RATE_HZ, job)),
                "after": _figures(control, made.audio_N, measure(made.audio_N, RATE_HZ, job)),
                "iterations": made.report.iterations,
                "wall_s": made.report.wall_s,
                "first_loss": made.report.loss[0],
                "least_loss": min(made.report.loss),
            }
        )
    return rows


def _table(control: str, rows: list[dict]) -> Table:
    table = Table(
        "figure", "before", "after", "after, range", title=f"{control}, {len(rows)} takes"
    )
    for name in rows[0]["after"]:
        before, after = ([row[side][name] for row in rows] for side in ("before", "after"))
        means = (statistics.mean(before), statistics.mean(after))
        table.add_row(name, *(f"{v:.3f}" for v in means), f"{min(after):.3f} to {max(after):.3f}")
    for name in ("seam ratio", "step ratio"):
        shares = [statistics.mean(r[side][name] <= 1 for r in rows) for side in ("before", "after")]
        table.add_row(f"{name} at most 1", *(f"{100 * share:.0f} %" for share in shares), "")
    table.add_row(
        "loss",
        *(f"{statistics.mean(row[k] for row in rows):.3f}" for k in ("first_loss", "least_loss")),
        "",
    )
    table.add_row("iterations", "", f"{statistics.mean(r['iterations'] for r in rows):.1f}", "")
    table.add_row("seconds", "", f"{statistics.median(r['wall_s'] for r in rows):.1f}", "median")
    return table


def main(
    control: Annotated[list[str] | None, typer.Option(help="Which; all by default.")] = None,
    takes: int = 20,
    steps: int = DEFAULT.steps,
    search_steps: int = DEFAULT.search_steps,
    optimiser: str = DEFAULT.optimiser,
    threads: int = 2,
    weights: Path | None = None,
    out: Path | None = None,
) -> None:
    """Print a table for each control and, with --out, write every record as JSON."""
    set_numerics(threads)
    model = builtin.load(choose("auto"), **({"folder": weights} if weights else {}))
    quality = spec.Quality(steps=steps, search_steps=search_steps, optimiser=optimiser)
    records = {}
    for name in control or CONTROLS:
        records[name] = measure_control(name, takes, quality, model)
        console.print(_table(name, records[name]))
    if out:
        out.write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
