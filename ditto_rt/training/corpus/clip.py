"""A clip from a seed: audio and the truth about it."""

from dataclasses import dataclass

import numpy as np

from ditto_rt.training.corpus.compose import compose
from ditto_rt.training.corpus.oscillators import RATE_HZ, Floats
from ditto_rt.training.corpus.plan import make_plan
from ditto_rt.training.corpus.render import render

# Training draws seeds below this range; measurements draw them from it.
HELD_OUT_SEEDS = range(1_000_000_000, 2_000_000_000)


@dataclass(frozen=True)
class Clip:
    """Audio (N samples, mono) and its labels.

    Sample 0 is beat 0, the start of a bar. `key` is a pitch class (0 is C), `chords` are (beat,
    root pitch class, quality), `melody` (MIDI pitch, beat, beats), `sections` (letter, beat).
    With `loop` the clip is a whole number of bars and repeats without a seam.
    """

    audio_N: Floats
    rate_hz: int
    tempo_bpm: float
    genre: str
    mood: str
    key: int
    mode: str
    chords: tuple[tuple[float, int, str], ...]
    melody: tuple[tuple[int, float, float], ...]
    sections: tuple[tuple[str, float], ...]
    loop: bool


def make_clip(seed: int, seconds: float | None = None) -> Clip:
    """Compose and render the clip of a seed; the same seed and length give the same clip.

    `seconds` fixes the length; None draws it from 2 to 12 s. Raises ValueError for a negative
    seed or a length outside 0.5 to 60 s.
    """
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")
    if seconds is not None and not 0.5 <= seconds <= 60:
        raise ValueError(f"seconds is {seconds}; it must be from 0.5 to 60")
    rng = np.random.default_rng(seed)
    plan = make_plan(seconds, rng)
    count = round(plan.beats * plan.beat_s * RATE_HZ)
    score = compose(plan, rng)
    audio_N = render(plan, score, count, rng)
    return Clip(
        audio_N=audio_N,
        rate_hz=RATE_HZ,
        tempo_bpm=plan.tempo_bpm,
        genre=plan.genre,
        mood=plan.mood,
        key=plan.key,
        mode=plan.mode,
        chords=tuple((float(c.beat), c.root, c.quality) for c in score.chords),
        melody=tuple((n.pitch, n.beat, n.beats) for n in score.notes.get("lead", [])),
        sections=tuple((letter, float(start)) for letter, start in plan.starts()),
        loop=plan.loop,
    )
