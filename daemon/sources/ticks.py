"""MIDI clock -> tempo and phase: a least-squares line through the times of the last ticks.

24 ticks make a quarter note (MIDI 1.0, "System Real Time Messages"). They come with some
milliseconds of jitter, so no single one can be believed: over n ticks the line's end has
2 / sqrt(n) of their deviation. A new tempo shows as a row of ticks beside the line; then all but
the newest are forgotten. Frozen and pure: times are arguments.
"""

from dataclasses import dataclass
from functools import cached_property
from math import sqrt

TICKS_PER_BEAT = 24
# Four beats: a tempo that is a tenth of a per cent off would show.
WINDOW = 96
NEWEST = 6
# So many standard errors of their mean beside the line are no chance.
SURPRISE = 5.0
JITTER_FLOOR_S = 0.0003
# In periods: ticks that lie whole ones late, all by as many, come after some that were lost.
LATE, OFF_WHOLE, GROWS = 0.6, 0.3, 0.1
SILENCE_S = 0.5


@dataclass(frozen=True)
class Line:
    """Tick `tick` lies at `at_s`, the next one `period_s` later; deviation_s: of a single tick."""

    at_s: float
    tick: float
    period_s: float
    deviation_s: float
    ticks: int
    spread: float

    def tick_at(self, at_s: float) -> float:
        """Return the tick, counted on between two of them."""
        return self.tick + (at_s - self.at_s) / self.period_s

    def time_of(self, tick: float) -> float:
        """Return when a tick is due."""
        return self.at_s + (tick - self.tick) * self.period_s

    @property
    def bpm(self) -> float:
        """Return the tempo in quarter notes a minute."""
        return 60 / (TICKS_PER_BEAT * self.period_s)

    @property
    def bpm_error(self) -> float:
        """Return the tempo's standard error."""
        return self.bpm * self.deviation_s / sqrt(self.spread) / self.period_s

    def error_s(self, tick: float) -> float:
        """Return the standard error of the line at a tick."""
        return self.deviation_s * sqrt(1 / self.ticks + (tick - self.tick) ** 2 / self.spread)


@dataclass(frozen=True)
class Ticks:
    """The last ticks as (number, time in s), at most WINDOW."""

    seen: tuple[tuple[int, float], ...] = ()

    @cached_property
    def line(self) -> Line | None:
        """Return the line through them; None until there are enough to tell a tempo."""
        return line_through(self.seen) if len(self.seen) >= NEWEST else None

    @property
    def number(self) -> int:
        """Return the newest one's number; -1 where none came yet."""
        return self.seen[-1][0] if self.seen else -1

    def with_tick(self, at_s: float) -> "Ticks":
        """Return them with the next one.

        After a silence ticks are counted on in the last tempo, so that the phase does not jump.
        """
        if self.seen and at_s - self.seen[-1][1] > SILENCE_S:
            passed = self.line.tick_at(at_s) - self.number if self.line else 1.0
            return Ticks(((self.number + max(1, round(passed)), at_s),))
        return Ticks(_believed((*self.seen[1 - WINDOW :], (self.number + 1, at_s))))

    def renumbered(self, number: int) -> "Ticks":
        """Return them with another number for the newest, as a song position gives it."""
        return Ticks(_counted_on(self.seen, number - self.number))


def line_through(seen: tuple[tuple[int, float], ...]) -> Line:
    """Return the least-squares line of times over numbers, about the mean of both."""
    count = len(seen)
    mean_n = sum(n for n, _ in seen) / count
    mean_s = sum(t for _, t in seen) / count
    spread = sum((n - mean_n) ** 2 for n, _ in seen)
    period_s = sum((n - mean_n) * (t - mean_s) for n, t in seen) / spread
    squares = sum((t - mean_s - (n - mean_n) * period_s) ** 2 for n, t in seen)
    deviation_s = max(sqrt(squares / max(1, count - 2)), JITTER_FLOOR_S)
    return Line(mean_s, mean_n, max(period_s, 1e-4), deviation_s, count, spread)


def _believed(seen: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    """Return the ticks that lie on one line: all, or the newest where they left the others'.

    Where the newest are late by whole periods some were lost, and the numbers go on after them.
    """
    older, newest = seen[:-NEWEST], seen[-NEWEST:]
    if len(older) < NEWEST:
        return seen
    line = line_through(older)
    off_s = sum(t - line.time_of(n) for n, t in newest) / NEWEST
    middle = sum(n for n, _ in newest) / NEWEST
    chance_s = sqrt(line.error_s(middle) ** 2 + line.deviation_s**2 / NEWEST)
    if abs(off_s) <= SURPRISE * chance_s:
        return seen
    late = [line.tick_at(t) - n for n, t in newest]
    if late[-1] < LATE:
        return newest
    if min(late) < LATE:
        # Lost, or a much slower tempo: the next ticks tell.
        return seen
    lost = round(sum(late) / NEWEST)
    half = NEWEST // 2
    grows = (sum(late[half:]) - sum(late[:half])) / half**2
    if abs(sum(late) / NEWEST - lost) > OFF_WHOLE or abs(grows) > GROWS:
        return newest
    return (*older, *_counted_on(newest, lost))


def _counted_on(seen: tuple[tuple[int, float], ...], by: int) -> tuple[tuple[int, float], ...]:
    return tuple((number + by, at_s) for number, at_s in seen)
