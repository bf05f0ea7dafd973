"""Tempo, and where each beat lies in the stream's frames. Pure and exact: rational numbers.

A transport is a line through (frame, beat) with the tempo as its slope, so nothing adds up over an
evening: a change of tempo starts a new line where the old one is.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from ditto_rt.timing import exact

DEFAULT_BPM = Fraction(120)


@dataclass(frozen=True)
class Transport:
    """Beat `beat` lies on frame `frame`; where `running` is False the beat stands still.

    One that follows another clock runs `pull` times as fast as `bpm` says, to catch up with it.
    slack: by which part of `bpm` the tempo of a take may be off that is in time.
    """

    rate_hz: int
    bpm: Fraction = DEFAULT_BPM
    frame: int = 0
    beat: Fraction = Fraction(0)
    running: bool = True
    pull: Fraction = Fraction(1)
    slack: Fraction = Fraction(0)

    @property
    def frames_per_beat(self) -> Fraction:
        """Return how long a beat is."""
        return 60 * self.rate_hz / (self.bpm * self.pull)

    def fits(self, bpm: Fraction) -> bool:
        """Return whether a take of that tempo is in time."""
        return abs(bpm - self.bpm) <= self.slack * self.bpm

    def beat_at(self, frame: int) -> Fraction:
        """Return the beat on a frame, also before the anchor."""
        if not self.running:
            return self.beat
        return self.beat + (frame - self.frame) / self.frames_per_beat

    def frame_of(self, beat: Fraction) -> int:
        """Return the frame on which a beat begins. Raises ValueError where none will come."""
        if not self.running:
            raise ValueError("transport stands still; allowed: a running one")
        return self.frame + round((beat - self.beat) * self.frames_per_beat)

    def next_multiple(self, quantum: Fraction, frame: int) -> Fraction:
        """Return the first multiple of `quantum` beats that begins on `frame` or later.

        A quantum of 0 means at once: the beat on `frame` itself.
        """
        now = self.beat_at(frame)
        if quantum == 0:
            return now
        found = ceil(now / quantum) * quantum
        # A beat that lies less than half a frame before this one begins on it.
        before = found - quantum
        return before if self.running and self.frame_of(before) >= frame else found

    def with_bpm(self, bpm: float, frame: int) -> "Transport":
        """Return the transport with another tempo from `frame` on, where the beat is the same."""
        return replace(self, bpm=exact(bpm), frame=frame, beat=self.beat_at(frame))

    def started(self, frame: int, beat: float | None = None) -> "Transport":
        """Return it running from `frame` on, at `beat`; None: where it is."""
        where = self.beat_at(frame) if beat is None else exact(beat)
        return replace(self, frame=frame, beat=where, running=True)

    def stopped(self, frame: int) -> "Transport":
        """Return it standing still from `frame` on."""
        return replace(self, frame=frame, beat=self.beat_at(frame), running=False)

    def moved(self, frame: int, beat: float) -> "Transport":
        """Return it with `beat` on `frame`: a jump that somebody asked for."""
        return replace(self, frame=frame, beat=exact(beat))
