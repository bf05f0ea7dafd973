"""How the transport follows another clock: it runs a little faster or slower, or it jumps. Pure.

A source says which beat belongs to which frame and how fast it goes. The device's clock and the
source's drift apart (50 ppm are 180 ms an hour), and what a source says has jitter. So the tempo is
taken over at once, and what is left of the phase is caught up within about a second, never with
more than SLEW of the tempo. A difference that is no drift, JUMP_S and more, is made up in one jump.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from daemon.playing.transport import Transport

SLEW = Fraction(1, 50)
CATCH_UP_S = 1
JUMP_S = Fraction(1, 20)
# A take of a tempo so near is in time: each pass is off by less than what re-aligning hides.
SLACK = Fraction(1, 1000)
# Beats and rates are rounded to this, far below a sample: exact ones would grow with each step.
GRAIN = 2**32
_DECIMALS = 3


@dataclass(frozen=True)
class Heading:
    """A source: its beat on a frame, and its tempo."""

    frame: int
    beat: Fraction
    bpm: Fraction

    def beat_at(self, frame: int, rate_hz: int) -> Fraction:
        """Return its beat on another frame."""
        return self.beat + (frame - self.frame) * self.bpm / (60 * rate_hz)


def grain(value: float | Fraction) -> Fraction:
    """Return a number that is as good and has a small denominator."""
    return Fraction(round(Fraction(value) * GRAIN), GRAIN)


def error_s(transport: Transport, heading: Heading) -> Fraction:
    """Return by how much the transport is behind, in seconds."""
    behind = heading.beat - transport.beat_at(heading.frame)
    return behind * 60 / heading.bpm


def steered(transport: Transport, heading: Heading) -> Transport:
    """Return the transport on its way to where the source is, from the heading's frame on."""
    pull = error_s(transport, heading) / CATCH_UP_S
    return replace(
        transport,
        bpm=heading.bpm,
        frame=heading.frame,
        beat=grain(transport.beat_at(heading.frame)),
        pull=grain(1 + min(max(pull, -SLEW), SLEW)),
        slack=SLACK,
    )


def placed(transport: Transport, heading: Heading, frame: int) -> Transport:
    """Return the transport where the source is, from `frame` on."""
    beat = grain(heading.beat_at(frame, transport.rate_hz))
    return Transport(transport.rate_hz, heading.bpm, frame, beat, slack=SLACK)


def alone(transport: Transport, frame: int) -> Transport:
    """Return the transport with its last tempo, from `frame` on, following nobody."""
    beat = transport.beat_at(frame)
    return replace(transport, frame=frame, beat=beat, pull=Fraction(1), slack=Fraction(0))


def nearest(beats: Fraction, cycle: float | None) -> Fraction:
    """Return which part of a difference is none, where a beat is only known within a cycle."""
    if cycle is None:
        return Fraction(0)
    if cycle == 0:
        return beats
    return round(beats / Fraction(cycle)) * Fraction(cycle)


def plain_bpm(bpm: float, error_bpm: float, before: Fraction) -> Fraction:
    """Return the tempo that was meant: the one before, else the shortest decimal within the error.

    A clock that is told as 119.98 +- 0.03 bpm is one of 120; what it is off goes to the phase.
    """
    margin = 2 * error_bpm
    if abs(before - Fraction(bpm)) <= Fraction(margin):
        return before
    found = Fraction(repr(round(bpm, _DECIMALS)))
    for decimals in reversed(range(_DECIMALS)):
        shorter = round(bpm, decimals)
        if abs(shorter - bpm) <= margin:
            found = Fraction(repr(float(shorter)))
    return found
