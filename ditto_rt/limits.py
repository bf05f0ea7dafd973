"""Every range a user meets, once; checks, documents and error sentences are made from it."""

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True)
class Range:
    """A closed interval of numbers with its unit.

    Raises nothing itself: `problem` returns the sentence that an error shows.
    """

    low: float
    high: float
    unit: str = ""

    def __str__(self) -> str:
        """Return the range in words, as '20 to 300 bpm'."""
        return f"{self.low:g} to {self.high:g}{' ' + self.unit if self.unit else ''}"

    def problem(self, name: str, value: float) -> str | None:
        """Return why `value` is refused under `name`, or None where it is allowed."""
        if isfinite(value) and self.low <= value <= self.high:
            return None
        return f"{name} is {value:g}; allowed: {self}"


SLOT = Range(0, 15)
BPM = Range(20, 300, "bpm")
BEATS = Range(0.25, 256, "beats")
TAKE_S = Range(1, 16, "s")
SEED = Range(0, 2**31 - 1)
INTENSITY_DB = Range(-80, 0, "dB")
POINT_BEAT = Range(0, 256, "beats")
PITCH = Range(0, 127, "MIDI note")
NOTE_BEATS = Range(0.01, 256, "beats")
REGION_S = Range(0, 36_000, "s")
OVERLAP_S = Range(0.05, 4, "s")
GAIN_DB = Range(-90, 12, "dB")
RIDE_DB = Range(-24, 12, "dB")
QUANTUM_BEATS = Range(0, 256, "beats")
TRANSPORT_BEAT = Range(0, 1_000_000, "beats")
STEPS = Range(1, 1000, "sampler steps")
ITERATIONS = Range(0, 1000, "iterations")
SCENE_NAME = Range(1, 80, "characters")
SCENES = Range(0, 1000, "scenes")
# What the built-in model learned to fold in; 1 is none.
GUIDANCE = Range(1, 4)
# 0: the optimiser's own.
LEARNING_RATE = Range(0, 1)
