"""Train the built-in model: `python -m ditto_rt.training --help`. Each stage resumes."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ditto_rt import builtin
from ditto_rt.devices import choose, set_numerics
from ditto_rt.training import held_out, stages, tagging, vocoding
from ditto_rt.training.export import export
from ditto_rt.training.loop import Plan, Run
from ditto_rt.training.shards import make_shards

app = typer.Typer(help=__doc__, no_args_is_help=True)
console = Console()

Folder = Annotated[Path, typer.Option(help="Where corpus and checkpoints are kept.")]
Minutes = Annotated[float | None, typer.Option(help="Stop after so many minutes; resumes later.")]
Threads = Annotated[int, typer.Option(help="CPU threads.")]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
Shipped = Annotated[bool, typer.Option(help="Begin with the shipped weights.")]
WORK = Path("work_training")


def _tell(name: str, run: Run) -> None:
    last = run.history[-1][1] if run.history else {}
    told = ", ".join(f"{part} {value:.4f}" for part, value in last.items())
    console.print(f"{name}: {run.step} steps, {run.seconds / 60:.1f} minutes, {told}")


@app.command()
def corpus(folder: Folder = WORK, clips: int = 4000, workers: int = os.cpu_count() or 1) -> None:
    """Compose and render the training clips."""
    make_shards(folder / "corpus", clips, workers)


@app.command()
def latent(folder: Folder = WORK, threads: Threads = 1, shipped: Shipped = False) -> None:
    """Fit the latent, or keep the shipped one, and encode the corpus."""
    set_numerics(threads)
    if shipped:
        stages.keep_latent(folder / "corpus", folder)
        return
    kept = stages.fit_latent(folder / "corpus", folder)
    console.print(f"latent: {100 * kept:.1f} % of the variance kept")


@app.command()
def vocoder(  # noqa: PLR0913 - one option for each thing a user may want to change
    folder: Folder = WORK,
    steps: int = 20_000,
    minutes: Minutes = None,
    threads: Threads = 1,
    device: Device = "auto",
    rate: float = 1e-3,
    shipped: Shipped = False,
) -> None:
    """Train the vocoder."""
    set_numerics(threads)
    plan = Plan(steps, rate, minutes=minutes)
    _tell("vocoder", vocoding.train_vocoder(folder, plan, choose(device), shipped))


@app.command()
def denoiser(  # noqa: PLR0913 - one option for each thing a user may want to change
    folder: Folder = WORK,
    steps: int = 10_000,
    batch: int = 16,
    minutes: Minutes = None,
    threads: Threads = 1,
    device: Device = "auto",
    rate: float = 1e-3,
    shipped: Shipped = False,
) -> None:
    """Train the denoiser: teacher, guidance and few-step student in one network."""
    set_numerics(threads)
    # A short average: it is the teacher, and must not lag behind by more than a few hundred steps.
    plan = Plan(steps, rate, ema=0.995, minutes=minutes)
    _tell("denoiser", stages.train_denoiser(folder, plan, choose(device), batch, shipped))


@app.command("export")
def export_weights(folder: Folder = WORK) -> None:
    """Write the averaged weights into the package in half precision."""
    for path, size in export(folder).items():
        console.print(f"{path}: {size / 2**20:.2f} MiB")


@app.command()
def report(clips: int = 32, threads: Threads = 2, device: Device = "auto") -> None:
    """Print the denoiser's error on held-out clips; `ditto-rt evaluate model` measures the rest."""
    set_numerics(threads)
    model = builtin.load(choose(device))
    shown = held_out.held_out(clips)
    console.print("velocity error by time", held_out.denoiser_figures(model, shown))
    console.print("distance to 20 steps", held_out.step_figures(model, shown))


@app.command()
def tagger(
    folder: Folder = WORK, steps: int = 1500, minutes: Minutes = None, threads: Threads = 1
) -> None:
    """Train the tagger, which judges takes, with the codec that the package has."""
    set_numerics(threads)
    _tell("tagger", tagging.train_tagger(folder, Plan(steps, 2e-3, minutes=minutes)))


@app.command("all")
def everything(folder: Folder = WORK, device: Device = "auto", threads: Threads = 2) -> None:
    """Run every stage from corpus to shipped weights."""
    corpus(folder)
    latent(folder, threads)
    vocoder(folder, threads=threads, device=device)
    denoiser(folder, threads=threads, device=device)
    export_weights(folder)
    # The codec that it hears takes through is the exported one.
    tagger(folder, threads=threads)
    export_weights(folder)


if __name__ == "__main__":
    app()
