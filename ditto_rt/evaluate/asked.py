"""Random jobs to measure by: takes like held-out clips, and takes that follow a control."""

import random
from collections.abc import Callable
from math import ceil

import numpy as np

from ditto_rt import spec
from ditto_rt.tags import GENRES
from ditto_rt.training.corpus import HELD_OUT_SEEDS
from ditto_rt.training.corpus.plan import make_plan

SECONDS = 6.0
# Where the breakpoints of a curve lie, as shares of the take.
POINTS_AT = (0.0, 0.3, 0.6, 1.0)
PATTERNS = ("AB", "ABA", "ABBA", "AABB", "ABAB", "ABAC")
SCALE = (60, 62, 64, 65, 67, 69, 71, 72, 74, 76)
# Those whose clips have drums in every bar.
DRUMMED = tuple(genre for genre in GENRES if genre != "ambient")


def like_held_out(number: int, quality: spec.Quality) -> spec.Job:
    """Return the job with tags, tempo and length of a held-out clip."""
    # A plan is a thousand times cheaper than the clip, and names the same tags.
    plan = make_plan(SECONDS, np.random.default_rng(HELD_OUT_SEEDS[number]))
    return spec.Job(
        genre=plan.genre,
        mood=plan.mood,
        bpm=plan.tempo_bpm,
        beats=SECONDS * plan.tempo_bpm / 60.0,
        seed=number,
        quality=quality,
    )


def _intensity(draw: random.Random, beats: float) -> dict[str, object]:
    points = [spec.Point(beat=at * beats, db=draw.uniform(-30, -12)) for at in POINTS_AT]
    return {"intensity": spec.Intensity(points=tuple(points))}


def _melody(draw: random.Random, beats: float) -> dict[str, object]:
    notes = [spec.Note(pitch=draw.choice(SCALE), beat=at, beats=1) for at in range(ceil(beats))]
    return {"melody": spec.Melody(notes=tuple(notes))}


def _structure(draw: random.Random, _beats: float) -> dict[str, object]:
    return {"structure": spec.Structure(pattern=draw.choice(PATTERNS))}


def _loop(_draw: random.Random, _beats: float) -> dict[str, object]:
    return {"loop": spec.Loop(overlap_s=0.5)}


CONTROLS: dict[str, Callable[[random.Random, float], dict[str, object]]] = {
    "intensity": _intensity,
    "melody": _melody,
    "structure": _structure,
    "loop": _loop,
}


def with_control(control: str, number: int, quality: spec.Quality) -> spec.Job:
    """Return the job of a held-out clip with a random target.

    Tags and tempo go together as in the corpus: at a tempo that its genre never has, a take is
    heard as another genre with or without a control.
    """
    job = like_held_out(number, quality)
    asked = CONTROLS[control](random.Random(f"{control} {number}"), job.beats)
    return job.model_copy(update=asked)
