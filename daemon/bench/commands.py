"""`ditto-rt bench ...`: the figures of docs/results.md about the running daemon."""

import json
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Measure a daemon of its own on this machine.")


PARTS = ("launches", "trigger", "start", "first", "engine", "audio", "hostile")


@app.callback()
def _ended_from_outside() -> None:
    # The default would leave the daemon and the JACK server that were started, and what they hold.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@app.command()
def live(
    only: Annotated[str, typer.Option(help=f"Parts with commas: {', '.join(PARTS)}.")] = "",
    bars: Annotated[int, typer.Option(min=1, help="Length of the set.")] = 64,
    changes: Annotated[int, typer.Option(min=1, help="Launches, stops and swaps.")] = 200,
    engine_kills: Annotated[int, typer.Option(min=1, help="Of the engine.")] = 20,
    audio_kills: Annotated[int, typer.Option(min=1, help="Of the audio process.")] = 5,
    datagrams: Annotated[int, typer.Option(min=250, help="Damaged ones.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of all that is random.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A JSON file for the figures.")] = None,
) -> None:
    """Measure what is heard through JACK; print tables, exit 1 where a goal is missed."""
    from daemon.bench import answers, assault, jack, kills
    from daemon.bench import live as long_set
    from daemon.bench.figures import Figure, Plan, markdown

    parts = {
        "launches": long_set.launches,
        **answers.PARTS,
        **kills.PARTS,
        "hostile": assault.assault,
    }
    chosen = only.split(",") if only else list(PARTS)
    if unknown := [name for name in chosen if name not in parts]:
        raise typer.BadParameter(f"--only has {unknown[0]!r}; allowed: {', '.join(PARTS)}")
    if lacking := jack.missing():
        Console(stderr=True).print(f"[red]ditto-rt:[/red] {escape(lacking)}", soft_wrap=True)
        raise typer.Exit(1)
    plan = Plan(bars, changes, engine_kills, audio_kills, datagrams, seed=seed)
    console, found = Console(soft_wrap=True), dict[str, list[Figure]]()
    for name in chosen:
        with Console(stderr=True).status(f"{name} ..."):
            found[name] = parts[name](plan)
        console.print(f"{name}\n\n{markdown(found[name])}", markup=False)
    if out:
        plain = {name: [each.plain() for each in figures] for name, figures in found.items()}
        out.write_text(json.dumps(plain, indent=1))
    if not all(each.passed for figures in found.values() for each in figures):
        raise typer.Exit(1)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(min=0.2, help="How long.")] = 60.0,
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 5.0,
    out: Annotated[Path, typer.Option(help="Folder for what it writes.")] = Path("soak"),
) -> None:
    """Let a busy set run for long; exit 1 where a process grows or the set is disturbed."""
    from daemon.bench import soak as measure

    console = Console()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        samples, load = measure.soak(Path(folder), minutes, every, out / "soak.log")
    measure.write_csv(samples, out / "soak.csv")
    try:
        measure.plot(samples, out / "soak.png")
    except ImportError:
        console.print("no picture: matplotlib is missing; pip install matplotlib")
    table = Table("process", "MiB before", "MiB at the end", "growth", "allowed", "starts", "")
    found = measure.growths(samples)
    for row in found:
        table.add_row(
            row.process,
            f"{row.before_bytes / measure.MIB:.2f}",
            f"{row.after_bytes / measure.MIB:.2f}",
            f"{100 * row.share:+.2f} %",
            f"{100 * row.limit:g} %",
            f"{row.pids}",
            "good" if row.passed else "TOO MUCH",
        )
    asked = ", ".join(f"{count} {name}" for name, count in sorted(load.counts.items()))
    console.print(table, f"asked: {asked}", f"underruns: {samples[-1].underruns}", sep="\n")
    if minutes * 60 < measure.HONEST_S:
        console.print("A run below 15 minutes ends while caches still fill: it finds gross leaks.")
    for trouble in load.troubles:
        console.print(f"[red]{trouble}[/red]")
    summary = {row.process: row.share for row in found}
    (out / "soak.json").write_text(json.dumps({"growth": summary, "asked": load.counts}, indent=1))
    if load.troubles or not all(row.passed for row in found):
        raise typer.Exit(1)
