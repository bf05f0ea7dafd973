"""Orders -> commands for the callback: which voice plays what. Main thread of the audio process.

A slot's voices are a timeline: an order replaces all that was planned from its frame on. A voice
is free again once the callback has taken the command that started it and its end has passed.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from daemon.audio.layout import (
    COMMAND,
    END,
    GAIN,
    HOLD,
    PANIC,
    RIDE,
    RIDE_POINTS,
    SLOTS,
    START,
    VOICES,
    Memory,
)
from daemon.audio.level import Curve, Level, drawn, gains, level_of, ride_db
from daemon.audio.mixing import push
from daemon.audio.wire import Aim, Gain, Hold, Panic, Play, Points, Stop
from ditto_rt.timing import correlation, fade_gains

# A start or a stop out of nothing, and the change from one take to another.
FADE_PARTS, CROSS_PARTS = 200, 50
KEPT_TAKES = 32
PATIENCE_S = 0.5
_PAUSE_S = 0.001


class Unplayable(Exception):
    """A take that cannot be played: not there, of another rate, too long."""


@dataclass(frozen=True, eq=False)
class Sound:
    """A take's samples, and how loud it is along its loop."""

    audio_N: NDArray[np.float32]
    level: Level


@dataclass(frozen=True, eq=False)
class Ridden:
    """What is known of a voice's take when it is ridden; asked_R is None where nothing was."""

    level: Level
    beats: float
    asked_R: Curve | None


class Takes:
    """Takes that were read: the newest KEPT_TAKES, and those of scenes for as long as asked."""

    def __init__(self, rate_hz: int, frames: int) -> None:
        """Accept takes of this rate and at most this length."""
        self._rate_hz, self._frames = rate_hz, frames
        self._newest: OrderedDict[str, Sound] = OrderedDict()
        self._held: dict[str, Sound] = {}
        self._waiting: deque[str] = deque()

    def get(self, path: str) -> Sound:
        """Return a take. Raises Unplayable."""
        if path in self._held:
            return self._held[path]
        if path not in self._newest:
            self._newest[path] = self._read(path)
            if len(self._newest) > KEPT_TAKES:
                self._newest.popitem(last=False)
        self._newest.move_to_end(path)
        return self._newest[path]

    def keep(self, paths: Iterable[str]) -> None:
        """Hold these, besides the newest; `read_next` reads them one by one."""
        wanted = dict.fromkeys(paths)
        self._held = {path: self._held[path] for path in wanted if path in self._held}
        self._waiting = deque(path for path in wanted if path not in self._held)

    def read_next(self) -> bool:
        """Read one that is wanted; return whether there was one. Raises Unplayable."""
        if not self._waiting:
            return False
        path = self._waiting.popleft()
        found = self._newest.get(path)
        self._held[path] = self._read(path) if found is None else found
        return True

    def _read(self, path: str) -> Sound:
        name = Path(path).name
        try:
            audio, rate_hz = soundfile.read(path, dtype="float32")
        except (soundfile.SoundFileError, OSError) as error:
            raise Unplayable(f"take {name} cannot be read: {error}") from error
        if rate_hz != self._rate_hz:
            raise Unplayable(f"take {name} has {rate_hz} Hz; allowed: {self._rate_hz} Hz")
        if audio.ndim != 1 or not 0 < len(audio) <= self._frames:
            shape = "x".join(map(str, audio.shape))
            raise Unplayable(f"take {name} is {shape}; allowed: mono, up to {self._frames} frames")
        return Sound(np.asarray(audio, np.float32), level_of(audio, rate_hz))


def laid_out(audio: NDArray[np.float32], lead: int) -> NDArray[np.float32]:
    """Return a take as a voice holds it: the loop, its own end, what leads into it.

    audio: `lead` samples that lead into the take, then the take. The loop's end goes over into
    them, as `ditto_rt.timing.close_loop` does it.
    """
    before, take, end = audio[:lead], audio[lead:], audio[len(audio) - lead :]
    rise, fall = fade_gains(lead, correlation(before, end))
    closed = np.concatenate([take[: len(take) - lead], before * rise + end * fall, end, before])
    return np.asarray(closed, np.float32)


class Voices:
    """Who writes the shared memory. One thread only."""

    def __init__(self, memory: Memory) -> None:
        """Begin with silence."""
        self._memory = memory
        rate_hz = int(memory.state["rate_hz"][0])
        self.takes = Takes(rate_hz, memory.takes_SVN.shape[2])
        self._fade, self._cross = rate_hz // FADE_PARTS, rate_hz // CROSS_PARTS
        # The ring's index behind the command that started a voice last.
        self._claimed_SV = np.zeros((SLOTS, VOICES), np.int64)
        # The newest voice of a slot that has no planned end.
        self._open: dict[int, int] = {}
        self._ridden: dict[tuple[int, int], Ridden] = {}
        self._wanted: dict[int, Points] = {}
        self._moved_db: dict[tuple[int, int], float] = {}
        self._command = np.zeros(1, COMMAND)
        # So many frames of each of the slot's voices are in memory.
        self._ready_S = [0] * SLOTS

    def rides_db(self) -> tuple[float, ...]:
        """Return for each slot how much its newest take is moved where it is moved most."""
        newest = ((slot, self._open.get(slot, -1)) for slot in range(SLOTS))
        return tuple(self._moved_db.get(key, 0.0) for key in newest)

    def play(self, order: Play) -> None:
        """Make the slot play a take from a frame on. Raises Unplayable."""
        sound = self.takes.get(order.path)
        length = order.frames or len(sound.audio_N)
        lead = len(sound.audio_N) - length
        spare = self._memory.takes_SVN.shape[2] - len(sound.audio_N)
        if not 0 <= lead <= min(length, spare):
            raise Unplayable(
                f"take {Path(order.path).name} has {length + lead} frames for passes of {length}; "
                f"allowed: {length} to {2 * length}"
            )
        voice = self._free(order.slot)
        held = self._memory.takes_SVN[order.slot, voice, : length + 2 * lead]
        held[:] = laid_out(sound.audio_N, lead)
        asked_R = drawn(order.asked, order.beats) if order.asked else None
        level = sound.level
        if lead:
            level = level_of(sound.audio_N[lead:], int(self._memory.state["rate_hz"][0]))
        self._ridden[order.slot, voice] = Ridden(level, order.beats, asked_R)
        fade = self._cross if order.slot in self._open else self._fade
        self._end_all(order.slot, order.at, fade)
        self._push(
            kind=START,
            slot=order.slot,
            voice=voice,
            at=order.at,
            fade=fade,
            length=length,
            lead=lead,
            period=order.period,
            parts=order.parts,
            origin=order.origin,
            ridden=order.slot in self._wanted,
            ride=self._ride(order.slot, voice),
        )
        self._claimed_SV[order.slot, voice] = self._memory.state["tail"][0]
        self._open[order.slot] = voice
        self._make_ready(order.slot, length + 2 * lead)

    def _make_ready(self, slot: int, frames: int) -> None:
        """Bring the slot's other voices into memory, once this one sounds.

        So the next launch waits for no page of the system's, and the slot takes its memory at
        its first launch and not when four takes happen to sound at once. None of them was ever
        longer than what was ready, so nothing that sounds lies there.
        """
        ready = self._ready_S[slot]
        if frames > ready:
            for voice in range(VOICES):
                if voice != self._open[slot]:
                    self._memory.takes_SVN[slot, voice, ready:frames] = 0
            self._ready_S[slot] = frames

    def stop(self, order: Stop) -> None:
        """Make the slot silent from a frame on."""
        self._end_all(order.slot, order.at, self._fade)
        self._open.pop(order.slot, None)

    def hold(self, order: Hold) -> None:
        """Forget what was planned for the slot from a frame on."""
        for voice in range(VOICES):
            if not self._is_free(order.slot, voice):
                self._push(kind=HOLD, slot=order.slot, voice=voice, at=order.at)

    def gain(self, order: Gain) -> None:
        """Change the slot's loudness."""
        self._push(kind=GAIN, slot=order.slot, gain=order.gain, at=order.at)

    def aim(self, order: Aim) -> None:
        """Ride the slot's takes to be as loud as is wanted, each by what it lacks."""
        if order.wanted:
            self._wanted[order.slot] = order.wanted
        else:
            self._wanted.pop(order.slot, None)
        for voice in range(VOICES):
            if not self._is_free(order.slot, voice):
                curve = self._ride(order.slot, voice)
                self._push(kind=RIDE, slot=order.slot, voice=voice, at=order.at, ride=curve)

    def panic(self, _: Panic) -> None:
        """Make all slots silent at once."""
        self._push(kind=PANIC)
        self._open.clear()

    def _ride(self, slot: int, voice: int) -> NDArray[np.float32]:
        """Return the gains along a voice's loop, and note how many dB that is at most."""
        points, held = self._wanted.get(slot, ()), self._ridden[slot, voice]
        curve_R = np.zeros(RIDE_POINTS)
        if points:
            curve_R = ride_db(held.level, drawn(points, held.beats), held.asked_R)
        self._moved_db[slot, voice] = round(float(curve_R[np.argmax(np.abs(curve_R))]), 2)
        return gains(curve_R)

    def _end_all(self, slot: int, at: int, fade: int) -> None:
        for voice in range(VOICES):
            if not self._is_free(slot, voice):
                self._push(kind=END, slot=slot, voice=voice, at=at, fade=fade)

    def _is_free(self, slot: int, voice: int) -> bool:
        state, held = self._memory.state[0], self._memory.voices_SV[slot, voice]
        if state["head"] < self._claimed_SV[slot, voice]:
            return False
        return bool(held["length"] == 0 or held["end"] <= state["frame"])

    def _free(self, slot: int) -> int:
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            for voice in range(VOICES):
                if self._is_free(slot, voice):
                    return voice
            # Fades are over in a moment; only a flood of launches on one slot comes here.
            time.sleep(_PAUSE_S)
        raise Unplayable(f"slot {slot} has {VOICES} takes that still sound; allowed: one more")

    def _push(self, **values: Any) -> None:
        for name in COMMAND.names or ():
            self._command[name] = values.get(name, 0)
        until_s = time.monotonic() + PATIENCE_S
        while not push(self._memory.state, self._memory.ring, self._command):
            if time.monotonic() > until_s:
                raise TimeoutError("the device has stopped taking samples")
            time.sleep(_PAUSE_S)
