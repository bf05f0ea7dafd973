"""`ditto-rt cache ...`: look at what is remembered, keep it, carry it, forget it.

Works beside a running daemon: both go through the index's lock.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from daemon.config import expand, load
from daemon.errors import ConfigError, Refusal
from daemon.tables import say

# Each command loads what it needs: all others start without it.
if TYPE_CHECKING:
    from daemon.cache.index import Row
    from daemon.cache.store import Cache

SHOWN_DIGITS = 8
MEGABYTE = 1_000_000

app = typer.Typer(no_args_is_help=True, help="What is remembered of takes.")
_ConfigFile = Annotated[Path | None, typer.Option(help="A config.toml; else ./config.toml.")]
_Entries = Annotated[list[str], typer.Argument(metavar="ENTRY...", help="Its first digits do.")]


@app.command("list")
def list_entries(config: _ConfigFile = None) -> None:
    """Show the entries, the last used first."""
    with _opened(config) as cache:
        rows = cache.entries()
        table = Table("entry", "asked", "loss", "MB", "pinned", "made")
        for row in rows:
            table.add_row(*_cells(row))
        used = sum(row.bytes for row in rows) / MEGABYTE
        table.caption = f"{len(rows)} entries, {used:.1f} of {cache.most_bytes / MEGABYTE:g} MB"
        say(table)


@app.command()
def pin(entries: _Entries, config: _ConfigFile = None) -> None:
    """Keep entries whatever comes."""
    with _opened(config) as cache:
        cache.pin(chosen(cache.entries(), entries), True)


@app.command()
def unpin(entries: _Entries, config: _ConfigFile = None) -> None:
    """Let entries go when their time comes."""
    with _opened(config) as cache:
        cache.pin(chosen(cache.entries(), entries), False)


@app.command("export")
def export_entries(
    file: Annotated[Path, typer.Argument(metavar="SET.zip", help="Where they go.")],
    entries: Annotated[
        list[str] | None, typer.Argument(metavar="ENTRY...", help="All, where none is named.")
    ] = None,
    config: _ConfigFile = None,
) -> None:
    """Write entries into one file, to carry to another machine."""
    from daemon.cache.bundle import write_bundle

    with _opened(config) as cache:
        rows = cache.entries()
        keys = chosen(rows, entries) if entries else [row.key for row in rows]
        say(f"{write_bundle(cache, keys, file)} entries are in {escape(str(file))}")


@app.command("import")
def import_entries(
    file: Annotated[Path, typer.Argument(metavar="SET.zip", help="What export wrote.")],
    config: _ConfigFile = None,
) -> None:
    """Take in the entries of a file that export wrote."""
    from daemon.cache.bundle import read_bundle

    with _opened(config) as cache:
        found = read_bundle(cache, file)
        damaged = f"; {found.damaged} were damaged and left out" if found.damaged else ""
        say(f"{found.entries} entries came in{damaged}")


@app.command()
def clear(
    pinned: Annotated[bool, typer.Option(help="The pinned entries, too.")] = False,
    config: _ConfigFile = None,
) -> None:
    """Forget all entries but the pinned ones."""
    with _opened(config) as cache:
        say(f"{cache.clear(pinned)} entries are gone")


def chosen(rows: Sequence["Row"], words: Sequence[str]) -> list[str]:
    """Return the keys that begin with `words`. Raises Refusal for none or for several."""
    keys = []
    for word in words:
        fitting = [row.key for row in rows if row.key.startswith(word)]
        if len(fitting) != 1:
            raise Refusal(
                "bad_value",
                f"entry {word!r} fits {len(fitting)} of {len(rows)} entries; allowed: the first "
                "digits of one, as `ditto-rt cache list` shows them",
            )
        keys += fitting
    return keys


def _cells(row: "Row") -> tuple[str, ...]:
    return (
        row.key[:SHOWN_DIGITS],
        escape(row.words),
        "" if row.loss is None else f"{row.loss:.3g}",
        f"{row.bytes / MEGABYTE:.1f}",
        "pinned" if row.pinned else "",
        time.strftime("%Y-%m-%d %H:%M", time.localtime(row.made_s)),
    )


@contextmanager
def _opened(file: Path | None) -> Iterator["Cache"]:
    from daemon.cache.store import Cache

    try:
        settings = load(file).cache
        cache = Cache(expand(settings.folder), settings.most_mb * MEGABYTE)
        try:
            yield cache
        finally:
            cache.close()
    except (ConfigError, Refusal, OSError, sqlite3.Error) as error:
        Console(stderr=True).print(f"[red]ditto-rt:[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error
