"""A change of a slot's plan -> the order that tells the player of it."""

from collections.abc import Callable
from pathlib import Path

from daemon.audio.wire import Play, Stop
from daemon.playing.timeline import Change


def order_of(slot: int, change: Change, where: Callable[[Path], Path]) -> Play | Stop:
    """Return what the player is told of a change; `where` says where a take's file is by now."""
    loop = change.loop
    if loop is None:
        return Stop(slot, change.at)
    opened = where(Path(loop.opened)) if loop.opened else None
    is_open = opened is not None and opened.exists()
    return Play(
        slot=slot,
        path=str(opened if is_open else where(Path(loop.path))),
        at=change.at,
        origin=change.origin,
        period=loop.period.numerator,
        parts=loop.period.denominator,
        beats=float(loop.beats),
        asked=loop.asked,
        frames=loop.frames if is_open else 0,
    )
