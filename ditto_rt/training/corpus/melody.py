"""Lead melodies: a motif of one or two bars, repeated and turned to fit the chords."""

import numpy as np

from ditto_rt.training.corpus import theory
from ditto_rt.training.corpus.genres import MOOD_STYLES
from ditto_rt.training.corpus.plan import BEATS_PER_BAR, Plan, SectionPlan
from ditto_rt.training.corpus.voices import Note

Rng = np.random.Generator

# Sixteen steps: x begins a note, - holds it; from sparse to dense.
RHYTHMS = (
    "x---------------",
    "x-------x-------",
    "x-----x-x-------",
    "x---x---x-------",
    "..x---x-x---....",
    "x---x-x-x---x---",
    "x--x--x-x---x-x-",
    "..x-x-x-..x-x---",
    "x-x-x---x-x-x---",
    "x--x--x-x--x--x-",
    "x-x-x-x-x-x-x-x-",
    "x-xxx-x-x-xxx-x-",
)
LOW, HIGH = 58, 86


def _rhythm(density: float, rng: Rng) -> list[tuple[int, int]]:
    """Draw a rhythm near a density; return (step, steps) of its notes."""
    middle = density * (len(RHYTHMS) - 1)
    # Neighbouring rhythms stay possible, so that a mood is a lean and not a rule.
    weights = np.exp(-(((np.arange(len(RHYTHMS)) - middle) / 2.0) ** 2))
    steps = RHYTHMS[rng.choice(len(RHYTHMS), p=weights / weights.sum())]
    starts = [index for index, mark in enumerate(steps) if mark == "x"]
    return [
        (start, 1 + len(steps[start + 1 :]) - len(steps[start + 1 :].lstrip("-")))
        for start in starts
    ]


def _turn(pitch: int, scale: tuple[int, ...], classes: set[int]) -> int:
    """Return the chord note of the scale nearest to a pitch."""
    return min((p for p in scale if p % 12 in classes), key=lambda p: (abs(p - pitch), p))


def compose_melody(
    plan: Plan, section: SectionPlan, chords: list[tuple[float, tuple[int, ...]]], rng: Rng
) -> list[Note]:
    """Return a melody in the scale; its long and strong notes belong to the chord.

    `chords` are (beat, pitches). The motif's contour, in scale steps, returns in each bar,
    so that the ear (and a model) finds it again over other chords.
    """
    centre = 71 + MOOD_STYLES[plan.mood].register
    scale = theory.scale_pitches(plan.key, plan.mode, LOW, HIGH)
    home = min(range(len(scale)), key=lambda i: abs(scale[i] - centre))
    density = 0.9 * section.density if plan.melody_led else section.density
    bars = [_rhythm(density, rng)]
    bars.append(bars[0] if rng.random() < 0.6 else _rhythm(density, rng))
    leaps = rng.choice([-3, -2, -1, 1, 2, 3, 4], 32, p=[0.06, 0.16, 0.28, 0.28, 0.14, 0.05, 0.03])
    notes = []
    for bar in range(-(-plan.section_beats // BEATS_PER_BAR)):
        index = home
        for order, (step, steps) in enumerate(bars[bar % 2]):
            beat = bar * BEATS_PER_BAR + step / 4
            if beat >= plan.section_beats:
                break
            index = int(np.clip(index + leaps[order], max(home - 5, 0), home + 5))
            index = min(index, len(scale) - 1)
            # Weak short notes may pass through the scale; the others settle in the chord.
            if step % 4 == 0 or steps > 3:
                current = max((at, pitches) for at, pitches in chords if at <= beat)[1]
                classes = {p % 12 for p in current}
                index = scale.index(_turn(scale[index], scale, classes))
            velocity = 0.95 if step % 4 == 0 else 0.8
            length = min(steps / 4, plan.section_beats - beat)
            notes.append(Note(scale[index], beat, length * 0.95, velocity))
    return notes
