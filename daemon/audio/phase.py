"""Which frame is due when: the callback's part of it, compiled like the rest of what it does.

A block is asked for late where the machine is busy, and never early, so the least late one tells
where the stream is. The first blocks of a stream are silent until that is known: a stream that
began with the very first one would be beside its phase by that one's lateness for all its life.
"""

from typing import Any

import numpy as np

from daemon.audio.layout import NS_PER_S
from daemon.audio.mixing import compiled

# Blocks that a device asks for at once, to fill what it has: they tell no time.
FILLING_BLOCKS = 3
SETTLING_NS = 100_000_000


def _note(state: Any, at_ns: int) -> None:
    """Keep the frame and the time of the least late block since the last report."""
    s = state[0]
    ahead = np.float64(s.frame - s.best_frame) * NS_PER_S
    later = np.float64(at_ns - s.best_ns) * s.rate_hz
    if s.best_ns == 0 or s.reported != s.answered or ahead > later:
        s.answered = s.reported
        s.best_frame, s.best_ns = s.frame, at_ns


def _is_heard(state: Any, at_ns: int, frames: int) -> bool:
    """Notice that a block is asked for; return whether it sounds.

    While the stream settles frames are counted from any number; then from `ref_frame` at `ref_ns`.
    """
    s = state[0]
    if s.settling == 0:
        note(state, at_ns)
        return True
    s.calls += 1
    if s.calls <= FILLING_BLOCKS:
        return False
    if s.settle_ns == 0:
        s.settle_ns = at_ns
    note(state, at_ns)
    if at_ns - s.settle_ns < SETTLING_NS:
        s.frame += frames
        return False
    passed_ns = np.float64(s.best_ns - s.ref_ns)
    due = s.ref_frame + np.int64(np.floor(passed_ns * s.rate_hz / NS_PER_S + 0.5))
    s.frame += due - s.best_frame
    s.best_frame = due
    s.settling = 0
    return True


note = compiled(_note)
is_heard = compiled(_is_heard)
