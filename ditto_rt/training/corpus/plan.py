"""Decisions taken before a note is written: length, tempo, key, form, and who plays when."""

from dataclasses import dataclass

import numpy as np

from ditto_rt.tags import GENRES, MOODS
from ditto_rt.training.corpus.genres import GENRE_STYLES, MOOD_STYLES

Rng = np.random.Generator

FORMS = ("A", "AB", "ABAB", "ABBA", "AABA", "AABB", "ABAC", "AAAB", "ABCA", "ABCD")
FORM_WEIGHTS = (0.2, 0.1, 0.12, 0.12, 0.1, 0.1, 0.07, 0.08, 0.06, 0.05)
BEATS_PER_BAR = 4


@dataclass(frozen=True)
class SectionPlan:
    """What a section letter stands for: who plays, how bright, how dense, which progression."""

    layers: frozenset[str]
    brightness: float
    density: float
    grid: int
    progression: int
    level_db: float


@dataclass(frozen=True)
class Plan:
    """A clip's frame. `beats` is its length; `level_points` are (beat, dB)."""

    genre: str
    mood: str
    tempo_bpm: float
    beats: float
    loop: bool
    key: int
    mode: str
    swing: float
    melody_led: bool
    section_beats: int
    letters: str
    sections: dict[str, SectionPlan]
    level_points: tuple[tuple[float, float], ...]

    @property
    def beat_s(self) -> float:
        """Length of a beat in seconds."""
        return 60.0 / self.tempo_bpm

    def starts(self) -> list[tuple[str, int]]:
        """Return each section's letter and the beat it starts on."""
        return [(letter, i * self.section_beats) for i, letter in enumerate(self.letters)]


def choose_tempo(genre: str, mood: str, rng: Rng) -> float:
    """Draw a tempo from the genre's ranges, where the mood leans; most are whole numbers."""
    ranges = GENRE_STYLES[genre].tempo_bpm
    low, high = ranges[rng.integers(len(ranges))]
    lean = MOOD_STYLES[mood].tempo
    # People type whole tempos; the rest keeps the model from knowing only those.
    tempo = low + (high - low) * rng.uniform(*lean)
    return float(round(tempo)) if rng.random() < 0.7 else float(round(tempo, 2))


def whole_bars(genre: str, tempo_bpm: float, seconds: float) -> float | None:
    """Return the tempo nearest `tempo_bpm` at which `seconds` is a whole number of bars.

    None if that tempo is outside the genre's ranges.
    """
    bars = max(1, round(seconds * tempo_bpm / 60 / BEATS_PER_BAR))
    fitting = bars * BEATS_PER_BAR * 60 / seconds
    ranges = GENRE_STYLES[genre].tempo_bpm
    return fitting if any(low <= fitting <= high for low, high in ranges) else None


def choose_length(
    genre: str, tempo_bpm: float, seconds: float | None, loop: bool, rng: Rng
) -> tuple[float, float, bool]:
    """Return tempo, length in beats, and whether the clip is an exact loop.

    A length that was asked for is kept: the tempo gives way to make a loop, or it is none.
    """
    bar_s = 60 * BEATS_PER_BAR / tempo_bpm
    if seconds is not None:
        fitting = whole_bars(genre, tempo_bpm, seconds) if loop else None
        tempo_bpm = fitting or tempo_bpm
        return tempo_bpm, seconds * tempo_bpm / 60, fitting is not None
    if loop:
        most = int(12 / bar_s)
        choices = [bars for bars in (1, 2, 2, 3, 4, 4, 6, 8) if 2 / bar_s <= bars <= most]
        return tempo_bpm, float(BEATS_PER_BAR * rng.choice(choices)), True
    return tempo_bpm, float(rng.uniform(2, 12)) * tempo_bpm / 60, False


def choose_form(beats: float, beat_s: float, rng: Rng) -> tuple[int, str]:
    """Return the length of a section in beats and the letters of all sections."""
    # Shorter sections are not heard as sections, longer ones do not fit into a clip.
    sizes = [size for size in (4, 8, 16) if 1.2 <= size * beat_s <= 7] or [4]
    section_beats = 2 if rng.random() < 0.05 else int(rng.choice(sizes))
    count = int(np.ceil(beats / section_beats - 1e-6))
    form = FORMS[rng.choice(len(FORMS), p=FORM_WEIGHTS)]
    return section_beats, (form * count)[:count]


def _full_layers(genre: str, melody_led: bool, rng: Rng) -> set[str]:
    style = GENRE_STYLES[genre]
    layers = {"bass", "chords"}
    if rng.random() < style.drums_chance * (0.75 if melody_led else 0.97):
        layers.add("drums")
    if melody_led or rng.random() < style.lead_chance:
        layers.add("lead")
    if not melody_led and rng.random() < style.arp_chance:
        layers.add("arp")
    return layers


def _contrast(full: SectionPlan, melody_led: bool, rng: Rng) -> SectionPlan:
    """Return a section that differs audibly: fewer or other players, other colour and level."""
    layers = set(full.layers)
    kind = rng.integers(6)
    if kind == 0:
        layers -= {"drums", "bass"}
    elif kind == 1:
        layers -= {"drums"}
    elif kind == 2:
        layers -= {"chords", "arp"}
    elif kind == 3:
        layers ^= {"arp"}
        layers -= {"bass"}
    elif kind == 4:
        layers = {"drums", "bass"} & full.layers or {"chords"}
    if melody_led:
        layers.add("lead")
    return SectionPlan(
        layers=frozenset(layers or full.layers),
        brightness=full.brightness + float(rng.choice([-1.2, -0.6, 0.5, 0.9])),
        density=float(np.clip(full.density + rng.choice([-0.35, 0.0, 0.35]), 0.05, 1.0)),
        grid=int(rng.integers(4)),
        progression=int(rng.integers(8)),
        level_db=float(rng.choice([-8.0, -4.0, 0.0, 0.0, 3.0])),
    )


def choose_sections(
    genre: str, mood: str, letters: str, melody_led: bool, rng: Rng
) -> dict[str, SectionPlan]:
    """Return what each letter plays; which letter is the full one is drawn."""
    density = MOOD_STYLES[mood].density + rng.uniform(-0.15, 0.15)
    full = SectionPlan(
        layers=frozenset(_full_layers(genre, melody_led, rng)),
        brightness=0.0,
        density=float(np.clip(density, 0.05, 1)),
        grid=int(rng.integers(4)),
        progression=int(rng.integers(8)),
        level_db=0.0,
    )
    names = sorted(set(letters))
    fullest = names[0] if rng.random() < 0.8 else names[-1]
    others = {name: _contrast(full, melody_led, rng) for name in names}
    return {**others, fullest: full}


def choose_levels(beats: float, loop: bool, rng: Rng) -> tuple[tuple[float, float], ...]:
    """Return a loudness curve as (beat, dB): flat, rising, falling, arched or dipped."""
    depth = float(rng.uniform(8, 30))
    kind = rng.choice(["flat", "up", "down", "arch", "dip"], p=[0.5, 0.16, 0.14, 0.1, 0.1])
    # A loop must end at the level it began with.
    if kind == "flat" or (loop and kind in ("up", "down")):
        return ((0.0, 0.0), (beats, 0.0))
    if kind in ("up", "down"):
        turn = beats * float(rng.uniform(0.5, 1.0))
        ends = (-depth, 0.0) if kind == "up" else (0.0, -depth)
        return ((0.0, ends[0]), (turn, ends[1]), (beats + 1, ends[1]))
    turn = beats * float(rng.uniform(0.3, 0.7))
    outer, inner = (-depth, 0.0) if kind == "arch" else (0.0, -depth)
    return ((0.0, outer), (turn, inner), (beats, outer))


def make_plan(seconds: float | None, rng: Rng) -> Plan:
    """Draw a plan; `seconds` fixes the length."""
    genre, mood = str(rng.choice(GENRES)), str(rng.choice(MOODS))
    tempo_bpm, beats, loop = choose_length(
        genre,
        choose_tempo(genre, mood, rng),
        seconds,
        bool(rng.random() < (0.35 if seconds is None else 0.2)),
        rng,
    )
    melody_led = bool(rng.random() < 0.22)
    section_beats, letters = choose_form(beats, 60 / tempo_bpm, rng)
    return Plan(
        genre=genre,
        mood=mood,
        tempo_bpm=tempo_bpm,
        beats=beats,
        loop=loop,
        key=int(rng.integers(12)),
        mode="minor" if rng.random() < MOOD_STYLES[mood].minor_chance else "major",
        swing=float(rng.uniform(*GENRE_STYLES[genre].swing)),
        melody_led=melody_led,
        section_beats=section_beats,
        letters=letters,
        sections=choose_sections(genre, mood, letters, melody_led, rng),
        level_points=choose_levels(beats, loop, rng),
    )
