"""Plans and scores: ranges, forms, and sections that return as they were."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ditto_rt.tags import GENRES, MOODS
from ditto_rt.training.corpus.compose import Score, compose
from ditto_rt.training.corpus.genres import GENRE_STYLES, MOOD_STYLES
from ditto_rt.training.corpus.patterns import FILLS, GRIDS
from ditto_rt.training.corpus.plan import Plan, make_plan
from ditto_rt.training.corpus.theory import scale_pitches

SEEDS = range(400)


def planned(seed: int, seconds: float | None = None) -> tuple[Plan, Score]:
    rng = np.random.default_rng(seed)
    plan = make_plan(seconds, rng)
    return plan, compose(plan, rng)


PLANS = [planned(seed) for seed in SEEDS]


def test_everything_appears() -> None:
    assert set(GENRE_STYLES) == set(GRIDS) == set(GENRES) and set(MOOD_STYLES) == set(MOODS)
    genres = Counter(plan.genre for plan, _ in PLANS)
    assert set(genres) == set(GENRES) and min(genres.values()) >= 20
    assert min(Counter(plan.mood for plan, _ in PLANS).values()) >= 70
    assert {plan.key for plan, _ in PLANS} == set(range(12))
    assert {plan.mode for plan, _ in PLANS} == {"major", "minor"}
    assert 60 < sum(plan.loop for plan, _ in PLANS) < 200


def test_tempos_are_those_of_the_genre_and_lengths_are_in_range() -> None:
    for plan, _ in PLANS:
        ranges = GENRE_STYLES[plan.genre].tempo_bpm
        assert any(low <= plan.tempo_bpm <= high for low, high in ranges)
        assert 1.999 <= plan.beats * plan.beat_s <= 12.001
        assert not plan.loop or plan.beats % 4 == 0


@pytest.mark.parametrize("seconds", [2.0, 5.94, 11.0])
def test_a_length_that_is_asked_for_is_kept(seconds: float) -> None:
    plans = [planned(seed, seconds)[0] for seed in range(100)]
    for plan in plans:
        ranges = GENRE_STYLES[plan.genre].tempo_bpm
        assert plan.beats * plan.beat_s == pytest.approx(seconds)
        assert any(low <= plan.tempo_bpm <= high for low, high in ranges)
        bars = plan.beats / 4
        assert not plan.loop or bars == pytest.approx(round(bars))
    assert any(plan.loop for plan in plans)


def test_notes_lie_in_the_key_and_inside_the_clip() -> None:
    for plan, score in PLANS:
        scale = {pitch % 12 for pitch in scale_pitches(plan.key, plan.mode, 60, 71)}
        # A bass pattern's fifth may leave the scale on a diminished chord only.
        for layer in score.notes.keys() - {"bass"}:
            assert {note.pitch % 12 for note in score.notes[layer]} <= scale
        for note in (note for notes in score.notes.values() for note in notes):
            assert 0 <= note.beat and note.beat + note.beats <= plan.beats + 1e-3
        assert all(0 <= hit.beat < plan.beats for hit in score.hits)


def test_melodies_move_in_their_octaves_one_note_at_a_time() -> None:
    melodies = [score.notes["lead"] for _, score in PLANS if "lead" in score.notes]
    assert len(melodies) > 150
    for melody in melodies:
        assert all(58 <= note.pitch <= 86 for note in melody)
        ordered = sorted(melody, key=lambda note: note.beat)
        assert all(
            a.beat + a.beats <= b.beat + 0.13 for a, b in zip(ordered, ordered[1:], strict=False)
        )
    assert np.mean([len({note.pitch for note in melody}) for melody in melodies]) > 3


def test_a_letter_that_returns_brings_the_same_music() -> None:
    seen = 0
    for plan, score in PLANS:
        first: dict[str, list[tuple[str, int, float]]] = {}
        for letter, start in plan.starts():
            end = start + plan.section_beats
            if end > plan.beats:
                continue
            here = [
                (layer, note.pitch, round(note.beat - start, 6))
                for layer, notes in score.notes.items()
                for note in notes
                if start <= note.beat < end
            ]
            seen += letter in first
            assert first.setdefault(letter, here) == here
    assert seen > 100


def test_grids_are_whole_bars_of_known_marks() -> None:
    for grid in [grid for grids in GRIDS.values() for grid in grids]:
        assert all(len(steps) == 16 and set(steps) <= set("Xxo.") for steps in grid.values())
    assert all(len(steps) == 4 for fill in FILLS for steps in fill.values())


def test_the_documented_tempos_are_those_of_the_table() -> None:
    page = (Path(__file__).parents[4] / "docs" / "corpus.md").read_text("utf-8")
    for genre, style in GENRE_STYLES.items():
        ranges = ", ".join(f"{low:g} to {high:g}" for low, high in style.tempo_bpm)
        assert f"| {genre} | {ranges} |" in page
