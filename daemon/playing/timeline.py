"""What a slot plays from which frame on. Frozen and pure: no I/O.

A timeline is a row of changes; each holds until the next. The audio process keeps the same one, so
that orders in their order rebuild it after the process was killed.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from daemon.audio.wire import Points
from daemon.takes.take import Take
from ditto_rt.spec import Intensity
from ditto_rt.timing import exact


@dataclass(frozen=True)
class Loop:
    """A take of a slot: its file, its length in frames before rounding, its tempo.

    beats: its length in beats of its own tempo, 0 where that is not known. asked: how loud it was
    asked to be, empty where nothing was said. opened: the file of `frames` frames with its own end,
    where there is one (`daemon.takes.take.open_name`).
    """

    version: int
    path: str
    bpm: Fraction
    period: Fraction
    beats: Fraction = Fraction(0)
    asked: Points = ()
    frames: int = 0
    opened: str = ""


@dataclass(frozen=True)
class Change:
    """From frame `at` on `loop` sounds, None for silence; its passes are counted from `origin`.

    `beat` is the one it was promised for, a multiple of `quantum` where that is not 0; None where
    it waits for the end of a pass. `start` is the beat that belongs to `origin`, where one does.
    `launch` is the number of the launch of many slots at once that it is part of, 0 for none.
    """

    at: int
    loop: Loop | None
    origin: int = 0
    beat: Fraction | None = None
    quantum: Fraction = Fraction(0)
    start: Fraction | None = None
    launch: int = 0

    def moved(self, at: int) -> "Change":
        """Return the same change on another frame."""
        return replace(self, at=at, origin=self.origin + at - self.at)

    def beat_of(self, boundary: int) -> Fraction | None:
        """Return the beat that belongs to the beginning of a pass, where one does."""
        if self.loop is None or self.start is None:
            return None
        passed = round((boundary - self.origin) / self.loop.period)
        return self.start + passed * self.loop.beats

    def boundary(self, frame: int) -> int:
        """Return where the first pass begins that does so on `frame` or later, and not before."""
        if self.loop is None:
            return max(self.at, frame)
        period = self.loop.period
        number = max(0, ceil((Fraction(frame) - self.origin - 1) / period))
        while self.origin + round(number * period) < max(frame, self.at):
            number += 1
        return self.origin + round(number * period)


@dataclass(frozen=True)
class Timeline:
    """Changes in order of their frames; before the first is silence."""

    changes: tuple[Change, ...] = ()

    def at(self, frame: int) -> Change | None:
        """Return the change that holds on a frame."""
        return next((c for c in reversed(self.changes) if c.at <= frame), None)

    def after(self, frame: int) -> tuple[Change, ...]:
        """Return the changes that come later than a frame."""
        return tuple(c for c in self.changes if c.at > frame)

    def without_past(self, frame: int) -> "Timeline":
        """Return it without what no longer holds on a frame."""
        held = self.at(frame)
        return Timeline((*((held,) if held else ()), *self.after(frame)))

    def put(self, change: Change) -> "Timeline":
        """Return it with a change that replaces all that was planned from its frame on."""
        return Timeline((*(c for c in self.changes if c.at < change.at), change))

    def swap(self, loop: Loop, frame: int) -> tuple["Timeline", tuple[Change, ...]]:
        """Return it with `loop` in place of all loops, and the changes that are new to it.

        What sounds on `frame` goes on to the end of its pass. A stop stays where it was planned.
        """
        now, later = self.at(frame), self.after(frame)
        fresh = [replace(c, loop=loop) if c.loop else c for c in later]
        if now and now.loop:
            boundary = now.boundary(frame)
            if boundary == now.at:
                # It begins on this very frame.
                fresh.insert(0, replace(now, loop=loop))
            elif not later or boundary < later[0].at:
                fresh.insert(0, Change(boundary, loop, boundary, start=now.beat_of(boundary)))
        if not any(c.loop for c in fresh):
            return self, ()
        kept = tuple(c for c in self.changes if c.at < fresh[0].at)
        return Timeline((*kept, *fresh)), tuple(fresh)

    def continued(self, loop: Loop, frame: int, instead_of: Collection[int]) -> Change | None:
        """Return `loop` behind all that is planned, where that one's pass ends after `frame`.

        instead_of: versions of the same segment. One that begins after `frame` gives way. None
        where one has begun, or nothing sounds at the end.
        """
        last = self.changes[-1] if self.changes else None
        if last is None or last.loop is None:
            return None
        if last.loop.version in instead_of:
            return None if last.at < frame else replace(last, loop=loop)
        at = last.boundary(max(frame, last.at + 1))
        return Change(at, loop, at, start=last.beat_of(at))


def loop_of(take: Take, path: str, opened: str = "") -> Loop:
    """Return a take as the player needs it.

    The period is the length that was asked, a rational number, where the take has it to within its
    rounding; a take of another length (its file's region decided) repeats as it is.
    """
    asked, report = take.asked, take.report
    bpm = exact(asked.bpm)
    period = exact(asked.beats) * 60 / bpm * report.sample_rate
    if round(period) != report.frames:
        period = Fraction(report.frames)
    beats = period * bpm / (60 * report.sample_rate)
    asked_level = points_of(asked.intensity)
    return Loop(take.version, path, bpm, period, beats, asked_level, report.frames, opened)


def points_of(intensity: Intensity | None) -> Points:
    """Return a curve as the player reads it."""
    return tuple((p.beat, p.db) for p in intensity.points) if intensity else ()


@dataclass(frozen=True)
class Held:
    """A take that a slot plays, where it is, and where it is with its own end."""

    take: Take
    path: str
    opened: str = ""

    @property
    def loop(self) -> Loop:
        """The take as the player needs it."""
        return loop_of(self.take, self.path, self.opened)


def next_change(timelines: Iterable[Timeline], frame: int) -> int | None:
    """Return the frame of the first change later than `frame`, None where none is planned."""
    return min((c.at for line in timelines for c in line.after(frame)), default=None)
