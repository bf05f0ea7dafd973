"""Chords lie in their scales and voices move little."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditto_rt.training.corpus.theory import (
    PROGRESSIONS,
    diatonic_chord,
    near,
    scale_pitches,
    voice_lead,
)

KEYS = st.integers(0, 11)
MODES = st.sampled_from(["major", "minor"])


@given(KEYS, MODES, st.integers(0, 6), st.booleans())
def test_chords_are_made_of_the_scale(key: int, mode: str, degree: int, seventh: bool) -> None:
    scale = {pitch % 12 for pitch in scale_pitches(key, mode, 48, 71)}
    root, _, classes = diatonic_chord(key, mode, degree, seventh)
    assert classes[0] == root and set(classes) <= scale and len(scale) == 7


@pytest.mark.parametrize(
    ("mode", "degree", "seventh", "expected"),
    [
        ("major", 0, False, (0, "maj", [0, 4, 7])),
        ("major", 4, True, (7, "7", [7, 11, 2, 5])),
        ("major", 6, False, (11, "dim", [11, 2, 5])),
        ("minor", 0, True, (0, "min7", [0, 3, 7, 10])),
        ("minor", 5, False, (8, "maj", [8, 0, 3])),
    ],
)
def test_known_chords_in_c(
    mode: str, degree: int, seventh: bool, expected: tuple[int, str, list[int]]
) -> None:
    assert diatonic_chord(0, mode, degree, seventh) == expected


@pytest.mark.parametrize("centre", [57.5, 60.0, 62.0])
def test_voices_move_little_and_stay_near_their_centre(centre: float) -> None:
    moves: list[int] = []
    for key, mode, seventh, row in product(range(12), PROGRESSIONS, (False, True), range(8)):
        previous: tuple[int, ...] = ()
        for degree in PROGRESSIONS[mode][row]:
            voicing = voice_lead(previous, diatonic_chord(key, mode, degree, seventh)[2], centre)
            moves += [abs(a - b) for a, b in zip(previous, voicing, strict=False)]
            assert abs(sum(voicing) / len(voicing) - centre) < 8
            previous = voicing
    # Chords moved in parallel with their roots would move by 4.6 semitones.
    assert np.mean(moves) < 1.5 and max(moves) <= 7
    assert np.mean(np.array(moves) > 4) < 0.03


@given(KEYS, st.floats(30, 90, allow_subnormal=False))
def test_the_nearest_pitch_of_a_class_is_within_a_tritone(pitch_class: int, centre: float) -> None:
    pitch = near(pitch_class, centre)
    assert pitch % 12 == pitch_class and abs(pitch - centre) <= 6.001


def test_every_progression_starts_on_the_tonic() -> None:
    assert all(row[0] == 0 for rows in PROGRESSIONS.values() for row in rows)
