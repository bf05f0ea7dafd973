"""Plans of slots under a transport that moves: launches on their grid, loops on their beats. Pure.

A take plays at the device's rate. Where the transport follows another clock, the two drift apart,
so a loop of the transport's tempo is begun anew at the end of a pass, where that is a few
milliseconds off. The player crossfades it with itself, as it would with a newer take.
"""

from dataclasses import replace
from enum import Enum
from fractions import Fraction

from daemon.playing.timeline import Change, Timeline
from daemon.playing.transport import Transport

# How far off a planned launch, and a pass of a loop, may be while another clock is followed, and
# how long before the end of a pass its successor is aligned: parts of a second.
PROMISE_PARTS, ALIGN_PARTS, AHEAD_PARTS = 2000, 250, 3
# Of the time until a launch: where a beat will be is known the better the nearer it is.
FAR_PARTS = 100


class Shift(Enum):
    """What happened to the transport: its user changed it, it follows a clock, it jumped to one."""

    SET, FOLLOWS, JUMPS = range(3)


def replanned(
    plan: Timeline, transport: Transport, soon: int, shift: Shift
) -> tuple[Change, ...] | None:
    """Return what comes later than `soon`, moved to where its beats are now; None: as it was."""
    later = plan.after(soon)
    if not transport.running or not later:
        return None
    if shift is Shift.JUMPS:
        return tuple(requantised(change, transport, soon) for change in later)
    moved = tuple(
        c if c.beat is None else c.moved(max(transport.frame_of(c.beat), soon)) for c in later
    )
    off = transport.rate_hz // PROMISE_PARTS if shift is Shift.FOLLOWS else 0
    spare = [off + (c.at - soon) // FAR_PARTS * (off > 0) for c in later]
    is_off = any(abs(m.at - c.at) > s for m, c, s in zip(moved, later, spare, strict=True))
    return moved if is_off else None


def requantised(change: Change, transport: Transport, soon: int) -> Change:
    """Return a planned change on the new grid after a jump: as late as before, or a bit later."""
    if change.beat is None:
        return change
    beat = transport.next_multiple(change.quantum, max(change.at, soon))
    moved = change.moved(transport.frame_of(beat))
    # What was to begin at once keeps its place in the bar, and is aligned to it later.
    return replace(moved, beat=beat, start=beat if change.quantum else change.start)


def realigned(plan: Timeline, transport: Transport, soon: int) -> tuple[Change, ...]:
    """Return what brings a loop back to its beat, and what comes after that; empty: not due."""
    held = plan.at(soon)
    if held is None or held.loop is None or held.start is None or held.loop.beats == 0:
        return ()
    if not (transport.running and transport.fits(held.loop.bpm)):
        return ()
    boundary = held.boundary(soon + 1)
    if boundary > soon + transport.rate_hz // AHEAD_PARTS:
        return ()
    off = transport.rate_hz // ALIGN_PARTS
    beats, passed = held.loop.beats, round((boundary - held.origin) / held.loop.period)
    beat = held.start + passed * beats
    if abs(transport.frame_of(beat) - boundary) <= off:
        return ()
    # After a jump the pass that is due may be any: take the first that can be had.
    beat += -((beat - transport.beat_at(soon)) // beats) * beats
    if transport.frame_of(beat) < soon:
        beat += beats
    at = transport.frame_of(beat)
    if any(change.at <= at + off for change in plan.after(soon)):
        return ()
    return Change(at, held.loop, at, beat, Fraction(0), beat), *plan.after(at)
