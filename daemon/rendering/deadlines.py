"""By when a take must be there: from a beat of the transport to a time of the monotonic clock."""

import time
from collections.abc import Callable
from fractions import Fraction

from daemon.engine.wire import Deadline
from daemon.errors import Refusal
from daemon.playing.stage import Stage
from ditto_rt.timing import exact

# The time from a render's start to its first version, for each second of it: a first guess, and
# how much of it stays when a quicker one was seen.
FIRST_S, REMEMBERED = 0.3, 0.8


class FirstVersions:
    """How long first versions take. Owned by the event loop; learns from each."""

    def __init__(self) -> None:
        """Begin with a guess."""
        self._each_s = FIRST_S

    def learn(self, seconds: float, took_s: float) -> None:
        """Learn from a take of so many seconds; a slow one counts at once."""
        each_s = took_s / seconds
        mixed_s = REMEMBERED * self._each_s + (1 - REMEMBERED) * each_s
        self._each_s = max(each_s, mixed_s)

    def expected_s(self, seconds: float) -> float:
        """Return how long one will take for a take of so many seconds."""
        return self._each_s * seconds


def aim(
    stage: Stage, slot: int, quantum: float, beats: float, earliest_s: float | None = None
) -> Deadline:
    """Return the first multiple of `quantum` beats for which a take can be ready.

    earliest_s: when there can be one, by the monotonic clock; None: now. A quantum of 0 is the end
    of the loop that plays in the slot; of `beats`, its take's length, where none does. The deadline
    leaves the time that the player needs for a swap on that beat. Raises Refusal where the
    transport stands still.
    """
    if not stage.transport.running:
        raise Refusal("bad_value", "transport stands still; allowed: a running one")
    now_s = time.monotonic()
    start_s = now_s if earliest_s is None else max(now_s, earliest_s)
    rate_hz = stage.transport.rate_hz
    first = stage.soon() + round((start_s - now_s) * rate_hz)
    playing = stage.plans[slot].at(stage.now())
    if quantum == 0 and playing and playing.loop:
        frame = playing.boundary(first)
        beat = stage.transport.beat_at(frame)
        return _by(stage, frame, beat)
    beat = stage.transport.next_multiple(exact(quantum or beats), first)
    return _by(stage, stage.transport.frame_of(beat), beat, quantum or beats)


def moved(stage: Stage, deadline: Deadline, jumps: bool) -> Deadline:
    """Return a deadline as the transport has its beat now.

    A beat that is over, as after a jump, gives way to the next one that can be reached. Where the
    transport stands still, the deadline stays as it was.
    """
    transport, soon = stage.transport, stage.soon()
    if not (deadline.quantum and transport.running):
        return deadline
    beat = exact(deadline.beat)
    if jumps or transport.frame_of(beat) < soon:
        beat = transport.next_multiple(exact(deadline.quantum), soon)
    return _by(stage, transport.frame_of(beat), beat, deadline.quantum)


def follow(stage: Stage, move: Callable[[Callable[[Deadline], Deadline]], None]) -> None:
    """Let deadlines be moved whenever the transport's beats are elsewhere."""
    stage.on_moved = lambda jumps: move(lambda deadline: moved(stage, deadline, jumps))


def _by(stage: Stage, frame: int, beat: Fraction, quantum: float = 0.0) -> Deadline:
    by_s = time.monotonic() + (frame - stage.soon()) / stage.transport.rate_hz
    return Deadline(beat=float(beat), by_s=by_s, quantum=quantum)
