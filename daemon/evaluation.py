"""`ditto-rt evaluate ...`: what the built-in model shows on seeds it never saw."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ditto_rt.errors import DittoError

ALL_PARTS = "real,generated,controls,vocoder,speed,picture"

app = typer.Typer(no_args_is_help=True, help="Measure what is shipped.")
_Folder = Annotated[Path, typer.Option(help="Where records are kept, so that runs resume.")]


@app.callback()
def _group() -> None:
    # With a callback a single command keeps its name.
    pass


@app.command()
def model(  # noqa: PLR0913 - one option for each thing a user may want to change
    parts: Annotated[str, typer.Option(help="Any of these, with commas.")] = ALL_PARTS,
    seeds: Annotated[int, typer.Option(min=2, help="Clips in each set.")] = 512,
    control_seeds: Annotated[int, typer.Option(min=2, help="Takes for each control.")] = 50,
    steps: Annotated[
        str, typer.Option(help="Sampler steps of the sets, with commas.")
    ] = "20,4,2,1",
    search_steps: Annotated[int, typer.Option(min=1, help="Of a search for a control.")] = 1,
    decode_steps: Annotated[int, typer.Option(min=1, help="Of what a search found.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    minutes: Annotated[float | None, typer.Option(help="Stop making clips after so long.")] = None,
    folder: _Folder = Path("work_evaluate"),
    picture: Annotated[Path, typer.Option(help="The page.")] = Path("docs/images/model.png"),
    out: Annotated[Path | None, typer.Option(help="Write all figures there as JSON.")] = None,
) -> None:
    """Measure the built-in model on held-out seeds and print Markdown tables.

    Clips are made one after the other and remembered: a run that was ended goes on where it was.
    """
    console = Console(stderr=True)
    try:
        asked = [word.strip() for word in parts.split(",") if word.strip()]
        unknown = [word for word in asked if word not in ALL_PARTS.split(",")]
        if unknown or not asked:
            raise ValueError(f"parts is {parts!r}; allowed: {ALL_PARTS}")
        numbers = _steps(steps)
        if out is not None and not out.absolute().parent.is_dir():
            raise ValueError(f"folder {out.parent} does not exist; allowed: one that does")
        with console.status("loading"):
            from ditto_rt.evaluate.markdown import page
            from ditto_rt.evaluate.model import Options, measure
        options = Options(
            parts=tuple(asked),
            seeds=seeds,
            control_seeds=control_seeds,
            steps=numbers,
            search_steps=search_steps,
            decode_steps=decode_steps,
            threads=threads,
            device=device,
            minutes=minutes,
            folder=folder,
            picture=picture,
        )
        found = measure(options, console)
    except ModuleNotFoundError as error:
        raise _ended(
            f"{error.name} is not installed; get it with: make install", console
        ) from error
    except (DittoError, ValueError, OSError) as error:
        raise _ended(str(error), console) from error
    if out is not None:
        out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    typer.echo(page(found), nl=False)


def _steps(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= 1000 for word in words):
        raise ValueError(f"steps is {text!r}; allowed: whole numbers from 1 to 1000, with commas")
    return tuple(int(word) for word in words)


def _ended(text: str, console: Console) -> typer.Exit:
    console.print(f"[red]ditto-rt:[/red] {escape(text)}", soft_wrap=True)
    return typer.Exit(1)
