"""The options of `ditto-rt render`, each once, and how they become a job."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from daemon.takes.slots import checked
from ditto_rt import limits
from ditto_rt.errors import BadTarget
from ditto_rt.spec import (
    Intensity,
    Job,
    Loop,
    Melody,
    Point,
    Quality,
    Region,
    RegionMode,
    Structure,
)
from ditto_rt.tags import parse_tags

T = TypeVar("T")


@dataclass(frozen=True)
class RenderOptions:
    """What `ditto-rt render` is asked."""

    out: Annotated[Path, typer.Argument(metavar="OUT.wav", help="The take, 32-bit float WAV.")]
    tags: Annotated[str, typer.Option(help="Words such as 'dark techno'.")] = ""
    bpm: Annotated[float, typer.Option(help=f"Tempo, {limits.BPM}.")] = 120.0
    beats: Annotated[float, typer.Option(help=f"Length, {limits.BEATS}.")] = 8.0
    seed: Annotated[int, typer.Option(help="Same seed, same take.")] = 0
    source: Annotated[Path | None, typer.Option(help="An audio file to work from.")] = None
    start: Annotated[float, typer.Option(help="Where its region begins, in seconds.")] = 0.0
    end: Annotated[float | None, typer.Option(help="Where it ends; else with the file.")] = None
    source_bpm: Annotated[
        float | None, typer.Option(help="With it, --start and --end are beats of the file.")
    ] = None
    mode: Annotated[RegionMode, typer.Option(help="What to do with it.")] = "outpaint"
    intensity: Annotated[str, typer.Option(help="beat:dB,... as 0:-30,8:-12")] = ""
    melody: Annotated[Path | None, typer.Option(help="A MIDI file.")] = None
    structure: Annotated[str, typer.Option(help="A form such as ABBA.")] = ""
    loop: Annotated[bool, typer.Option(help="Let the end lead back to the start.")] = False
    steps: Annotated[int | None, typer.Option(help="Sampler steps of a take without controls.")] = (
        None
    )
    iterations: Annotated[int | None, typer.Option(help="Iterations of the search.")] = None
    report: Annotated[
        Path | None, typer.Option(metavar="REPORT.json", help="Where the figures go.")
    ] = None
    cache: Annotated[
        bool, typer.Option(help="Begin from what is remembered; then history counts, too.")
    ] = False
    config: Annotated[Path | None, typer.Option(help="A config.toml.")] = None


def spread(options: type[T]) -> Callable[[Callable[[T], None]], Callable[..., None]]:
    """Let typer see the fields of `options` as the parameters of a function that takes one."""

    def decorate(function: Callable[[T], None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            function(options(**given))

        hints = get_type_hints(options, include_extras=True)
        # Written as a mapping: typer reads the signature, the type checker knows no such attribute.
        vars(command)["__signature__"] = inspect.Signature(
            [_parameter(field, hints[field.name]) for field in fields(options)]  # type: ignore[arg-type]
        )
        command.__doc__ = function.__doc__
        command.__name__ = function.__name__
        return command

    return decorate


def _parameter(field: Field[Any], annotation: Any) -> inspect.Parameter:
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(field.name, kind, default=default, annotation=annotation)


def job_of(
    options: RenderOptions,
    quality: Quality,
    read_midi: Callable[[Path], Melody],
    seconds_of: Callable[[Path], float],
) -> Job:
    """Return the job. Raises Refusal or DittoError with the sentence that the user reads.

    seconds_of gives the length of an audio file.
    """
    tags, unknown = parse_tags(options.tags)
    if unknown:
        raise BadTarget(f"tags have unknown words: {', '.join(unknown)}")
    work = {"steps": options.steps, "iterations": options.iterations}
    given = {name: value for name, value in work.items() if value is not None}
    return checked(
        Job,
        genre=tags.genre,
        mood=tags.mood,
        bpm=options.bpm,
        beats=options.beats,
        seed=options.seed,
        region=_region(options, seconds_of),
        intensity=curve(options.intensity) if options.intensity else None,
        melody=read_midi(options.melody) if options.melody else None,
        structure=checked(Structure, pattern=options.structure) if options.structure else None,
        loop=Loop() if options.loop else None,
        quality=checked(Quality, **{**quality.model_dump(), **given}),
    )


def curve(text: str) -> Intensity:
    """Read '0:-30,8:-12'. Raises BadTarget where it is not in that form, Refusal for its values."""
    points = []
    for word in text.split(","):
        beat, colon, level_db = word.partition(":")
        try:
            points.append(checked(Point, beat=float(beat), db=float(level_db)))
        except ValueError as error:
            raise BadTarget(
                f"intensity has {word!r}; allowed: beat:dB with commas, as 0:-30,8:-12"
            ) from error
    return checked(Intensity, points=tuple(points))


def _region(options: RenderOptions, seconds_of: Callable[[Path], float]) -> Region | None:
    if options.source is None:
        return None
    unit_s = 60.0 / options.source_bpm if options.source_bpm else 1.0
    end_s = seconds_of(options.source) if options.end is None else options.end * unit_s
    return checked(
        Region,
        path=str(options.source),
        start_s=options.start * unit_s,
        end_s=end_s,
        mode=options.mode,
    )
