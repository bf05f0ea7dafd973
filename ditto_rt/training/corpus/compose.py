"""From a plan to a score: each section letter is composed once and placed where it recurs."""

from dataclasses import dataclass, field, replace

import numpy as np

from ditto_rt.training.corpus import patterns, theory
from ditto_rt.training.corpus.genres import GENRE_STYLES, MOOD_STYLES
from ditto_rt.training.corpus.melody import compose_melody
from ditto_rt.training.corpus.plan import BEATS_PER_BAR, Plan, SectionPlan
from ditto_rt.training.corpus.voices import Note

Rng = np.random.Generator


@dataclass(frozen=True)
class Chord:
    """A chord: its place, root pitch class, quality, pitch classes and voiced pitches."""

    beat: float
    beats: float
    root: int
    quality: str
    pitches: tuple[int, ...]


@dataclass(frozen=True)
class Hit:
    """One stroke on a drum."""

    drum: str
    beat: float
    velocity: float


@dataclass(frozen=True)
class Score:
    """All that sounds, in beats from the clip's start; layers bass, chords, arp and lead."""

    chords: list[Chord] = field(default_factory=list)
    notes: dict[str, list[Note]] = field(default_factory=dict)
    hits: list[Hit] = field(default_factory=list)


def swung(beat: float, swing: float) -> float:
    """Return the beat, late by `swing` of a sixteenth if it is an odd sixteenth."""
    return beat + 0.25 * swing if round(beat * 4) % 2 else beat


def compose_chords(plan: Plan, section: SectionPlan, chord_beats: int, rng: Rng) -> list[Chord]:
    """Walk through a progression, leading voices from chord to chord."""
    style = GENRE_STYLES[plan.genre]
    degrees = theory.PROGRESSIONS[plan.mode][section.progression]
    seventh = bool(rng.random() < style.sevenths)
    centre = 60 + 0.5 * MOOD_STYLES[plan.mood].register
    chords: list[Chord] = []
    previous: tuple[int, ...] = ()
    for index, beat in enumerate(range(0, plan.section_beats, chord_beats)):
        degree = degrees[index % len(degrees)]
        root, quality, classes = theory.diatonic_chord(plan.key, plan.mode, degree, seventh)
        previous = theory.voice_lead(previous, classes, centre)
        length = min(chord_beats, plan.section_beats - beat)
        chords.append(Chord(beat, length, root, quality, previous))
    return chords


def chord_at(chords: list[Chord], beat: float) -> Chord:
    """Return the chord that sounds at a beat."""
    return max((c for c in chords if c.beat <= beat + 1e-6), key=lambda chord: chord.beat)


def pattern_steps(pattern: str, beats: int) -> list[tuple[str, float, float]]:
    """Return (mark, beat, beats) of a one-bar pattern repeated over a phrase; - holds."""
    steps = (pattern * -(-beats // BEATS_PER_BAR))[: beats * 4]
    events = []
    for index, mark in enumerate(steps):
        if mark in ".-":
            continue
        rest = steps[index + 1 :]
        held = 1 + len(rest) - len(rest.lstrip("-"))
        events.append((mark, index / 4, held / 4))
    return events


def compose_bass(chords: list[Chord], pattern: str, centre: int, beats: int) -> list[Note]:
    """Play a pattern of roots, fifths and octaves under the chords."""
    offsets = {"r": 0, "f": 7, "o": 12}
    notes = []
    for mark, beat, length in pattern_steps(pattern, beats):
        root = theory.near(chord_at(chords, beat).root, centre)
        velocity = 0.95 if beat % 1 == 0 else 0.8
        notes.append(Note(root + offsets[mark], beat, length * 0.92, velocity))
    return notes


def compose_comp(chords: list[Chord], pattern: str, beats: int) -> list[Note]:
    """Play the chords in a rhythm; a held chord is struck again when the harmony changes."""
    notes = []
    for _, beat, length in pattern_steps(pattern, beats):
        for chord in chords:
            start, end = max(beat, chord.beat), min(beat + length, chord.beat + chord.beats)
            if end - start > 0.1:
                notes += [Note(p, start, (end - start) * 0.95, 0.75) for p in chord.pitches]
    return notes


def compose_arp(chords: list[Chord], beats: int, density: float, rng: Rng) -> list[Note]:
    """Break the chords up, down, up and down, or in a drawn order."""
    step = 0.25 if density > 0.4 else 0.5
    shape = rng.choice(["up", "down", "both", "drawn"])
    drawn = rng.integers(0, 6, 8)
    notes = []
    for index in range(int(beats / step)):
        chord = chord_at(chords, index * step)
        ladder = [p + 12 for p in chord.pitches] + [p + 24 for p in chord.pitches[:2]]
        orders = {
            "up": range(len(ladder)),
            "down": range(len(ladder) - 1, -1, -1),
            "both": [*range(len(ladder)), *range(len(ladder) - 2, 0, -1)],
            "drawn": [d % len(ladder) for d in drawn],
        }
        order = orders[str(shape)]
        velocity = 0.85 if index % 4 == 0 else 0.65
        pitch = ladder[order[index % len(order)]]
        notes.append(Note(pitch, index * step, step * 0.9, velocity))
    return notes


def compose_drums(plan: Plan, section: SectionPlan, rng: Rng) -> list[Hit]:
    """Repeat a grid through the phrase, thinned or filled by density, perhaps with a fill."""
    grids = patterns.GRIDS[plan.genre]
    grid = dict(grids[section.grid % len(grids)])
    extra = {"hat", "open", "shaker", "ride", "low tom", "high tom"}
    if section.density < 0.35:
        grid = {drum: steps for drum, steps in grid.items() if drum not in extra or drum == "hat"}
    if section.density > 0.75 and "shaker" not in grid:
        grid["hat"] = patterns.SIXTEENTHS
    # A soft kick would take the beat from the clip, so only the others follow density.
    soft = 0.65 + 0.35 * section.density
    bars = -(-plan.section_beats // BEATS_PER_BAR)
    hits = [
        Hit(drum, bar * BEATS_PER_BAR + beat, velocity * (1 if drum == "kick" else soft))
        for bar in range(bars)
        for drum, beat, velocity in patterns.hits(grid)
    ]
    if plan.section_beats >= 4 and rng.random() < 0.15 + 0.3 * section.density:
        start = plan.section_beats - 1
        fill = patterns.FILLS[rng.integers(len(patterns.FILLS))]
        # Kick and hat go on under a fill, so that the grid stays audible.
        kept = [hit for hit in hits if hit.beat < start or hit.drum in ("hat", "kick")]
        hits = kept + [Hit(d, start + beat, v) for d, beat, v in patterns.hits(fill)]
    return [hit for hit in hits if hit.beat < plan.section_beats]


@dataclass(frozen=True)
class Arrangement:
    """Patterns that all sections of a clip share, so that they belong together."""

    chord_beats: int
    bass: str
    comp: str


def choose_arrangement(plan: Plan, rng: Rng) -> Arrangement:
    """Draw the clip's patterns; under a leading melody the chords are held."""
    style = GENRE_STYLES[plan.genre]
    held = plan.melody_led and rng.random() < 0.7
    return Arrangement(
        chord_beats=int(rng.choice(style.chord_beats)),
        bass=str(rng.choice(style.bass)),
        comp="x---------------" if held else str(rng.choice(style.comp)),
    )


def compose_section(plan: Plan, section: SectionPlan, kept: Arrangement, rng: Rng) -> Score:
    """Compose one section letter, from beat 0 to its length."""
    beats = plan.section_beats
    chords = compose_chords(plan, section, kept.chord_beats, rng)
    centre = GENRE_STYLES[plan.genre].bass_centre
    parts = {
        "bass": compose_bass(chords, kept.bass, centre, beats),
        "chords": compose_comp(chords, kept.comp, beats),
        "arp": compose_arp(chords, beats, section.density, rng),
        "lead": compose_melody(plan, section, [(c.beat, c.pitches) for c in chords], rng),
    }
    hits = compose_drums(plan, section, rng)
    return Score(
        chords=chords,
        notes={name: notes for name, notes in parts.items() if name in section.layers},
        hits=hits if "drums" in section.layers else [],
    )


def place(plan: Plan, section: SectionPlan, phrase: Score, start: float, score: Score) -> None:
    """Add a phrase to the score at a beat: swung, coloured, and cut at the clip's end."""
    # Rounded, so that equal notes of equal sections share one rendering.
    colour = round(section.brightness, 1)
    for layer, notes in phrase.notes.items():
        for note in notes:
            beat = start + swung(note.beat, plan.swing)
            length = min(note.beats, plan.beats - beat)
            if length > 0.05:
                placed = replace(note, beat=beat, beats=round(length, 4), brightness=colour)
                score.notes.setdefault(layer, []).append(placed)
    for hit in phrase.hits:
        beat = start + swung(hit.beat, plan.swing)
        if beat < plan.beats - 1e-6:
            score.hits.append(replace(hit, beat=beat))
    for chord in phrase.chords:
        if start + chord.beat < plan.beats - 1e-6:
            score.chords.append(replace(chord, beat=start + chord.beat))


def compose(plan: Plan, rng: Rng) -> Score:
    """Compose every letter once and lay them out in the order of the form."""
    kept = choose_arrangement(plan, rng)
    phrases = {
        letter: compose_section(plan, section, kept, rng)
        for letter, section in plan.sections.items()
    }
    score = Score()
    for letter, start in plan.starts():
        place(plan, plan.sections[letter], phrases[letter], start, score)
    return score
