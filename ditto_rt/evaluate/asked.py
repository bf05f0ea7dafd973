"""Random jobs to measure by: takes like held-out clips, and takes that follow a control."""

import random
from collections.abc import Callable

import numpy as np

from ditto_rt import spec
from ditto_rt.tags import GENRES, MOODS
from ditto_rt.training.corpus import HELD_OUT_SEEDS
from ditto_rt.training.corpus.plan import make_plan

SECONDS = 6.0
BEATS = 8.0
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


def _intensity(draw: random.Random) -> dict[str, object]:
    points = [spec.Point(beat=beat, db=draw.uniform(-30, -12)) for beat in (0, 2.5, 5, 8)]
    return {"intensity": spec.Intensity(points=tuple(points))}


def _melody(draw: random.Random) -> dict[str, object]:
    notes = [spec.Note(pitch=draw.choice(SCALE), beat=beat, beats=1) for beat in range(8)]
    return {"melody": spec.Melody(notes=tuple(notes))}


def _structure(draw: random.Random) -> dict[str, object]:
    return {"structure": spec.Structure(pattern=draw.choice(PATTERNS))}


def _loop(_draw: random.Random) -> dict[str, object]:
    return {"loop": spec.Loop(overlap_s=0.5)}


CONTROLS: dict[str, Callable[[random.Random], dict[str, object]]] = {
    "intensity": _intensity,
    "melody": _melody,
    "structure": _structure,
    "loop": _loop,
}


def with_control(control: str, number: int, quality: spec.Quality) -> spec.Job:
    """Return a job with random tags, tempo (90 to 150 BPM), seed and target, 8 beats long."""
    draw = random.Random(f"{control} {number}")
    return spec.Job.model_validate(
        {
            "genre": draw.choice(GENRES),
            "mood": draw.choice(MOODS),
            "bpm": round(draw.uniform(90, 150), 1),
            "beats": BEATS,
            "seed": draw.randrange(2**31),
            "quality": quality,
            **CONTROLS[control](draw),
        }
    )
