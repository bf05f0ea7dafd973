"""`ditto-rt bench ...`: the figures of docs/results.md about the running daemon."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Measure a daemon of its own on this machine.")


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
