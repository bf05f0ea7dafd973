"""What a take is asked to be: plain, frozen, checked, and readable from JSON. No torch here.

All times inside a take are in beats from its first sample; dB are full scale (RMS of a
full-scale square wave is 0 dB).
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    model_validator,
)

from ditto_rt import limits
from ditto_rt.limits import Range
from ditto_rt.tags import GENRES, MOODS

RegionMode = Literal["outpaint", "inpaint", "loop", "vary", "continue"]
Sampler = Literal["ddim", "dpmpp_2m", "ddpm"]
Optimiser = Literal["adam", "lbfgs"]
# Rates that were measured to be quick and steady (docs/results.md).
RATES: Mapping[str, float] = {"adam": 0.05, "lbfgs": 0.2}


def _within(name: str, allowed: Range) -> AfterValidator:
    def check(value: float) -> float:
        problem = allowed.problem(name, value)
        if problem:
            raise ValueError(problem)
        return value

    return AfterValidator(check)


def _number(value: object) -> object:
    return float("nan") if value is None else value


# What is no number, as the correlation with a flat curve, is null in JSON.
Measured = Annotated[float, BeforeValidator(_number)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Region(_Frozen):
    """A part of an audio file and what to do with it (ditto.md section 2).

    outpaint: the take continues the region. inpaint: the region's edges are kept, its middle is
    made anew. loop: the take leads from the region's end back to its start. vary: the take starts
    from the region's own latent. continue: as outpaint, but the region is held while the take is
    sampled, in place of a search for noise that gives it: at once, where outpaint takes minutes.
    """

    path: str
    start_s: Annotated[float, _within("start_s", limits.REGION_S)]
    end_s: Annotated[float, _within("end_s", limits.REGION_S)]
    mode: RegionMode

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end_s <= self.start_s:
            raise ValueError(
                f"end_s is {self.end_s:g}; allowed: more than start_s {self.start_s:g}"
            )
        return self


class Point(_Frozen):
    """One breakpoint of an intensity curve."""

    beat: Annotated[float, _within("beat", limits.POINT_BEAT)]
    db: Annotated[float, _within("db", limits.INTENSITY_DB)]


class Intensity(_Frozen):
    """A loudness curve: breakpoints joined by straight lines in dB, flat before and after."""

    points: tuple[Point, ...]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.points:
            raise ValueError("intensity has 0 breakpoints; allowed: 1 or more")
        for before, after in pairwise(self.points):
            if after.beat <= before.beat:
                raise ValueError(
                    f"beat {after.beat:g} follows beat {before.beat:g}; "
                    "allowed: breakpoints in rising order"
                )
        return self


class Note(_Frozen):
    """One note of a melody."""

    pitch: Annotated[int, _within("pitch", limits.PITCH)]
    beat: Annotated[float, _within("beat", limits.POINT_BEAT)]
    beats: Annotated[float, _within("beats", limits.NOTE_BEATS)]


class Melody(_Frozen):
    """Notes whose pitch classes the take should follow; where notes overlap, the later wins."""

    notes: tuple[Note, ...]

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.notes:
            raise ValueError("melody has 0 notes; allowed: 1 or more")
        return self


class Structure(_Frozen):
    """A form of equally long sections, one letter each; equal letters should sound alike."""

    pattern: str

    @model_validator(mode="after")
    def _letters(self) -> Self:
        word = self.pattern
        if not (2 <= len(word) <= 16 and word.isascii() and word.isalpha()):
            raise ValueError(f"pattern is {word!r}; allowed: 2 to 16 letters A to Z")
        if len(set(word.upper())) < 2:
            raise ValueError(f"pattern is {word!r}; allowed: at least two different letters")
        return self


class Loop(_Frozen):
    """Reference-free looping: the take's continuation is made to match its own start (app. E)."""

    overlap_s: Annotated[float, _within("overlap_s", limits.OVERLAP_S)] = 0.5


class Quality(_Frozen):
    """How a take is made. None: as many iterations as the controls want. Rate 0: the optimiser's.

    steps: sampler steps of what is heard. search_steps: those of each iteration of a search, fewer
    to be quick (DITTO-2, section 3); the best iteration's noise is then decoded with `steps`.
    """

    steps: Annotated[int, _within("steps", limits.STEPS)] = 2
    search_steps: Annotated[int, _within("search_steps", limits.STEPS)] = 2
    iterations: Annotated[int, _within("iterations", limits.ITERATIONS)] | None = None
    guidance: Annotated[float, _within("guidance", limits.GUIDANCE)] = 2.0
    optimiser: Optimiser = "adam"
    learning_rate: Annotated[float, _within("learning_rate", limits.LEARNING_RATE)] = 0.0
    sampler: Sampler = "ddim"

    @property
    def rate(self) -> float:
        """Return the learning rate of the search."""
        return self.learning_rate or RATES[self.optimiser]


class Job(_Frozen):
    """All that is needed to make one take."""

    genre: str | None = None
    mood: str | None = None
    bpm: Annotated[float, _within("bpm", limits.BPM)] = 120.0
    beats: Annotated[float, _within("beats", limits.BEATS)] = 8.0
    seed: Annotated[int, _within("seed", limits.SEED)] = 0
    region: Region | None = None
    intensity: Intensity | None = None
    melody: Melody | None = None
    structure: Structure | None = None
    loop: Loop | None = None
    quality: Quality = Quality()

    @property
    def seconds(self) -> float:
        """Length of the take."""
        return self.beats * 60.0 / self.bpm

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name, value, known in (("genre", self.genre, GENRES), ("mood", self.mood, MOODS)):
            if value is not None and value not in known:
                raise ValueError(f"{name} is {value!r}; allowed: {', '.join(known)}")
        problem = limits.TAKE_S.problem(
            f"length of {self.beats:g} beats at {self.bpm:g} bpm", self.seconds
        )
        if problem:
            raise ValueError(problem)
        return self


class IntensityReport(_Frozen):
    """How closely the loudness curve was met, from the rendered file.

    level_db: how loud the take is in the middle of each of so many equal parts of it, smoothed as
    for the figures; empty in reports from before there was one.
    """

    mse_db2: Measured
    correlation: Measured
    level_db: tuple[Measured, ...] = ()


class MelodyReport(_Frozen):
    """Share of frames whose strongest pitch class is the asked one; chance is 1/12."""

    accuracy: Measured


class StructureReport(_Frozen):
    """Squared distance between the take's self-similarity and the asked one."""

    mse: Measured


class SeamReport(_Frozen):
    """Spectral change across the loop point over the 99th percentile of those inside."""

    ratio: Measured


class Report(_Frozen):
    """What was made and how closely it meets what was asked.

    `final`: False for a version that was heard while the search went on. `lowered`: what was made
    less than asked because memory was short, "" for nothing. `gain_db`: by how much the whole take
    was turned up, to its curve or to fit below full scale; it is in all other figures.
    """

    final: bool = True
    lowered: str = ""
    sample_rate: int
    frames: int
    seconds: float
    wall_s: float
    iterations: int
    loss: tuple[Measured, ...]
    gain_db: Measured = 0.0
    intensity: IntensityReport | None = None
    melody: MelodyReport | None = None
    structure: StructureReport | None = None
    seam: SeamReport
    model: str
    device: str

    @model_validator(mode="before")
    @classmethod
    def _from_older(cls, given: Any) -> Any:
        """Take a report in which the gain still stood beside the curve, as saved scenes hold."""
        curve = given.get("intensity") if isinstance(given, dict) else None
        if not isinstance(curve, dict) or "gain_db" not in curve:
            return given
        rest = {name: value for name, value in curve.items() if name != "gain_db"}
        return {"gain_db": curve["gain_db"], **given, "intensity": rest}


def sentence(error: ValidationError) -> str:
    """Return the first problem of a failed check as one plain sentence."""
    first = error.errors(include_url=False)[0]
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "value_error":
        return message
    where = ".".join(str(part) for part in first["loc"])
    return f"{where} is {first['input']!r}; {message[0].lower()}{message[1:]}"
