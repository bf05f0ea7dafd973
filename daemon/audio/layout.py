"""The memory that the player's main thread and its callback share. numpy only.

All of it is made before the stream starts. Times are frames of the stream. The main thread writes
takes of voices that are free, entries of the ring, `tail` and `reported`; the callback writes all
else.
Shapes: S slots, V voices of a slot, N frames of a take.
"""

from dataclasses import dataclass, fields
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ditto_rt import limits

SLOTS = int(limits.SLOT.high) + 1
# One sounds, one is next, two may still fade out.
VOICES = 4
COMMANDS = 1024
# A ride's gains along the loop; between two of them it moves in a straight line.
RIDE_POINTS = 128
# Room behind a take for its own end and what leads into it, as a part of a second.
SPARE_PARTS = 10
NEVER = 2**62

START, END, HOLD, GAIN, PANIC, RIDE = 1, 2, 3, 4, 5, 6

# The callback's own times: its last call, then two histograms, each a sum, the longest and bins.
# Eight bins for each doubling: bin 8 * k + j counts what is from 2**k * (8 + j) ns on.
SHARE, BIN_COUNT = 8, 320
NS_PER_S = 10**9
LAST_NS, SUM_NS, LONGEST_NS, BINS = 0, 0, 1, 2
BUSY = 1
PERIOD = BUSY + BINS + BIN_COUNT
METER_WORDS = PERIOD + BINS + BIN_COUNT

Records = NDArray[np.void]

STATE = np.dtype(
    [
        ("frame", "i8"),  # first of the block that comes next
        ("block", "i8"),  # frames of the last block
        ("blocks", "i8"),
        ("underruns", "i8"),
        ("late", "i8"),  # changes that came after their time
        ("clipped", "i8"),  # frames louder than full scale
        ("head", "i8"),  # commands taken
        ("tail", "i8"),  # commands given
        ("channels", "i8"),
        ("rate_hz", "i8"),
        ("begun", "i8"),  # blocks that were asked for; `blocks` were filled
        ("best_frame", "i8"),  # of the least late block since the last report, and when it was due
        ("best_ns", "i8"),
        (
            "reported",
            "i8",
        ),  # reports so far, counted by the main thread; `answered` by the callback
        ("answered", "i8"),
        ("settling", "i8"),  # silent until it is known which frame is due
        ("settle_ns", "i8"),
        ("calls", "i8"),
        ("ref_frame", "i8"),  # the frame that is due at ref_ns, for a stream that settles
        ("ref_ns", "i8"),
    ],
    align=True,
)

# A voice sounds from begin - rise to end. Pass k over the take starts at
# origin + round(k * period / parts), so that a loop of 90708.66 frames does not drift.
# Where it is ridden, ride_old turns into ride_new from frame ride_at on; ride_next waits.
VOICE = np.dtype(
    [
        ("length", "i8"),
        ("period", "i8"),
        ("parts", "i8"),
        ("origin", "i8"),
        ("begin", "i8"),
        ("rise", "i8"),
        ("end", "i8"),
        ("fall", "i8"),
        ("ridden", "i8"),
        ("ride_at", "i8"),
        ("ride_next_at", "i8"),
        ("ride_old", "f4", (RIDE_POINTS,)),
        ("ride_new", "f4", (RIDE_POINTS,)),
        ("ride_next", "f4", (RIDE_POINTS,)),
        # A take with its own end: behind the loop's `length` frames lie so many of that end, then
        # as many that lead into the take; 0 for a take that is a loop and no more.
        ("lead", "i8"),
    ],
    align=True,
)

GAIN_RAMP = np.dtype(
    [("old", "f8"), ("new", "f8"), ("at", "i8"), ("coming", "f8"), ("coming_at", "i8")],
    align=True,
)

COMMAND = np.dtype(
    [
        ("kind", "i8"),
        ("slot", "i8"),
        ("voice", "i8"),
        ("at", "i8"),
        ("fade", "i8"),
        ("length", "i8"),
        ("period", "i8"),
        ("parts", "i8"),
        ("origin", "i8"),
        ("lead", "i8"),
        ("gain", "f8"),
        ("ridden", "i8"),
        ("ride", "f4", (RIDE_POINTS,)),
    ],
    align=True,
)


@dataclass(frozen=True)
class Memory:
    """All arrays of the player, in the order in which the callback finds their addresses."""

    state: Records
    ring: Records
    voices_SV: Records
    gains_S: Records
    takes_SVN: NDArray[np.float32]
    meter: NDArray[np.int64]

    def addresses(self) -> NDArray[np.int64]:
        """Return where each array begins, and how many frames a take may have."""
        arrays: list[NDArray[Any]] = [getattr(self, each.name) for each in fields(self)]
        found = [array.ctypes.data for array in arrays]
        return np.array([*found, self.takes_SVN.shape[2]], dtype=np.int64)


def allocate(rate_hz: int, channels: int, frames: int | None = None) -> Memory:
    """Return silent memory for takes of up to `frames`; None: of the longest that can be asked."""
    longest = ceil(limits.TAKE_S.high * rate_hz) + 1 if frames is None else frames
    longest += rate_hz // SPARE_PARTS
    memory = Memory(
        state=np.zeros(1, STATE),
        # Written now, so that a player that has run for long is no larger than a new one.
        ring=np.full(COMMANDS, np.zeros((), COMMAND)),
        voices_SV=np.zeros((SLOTS, VOICES), VOICE),
        gains_S=np.zeros(SLOTS, GAIN_RAMP),
        # The system gives pages when they are first written: an empty player stays small.
        takes_SVN=np.zeros((SLOTS, VOICES, longest), np.float32),
        meter=np.zeros(METER_WORDS, np.int64),
    )
    memory.state["channels"], memory.state["rate_hz"] = channels, rate_hz
    memory.gains_S["old"] = memory.gains_S["new"] = 1.0
    memory.gains_S["at"], memory.gains_S["coming_at"] = -rate_hz, NEVER
    return memory
