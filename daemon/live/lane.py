"""Automation along a slot's loop: what a stream wrote, as an intensity curve. Pure: no I/O.

As in a DAW's overdub: where you write, you overwrite; where you do not, what was there stays, drawn
or written on an earlier pass. A loop on which nothing was drawn has no value to go back to: there a
value holds until the next one that was written, round the loop, as a fader stays where it is left.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor, inf, sqrt

from ditto_rt.spec import Intensity, Point

# A sixty-fourth note, or a 256th of a long loop.
CELL_BEATS, MOST_CELLS = 1 / 16, 256
# Two values that lie no farther apart belong to one stroke: the line between them is written, too.
# On a short loop, no more than a quarter of it: more might be a jump back.
STROKE_BEATS, STROKE_PARTS, STROKE_S = 1.0, 4, 1.0
# What a curve may lose of what was written.
SLACK_DB = 0.1
COMPARED_POINTS = 64


class Lane:
    """One slot's. Owned by the control process's event loop."""

    def __init__(self, beats: float, drawn: Intensity | None) -> None:
        """Begin with a curve that was drawn, or with nothing, over a loop of so many beats."""
        self.beats = beats
        cells = min(MOST_CELLS, max(1, ceil(beats / CELL_BEATS)))
        self._width = beats / cells
        self._db: list[float | None] = [None] * cells
        if drawn:
            self._db = [*levels(drawn, [cell * self._width for cell in range(cells)])]
        self._pen: tuple[int, float, float] | None = None

    def write(self, beat: float, db: float, now_s: float) -> float:
        """Lay a value on a beat, which goes round the loop; return where that is in the loop."""
        cells = len(self._db)
        # Down, not to the nearest: what the loop ends with must not be written over its start.
        cell = floor(beat / self._width + 1e-6) % cells
        if self._pen:
            last, last_db, last_s = self._pen
            ahead = (cell - last) % cells
            reach = min(STROKE_BEATS, self.beats / STROKE_PARTS)
            if now_s - last_s <= STROKE_S and ahead * self._width <= reach:
                for step in range(1, ahead):
                    between_db = last_db + (db - last_db) * step / ahead
                    self._db[(last + step) % cells] = between_db
        self._db[cell] = db
        self._pen = (cell, db, now_s)
        return cell * self._width

    def curve(self) -> Intensity:
        """Return all of it as a curve of few points. Something must have been written or drawn."""
        held = next(db for db in reversed(self._db) if db is not None)
        points = []
        for cell, db in enumerate(self._db):
            held = held if db is None else db
            points.append((cell * self._width, held))
        return Intensity(points=tuple(Point(beat=beat, db=db) for beat, db in thinned(points)))


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points without those that lie on a line between the others, within SLACK_DB.

    The first and the last are kept.
    """
    kept, low, high = [points[0]], -inf, inf
    for point, following in pairwise(points[1:]):
        low, high = _door(kept[-1], point, low, high)
        if not low <= _slope(kept[-1], following) <= high:
            kept.append(point)
            low, high = -inf, inf
    return [*kept, *points[1:][-1:]]


def _door(
    start: tuple[float, float], point: tuple[float, float], low: float, high: float
) -> tuple[float, float]:
    """Return the slopes of the lines from `start` that pass near enough to `point` as well."""
    slope, slack = _slope(start, point), SLACK_DB / (point[0] - start[0])
    return max(low, slope - slack), min(high, slope + slack)


def _slope(start: tuple[float, float], end: tuple[float, float]) -> float:
    return (end[1] - start[1]) / (end[0] - start[0])


def levels(curve: Intensity, beats: Sequence[float]) -> list[float]:
    """Return the curve's dB at rising beats: lines between its points, flat outside."""
    points, found, at = curve.points, [], 0
    for beat in beats:
        while at < len(points) and points[at].beat <= beat:
            at += 1
        if at == 0 or at == len(points):
            found.append(points[min(at, len(points) - 1)].db)
            continue
        left, right = points[at - 1], points[at]
        part = (beat - left.beat) / (right.beat - left.beat)
        found.append(left.db + (right.db - left.db) * part)
    return found


def distance_db(one: Intensity | None, other: Intensity | None, beats: float) -> float:
    """Return how far two curves are apart, RMS over a loop; a curve that is not there: infinity."""
    if one is None or other is None:
        return 0.0 if one is other else inf
    places = [beats * point / COMPARED_POINTS for point in range(COMPARED_POINTS)]
    both = zip(levels(one, places), levels(other, places), strict=True)
    return sqrt(sum((a - b) ** 2 for a, b in both) / COMPARED_POINTS)
