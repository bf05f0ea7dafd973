"""Scales, diatonic chords, progressions and voice leading. Pitches are MIDI numbers."""

from itertools import product

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}

# Scale degrees from 0; each starts on the tonic, so that a short clip still says its key.
PROGRESSIONS = {
    "minor": (
        (0, 5, 2, 6),
        (0, 3, 5, 4),
        (0, 6, 5, 6),
        (0, 5, 3, 6),
        (0, 2, 6, 3),
        (0, 0, 5, 6),
        (0, 3, 0, 4),
        (0, 6, 3, 5),
    ),
    "major": (
        (0, 4, 5, 3),
        (0, 5, 3, 4),
        (0, 3, 4, 3),
        (0, 2, 3, 4),
        (0, 3, 0, 4),
        (0, 5, 1, 4),
        (0, 3, 5, 4),
        (0, 0, 3, 4),
    ),
}

QUALITIES = {
    (0, 4, 7): "maj",
    (0, 3, 7): "min",
    (0, 3, 6): "dim",
    (0, 4, 7, 11): "maj7",
    (0, 3, 7, 10): "min7",
    (0, 4, 7, 10): "7",
    (0, 3, 6, 10): "min7b5",
}


def scale_pitches(key: int, mode: str, low: int, high: int) -> tuple[int, ...]:
    """Return the pitches of a scale in [low, high], rising."""
    classes = {(key + step) % 12 for step in SCALES[mode]}
    return tuple(pitch for pitch in range(low, high + 1) if pitch % 12 in classes)


def diatonic_chord(key: int, mode: str, degree: int, seventh: bool) -> tuple[int, str, list[int]]:
    """Return root pitch class, quality and pitch classes of the chord on a scale degree."""
    scale = SCALES[mode]
    steps = (0, 2, 4, 6) if seventh else (0, 2, 4)
    semitones = [scale[(degree + s) % 7] + 12 * ((degree + s) // 7) for s in steps]
    intervals = tuple(s - semitones[0] for s in semitones)
    classes = [(key + s) % 12 for s in semitones]
    return classes[0], QUALITIES[intervals], classes


def near(pitch_class: int, centre: float) -> int:
    """Return the pitch of a class that is nearest to `centre`."""
    return pitch_class + 12 * round((centre - pitch_class) / 12)


def voice_lead(previous: tuple[int, ...], classes: list[int], centre: float) -> tuple[int, ...]:
    """Place a chord's pitch classes so that each voice moves least from the previous chord.

    Without a previous chord of the same size the voicing nearest to `centre` is taken. A
    small pull to `centre` keeps a long progression from drifting away.
    """
    # Three octaves around the centre hold all close positions and inversions.
    options = [(near(c, centre - 6), near(c, centre), near(c, centre + 6)) for c in classes]
    voicings = {tuple(sorted(set(choice))) for choice in product(*options)}
    whole = [v for v in voicings if len(v) == len(classes) and v[-1] - v[0] <= 16]

    def cost(voicing: tuple[int, ...]) -> float:
        drift = abs(sum(voicing) / len(voicing) - centre)
        if len(previous) != len(voicing):
            return drift
        return sum(abs(a - b) for a, b in zip(voicing, previous, strict=True)) + 0.3 * drift

    return min(sorted(whole), key=cost)
