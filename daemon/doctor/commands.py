"""The command: measure one after another under a progress bar, then say all in a table."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from daemon.config import Config, load
from daemon.doctor.findings import Finding, Sound
from daemon.errors import ConfigError

STEPS = 7
Tell: TypeAlias = Callable[[str], None]

COLOURS = {"good": "green", "note": "yellow", "bad": "red"}
MARKS = {"good": "good", "note": "note", "bad": "CHANGE"}


def doctor(
    config: Annotated[Path | None, typer.Option(help="A config.toml; else ./config.toml.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and no table.")] = False,
) -> None:
    """Measure what this machine can do; exit 1 where something should be changed."""
    errors = Console(stderr=True)
    try:
        settings = load(config)
    except ConfigError as error:
        errors.print(f"[red]ditto-rt:[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error
    with Progress(
        BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        console=errors, transient=True, disable=not errors.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("looking around", total=STEPS)

        def tell(text: str) -> None:
            bar.update(task, advance=1, description=text)

        found = list(examine(settings, tell))
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=1))
    else:
        _show(found)
    if any(each.level == "bad" for each in found):
        raise typer.Exit(1)


def examine(config: Config, tell: Tell) -> Iterator[Finding]:
    """Yield all findings, the slow ones last."""
    from daemon.doctor import machine, probe

    yield from machine.findings(config)
    tell("asking whether a daemon runs")
    there = probe.running_here(config)
    yield from machine.ports(config, there is not None)
    page = f"http://{config.http.host}:{config.http.port}/metrics"
    heard: Sound | None = None
    if there:
        tell("listening to the daemon that runs")
        heard = probe.sound(there, page)
        there.close()
    with tempfile.TemporaryDirectory() as folder:
        yield from _private(config, Path(folder), heard, tell)


def _private(config: Config, folder: Path, heard: Sound | None, tell: Tell) -> Iterator[Finding]:
    from time import monotonic

    from daemon.bench.process import running
    from daemon.doctor import findings, probe

    tell("starting a daemon of its own")
    cores = os.cpu_count() or 1
    with running(folder, probe.settings(config, heard is None)) as daemon:
        start_s = monotonic() - daemon.started_s
        if heard is None:
            tell("opening the output")
            heard = probe.sound(daemon.peer(), daemon.url("metrics"))
        yield from findings.of_sound(heard, cores, config.engine.threads)
        try:
            engine = probe.engine(daemon, start_s, tell)
        except (RuntimeError, TimeoutError) as error:
            yield Finding("engine", "bad", str(error), "look at the log of `ditto-rt serve`")
            return
        tell("sending pings")
        yield findings.of_trip(*probe.trip_ms(daemon.peer()))
        yield from findings.of_engine(engine, config, cores)


def _show(found: list[Finding]) -> None:
    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for each in found:
        text = escape(each.text)
        if each.change:
            text += f"\n[bold]->[/bold] {escape(each.change)}"
        colour = COLOURS[each.level]
        table.add_row(f"[{colour}]{MARKS[each.level]}[/{colour}]", each.topic, text)
    console.print(table)
    bad = sum(each.level == "bad" for each in found)
    console.print(
        "[green]This machine is fit.[/green]"
        if not bad
        else f"[red]{bad} of {len(found)} lines ask for a change.[/red]"
    )
