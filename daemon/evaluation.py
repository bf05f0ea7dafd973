"""`ditto-rt evaluate ...`: what the built-in model shows on seeds it never saw."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from daemon.options import spread
from ditto_rt import limits
from ditto_rt.errors import DittoError

PARTS = "real,generated,controls,vocoder,speed,picture"

app = typer.Typer(no_args_is_help=True, help="Measure what is shipped.")


@dataclass(frozen=True)
class EvaluateOptions:
    """What `ditto-rt evaluate model` is asked."""

    parts: Annotated[str, typer.Option(help="Any of these, with commas.")] = PARTS
    seeds: Annotated[int, typer.Option(min=2, help="Clips in each set.")] = 512
    control_seeds: Annotated[int, typer.Option(min=2, help="Takes for each control.")] = 50
    steps: Annotated[str, typer.Option(help="Sampler steps of the sets, with commas.")] = "20,4,2,1"
    search_steps: Annotated[int, typer.Option(min=1, help="Of a search for a control.")] = 2
    decode_steps: Annotated[int, typer.Option(min=1, help="Of what a search found.")] = 2
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto"
    minutes: Annotated[float | None, typer.Option(help="Stop making clips after so long.")] = None
    folder: Annotated[Path, typer.Option(help="Where records are, so that runs resume.")] = Path(
        "work_evaluate"
    )
    picture: Annotated[Path, typer.Option(help="The page.")] = Path("docs/images/model.png")
    out: Annotated[Path | None, typer.Option(help="Write all figures there as JSON.")] = None


@app.callback()
def _group() -> None:
    # With a callback a single command keeps its name.
    pass


@app.command()
@spread(EvaluateOptions)
def model(given: EvaluateOptions) -> None:
    """Measure the built-in model on held-out seeds and print Markdown tables.

    Clips are made one after the other and remembered: a run that was ended goes on where it was.
    """
    console = Console(stderr=True)
    try:
        typer.echo(_measured(given, console), nl=False)
    except ModuleNotFoundError as error:
        text = f"{error.name} is not installed; get it with: make install"
        raise _ended(text, console) from error
    except (DittoError, ValueError, OSError) as error:
        raise _ended(str(error), console) from error


def _measured(given: EvaluateOptions, console: Console) -> str:
    # All that can be wrong with the words is told before torch loads.
    parts = [word.strip() for word in given.parts.split(",") if word.strip()]
    if not parts or not set(parts) <= set(PARTS.split(",")):
        raise ValueError(f"parts is {given.parts!r}; allowed: {PARTS}")
    steps = _steps(given.steps)
    if given.out is not None and not given.out.absolute().parent.is_dir():
        raise ValueError(f"folder {given.out.parent} does not exist; allowed: one that does")
    with console.status("loading"):
        from ditto_rt.evaluate.markdown import page
        from ditto_rt.evaluate.model import Options, measure
    words = {key: value for key, value in vars(given).items() if key != "out"}
    options = Options(**{**words, "parts": tuple(parts), "steps": steps})
    found = measure(options, console)
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return page(found)


def _steps(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    low, high = int(limits.STEPS.low), int(limits.STEPS.high)
    if not all(word.isdecimal() and low <= int(word) <= high for word in words):
        raise ValueError(f"steps is {text!r}; allowed: whole numbers from {low} to {high}")
    return tuple(int(word) for word in words)


def _ended(text: str, console: Console) -> typer.Exit:
    console.print(f"[red]ditto-rt:[/red] {escape(text)}", soft_wrap=True)
    return typer.Exit(1)
