"""From records to figures: distances, tag match, tempo lock, controls."""

import statistics
from collections.abc import Mapping, Sequence

from ditto_rt.evaluate.asked import DRUMMED
from ditto_rt.evaluate.frechet import frechet
from ditto_rt.evaluate.records import Record, embeddings_NE
from ditto_rt.evaluate.sets import CONTROLLED, OTHER, REAL, free_name
from ditto_rt.tags import GENRES

TEMPO_BPM, BEAT_MS = 0.5, 20.0
Records = Sequence[Record]
Figures = dict[str, float]


def _share(hits: Sequence[bool]) -> float:
    return statistics.mean(hits) if hits else float("nan")


def set_figures(records: Records, other: Records) -> Figures:
    """Return what one set of clips shows, beside the other half of real clips, shares from 0 to 1.

    The distance is taken to as many real clips as the set has, so that sizes are equal.
    """
    drummed = [r for r in records if r.genre in DRUMMED]
    size = min(len(records), len(other))
    distance = float("nan")
    if size >= 2:
        distance = frechet(embeddings_NE(records[:size]), embeddings_NE(other[:size]))
    return {
        "clips": float(len(records)),
        "frechet": distance,
        "genre": _share([r.heard_genre == r.genre for r in records]),
        "mood": _share([r.heard_mood == r.mood for r in records]),
        "tempo": _share([abs(r.found_bpm - r.bpm) <= TEMPO_BPM for r in drummed]),
        "first_beat": _share([abs(r.first_beat_ms) <= BEAT_MS for r in drummed]),
        "first_beat_ms": statistics.median([r.first_beat_ms for r in drummed] or [float("nan")]),
    }


def by_genre(records: Records) -> Figures:
    """Return the share of each genre's clips in which the tagger finds it."""
    return {
        genre: _share([r.heard_genre == genre for r in records if r.genre == genre])
        for genre in GENRES
    }


def size_effect(real: Records, other: Records) -> Figures:
    """Return the distance between halves of real clips for smaller sets than all."""
    size = min(len(real), len(other))
    sizes = [n for n in (50, 128, 256, 512, 1024) if n < size]
    first_NE, second_NE = embeddings_NE(real), embeddings_NE(other)
    return {str(n): frechet(first_NE[:n], second_NE[:n]) for n in sizes}


def control_figures(sets: Mapping[str, Records]) -> dict[str, Figures]:
    """Return, for each set of controlled takes, means of its figures beside its set figures."""
    found = {}
    for control in CONTROLLED:
        for name in (control, free_name(control)):
            records = sets.get(name)
            if not records:
                continue
            # Records from before they were left out hold curves beside the figures.
            keys = [key for key, value in records[0].figures.items() if isinstance(value, float)]
            means = {key: statistics.mean(r.figures[key] for r in records) for key in keys}
            found[name] = set_figures(records, sets.get(OTHER, ())) | means
    return found


def all_figures(sets: Mapping[str, Records]) -> dict[str, object]:
    """Return every figure that the records at hand give."""
    other = sets.get(OTHER, ())
    plain = {
        name: set_figures(records, other)
        for name, records in sets.items()
        if records and name not in CONTROLLED and name not in map(free_name, CONTROLLED)
        if name != OTHER
    }
    real = sets.get(REAL, ())
    return {
        "sets": plain,
        "genres": {name: by_genre(sets[name]) for name in plain},
        "sizes": size_effect(real, other) if len(real) > 1 and len(other) > 1 else {},
        "controls": control_figures(sets),
        "real_by_count": {str(n): set_figures(real[:n], other) for n in (50,) if len(real) >= n},
    }
