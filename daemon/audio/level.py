"""How loud a take is along its loop, and the gains that make it as loud as was asked. numpy only.

A take is judged as it is heard, going round: windows reach over the loop point. Levels are means of
decibels, as `ditto_rt.measure` has them.
Shapes: N samples, R points of a ride, evenly over the loop; all in dB but for peaks and gains.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from daemon.audio.layout import RIDE_POINTS
from ditto_rt.limits import RIDE_DB

WINDOW_S, HOP_S, SMOOTH_S = 0.04, 0.01, 1.0
FLOOR_DB = -100.0

Curve = NDArray[np.float64]
# Beats and decibels of a curve's points, in rising order.
Points = Sequence[Sequence[float]]


@dataclass(frozen=True, eq=False)
class Level:
    """A take's level in dB at each point, and the largest sample between it and its neighbours."""

    seconds: float
    db_R: Curve
    peak_R: Curve


def level_of(audio_N: NDArray[np.float32], rate_hz: int) -> Level:
    """Measure a take: RMS of 40 ms every 10 ms or closer, the mean of its dB around each point."""
    frames = len(audio_N)
    each = max(1, ceil(frames / rate_hz / RIDE_POINTS / HOP_S))
    half = min(round(WINDOW_S * rate_hz), frames) // 2
    sums = np.concatenate(([0.0], np.cumsum(np.square(audio_N, dtype=np.float64))))
    middle = (np.arange(RIDE_POINTS)[:, None] + (np.arange(each) + 0.5) / each - 0.5) / RIDE_POINTS
    centre = np.round(middle * frames).astype(np.int64)
    power = _sum_to(sums, centre + half) - _sum_to(sums, centre - half)
    power /= max(2 * half, 1)
    db_R = np.asarray(10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10))).mean(1), np.float64)
    edges = np.arange(RIDE_POINTS) * frames // RIDE_POINTS
    size_N = np.abs(audio_N)
    # A sample on a point's place belongs to both sides of it, wherever rounding puts it.
    size_N = np.maximum(np.maximum(np.roll(size_N, 1), np.roll(size_N, -1)), size_N)
    cell_R = np.maximum.reduceat(size_N, np.minimum(edges, frames - 1))
    return Level(frames / rate_hz, db_R, np.maximum(cell_R, np.roll(cell_R, 1)).astype(np.float64))


def drawn(points: Points, beats: float) -> Curve:
    """Return db_R of a curve over a loop of so many beats: lines between points, flat outside."""
    at, db = zip(*points, strict=True)
    return np.asarray(np.interp(np.arange(RIDE_POINTS) * beats / RIDE_POINTS, at, db), np.float64)


def smooth(db_R: Curve, seconds: float) -> Curve:
    """Return the mean over one second around each point of a loop, the middle counting most.

    Two means over half a second, one after the other: a single one would turn what pulses about
    1.5 times a second upside down, and a ride would make it pump.
    """
    return _mean_around(_mean_around(db_R, SMOOTH_S / 2 / seconds), SMOOTH_S / 2 / seconds)


def ride_db(level: Level, wanted_R: Curve, asked_R: Curve | None) -> Curve:
    """Return how many dB the take must be moved at each point to be as loud as is wanted now.

    `asked_R` is what the take was made for: what it missed of that is made up for smoothly, as it
    was measured, and what has been changed since then at once, so that a corner that the take
    plays already is not played twice. Never so far up that a sample would pass full scale.
    """
    made_R = smooth(level.db_R, level.seconds)
    ride_R = wanted_R - made_R
    if asked_R is not None:
        ride_R = wanted_R - asked_R + smooth(asked_R, level.seconds) - made_R
    room_R = np.maximum(-20 * np.log10(np.maximum(level.peak_R, 1e-5)), 0.0)
    return np.asarray(np.minimum(np.clip(ride_R, RIDE_DB.low, RIDE_DB.high), room_R), np.float64)


def gains(db_R: Curve) -> NDArray[np.float32]:
    """Return decibels as factors; 0 dB is exactly 1."""
    return np.asarray(10 ** (db_R / 20), np.float32)


def _mean_around(db_R: Curve, share: float) -> Curve:
    """Return the mean over that share of the loop around each point, exact for straight lines."""
    width = min(share, 1.0) * RIDE_POINTS
    steps = np.concatenate(([0.0], np.cumsum((db_R + np.roll(db_R, -1)) / 2)))

    def integral(place_R: Curve) -> Curve:
        whole = np.floor(place_R)
        part, point = place_R - whole, whole.astype(np.int64)
        here, then = db_R[point % RIDE_POINTS], db_R[(point + 1) % RIDE_POINTS]
        inside_R = part * here + part**2 * (then - here) / 2
        return np.asarray(_sum_to(steps, point) + inside_R, np.float64)

    place_R = np.arange(RIDE_POINTS, dtype=np.float64)
    over_R = integral(place_R + width / 2) - integral(place_R - width / 2)
    return np.asarray(over_R / width, np.float64)


def _sum_to(sums: Curve, place: NDArray[np.int64]) -> Curve:
    """Return a running sum over a loop at any place, before it and after it too."""
    size = len(sums) - 1
    return np.asarray(sums[place % size] + place // size * sums[-1], np.float64)
