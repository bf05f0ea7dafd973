"""`ditto-rt scene ...`: look at scenes, carry them to another machine, delete them.

Works beside a running daemon, which sees what has changed within two seconds.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
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
    from daemon.scenes.folder import SceneFolder
    from daemon.scenes.scene import Scene

MEGABYTE = 1_000_000

app = typer.Typer(no_args_is_help=True, help="Scenes that were saved.")
_ConfigFile = Annotated[Path | None, typer.Option(help="A config.toml; else ./config.toml.")]


@app.command("list")
def list_scenes(config: _ConfigFile = None) -> None:
    """Show the scenes, by name."""
    with _opened(config) as folder:
        contents = folder.read()
        table = Table("scene", "slots", "play", "bpm", "MB", "saved")
        for scene in sorted(contents.scenes.values(), key=lambda scene: scene.name):
            table.add_row(*_cells(scene))
        table.caption = f"{len(contents.scenes)} scenes in {escape(str(folder.folder))}"
        say(table)


@app.command("export")
def export_scenes(
    file: Annotated[Path, typer.Argument(metavar="SET.zip", help="Where they go.")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="SCENE...", help="All, where none is named.")
    ] = None,
    config: _ConfigFile = None,
) -> None:
    """Write scenes with their sound into one file, to carry to another machine."""
    from daemon.scenes.bundle import write_bundle

    with _opened(config) as folder:
        scenes = folder.read().scenes
        chosen = _chosen(scenes, names) if names else list(scenes.values())
        write_bundle(folder, chosen, file)
        say(f"{len(chosen)} scenes are in {escape(str(file))}")


@app.command("import")
def import_scenes(
    file: Annotated[Path, typer.Argument(metavar="SET.zip", help="What export wrote.")],
    config: _ConfigFile = None,
) -> None:
    """Take in the scenes of a file that export wrote, in place of those with their names."""
    from daemon.scenes.bundle import read_bundle

    with _opened(config) as folder:
        found = read_bundle(folder, file)
        damaged = f"; {found.damaged} were damaged and left out" if found.damaged else ""
        names = ", ".join(escape(repr(name)) for name in found.names)
        say(f"{len(found.names)} scenes came in{': ' * bool(names)}{names}{damaged}")


@app.command("delete")
def delete_scenes(
    names: Annotated[list[str], typer.Argument(metavar="SCENE...", help="Whole names.")],
    config: _ConfigFile = None,
) -> None:
    """Delete scenes, and the sound that no other scene needs."""
    with _opened(config) as folder:
        for scene in _chosen(folder.read().scenes, names):
            folder.delete(scene.name)
        say(f"{len(names)} scenes are gone")


def _chosen(scenes: "Mapping[str, Scene]", names: Sequence[str]) -> "list[Scene]":
    from daemon.scenes.folder import told
    from daemon.scenes.scene import checked_name

    wanted = [checked_name(name) for name in names]
    for name in wanted:
        if name not in scenes:
            raise Refusal("no_scene", f"scene {name!r} is not there; {told(scenes)}")
    return [scenes[name] for name in dict.fromkeys(wanted)]


def _cells(scene: "Scene") -> tuple[str, ...]:
    # Two slots may share one sound, which is there once.
    frames = {part.audio: part.take.report.frames for part in scene.parts if part.take}
    return (
        escape(scene.name),
        str(len(scene.parts)),
        str(scene.plays),
        f"{scene.bpm:g}",
        f"{4 * sum(frames.values()) / MEGABYTE:.1f}",
        time.strftime("%Y-%m-%d %H:%M", time.localtime(scene.saved_s)),
    )


@contextmanager
def _opened(file: Path | None) -> "Iterator[SceneFolder]":
    from daemon.scenes.folder import SceneFolder

    try:
        yield SceneFolder(expand(load(file).scenes.folder))
    except (ConfigError, Refusal, OSError) as error:
        Console(stderr=True).print(f"[red]ditto-rt:[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error
