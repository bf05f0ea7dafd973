"""What is heard: each slot's plan, its gain, the transport, and what the audio process is told.

Owned by the control process's event loop. The audio process only plays; what plays, from which
frame and why is known here, so one that was killed is told all of it again and goes on in phase.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from daemon.audio.wire import (
    HERE_AND_NOW,
    Aim,
    Begin,
    Clock,
    Gain,
    Hold,
    Keep,
    Load,
    Opened,
    Order,
    Panic,
    Points,
    Silent,
    Trouble,
)
from daemon.errors import Refusal
from daemon.osc.arguments import Value
from daemon.osc.outbox import Asker, Outbox
from daemon.playing.aligning import Shift, realigned, replanned
from daemon.playing.choice import Choice
from daemon.playing.ordering import order_of
from daemon.playing.output import Output
from daemon.playing.timebase import Timebase
from daemon.playing.timeline import Change, Held, Loop, Timeline, next_change
from daemon.playing.transport import Transport
from daemon.processes.child import Died
from daemon.processes.link import AudioEvent
from daemon.takes.collection import TakeFolder
from daemon.takes.slots import SLOTS
from daemon.takes.take import Take
from ditto_rt.limits import GAIN_DB
from ditto_rt.timing import exact

# From a command to the first sample it may change: the pipe to the audio process, and the fade
# that comes before the change. The device's block comes on top.
LEAD_S = 0.04
FIRST_BLOCK_FRAMES = 1024
# Of a change of gain, and of the fade from take to take, as a part of a second.
RAMP_PARTS = 50
NOTHING = -1

log = logging.getLogger(__name__)


class Stage:
    """The sixteen slots as they are heard."""

    def __init__(
        self,
        rate_hz: int,
        takes: TakeFolder,
        outbox: Outbox,
        order: Callable[[Order], None],
        plays: bool,
    ) -> None:
        """Begin with silence, and with a transport that runs at 120 bpm.

        plays: whether an audio process will come.
        """
        self._takes, self._outbox, self._order = takes, outbox, order
        self.transport = Transport(rate_hz)
        off = Output("off", "audio.output is off in the configuration")
        self.output = Output("starting") if plays else off
        self.clock = Clock(0, time.monotonic_ns(), FIRST_BLOCK_FRAMES, 0, 0)
        self._timebase = Timebase(rate_hz)
        self.plans = [Timeline()] * SLOTS
        self.gains = [1.0] * SLOTS
        self.aims: dict[int, Points] = {}
        self.choice = Choice(takes, rate_hz)
        self._askers: dict[int, Asker] = {}
        self._kept: tuple[str, ...] = ()
        self._launches = 0
        self.changed: Callable[[], None] = lambda: None
        # A take of an earlier run is about to be played from the disk.
        self.on_file: Callable[[Path], None] = lambda _: None
        # Beats lie elsewhere now; True: after a jump, so that what is planned has other beats.
        self.on_moved: Callable[[bool], None] = lambda _: None

    def now(self) -> int:
        """Return the frame that is due now, by the device's count; without one, by the clock's."""
        return self.frame_at(time.monotonic_ns())

    def frame_at(self, at_ns: int) -> int:
        """Return the frame that is due at a time of the monotonic clock."""
        return self.clock.frame + (at_ns - self.clock.at_ns) * self.transport.rate_hz // 10**9

    def heard_at(self, at_ns: int) -> int:
        """Return the frame that leaves the device at a time of the monotonic clock."""
        return self.frame_at(at_ns - round(self.output.latency_s * 1e9))

    def soon(self, due_ns: int | None = None) -> int:
        """Return the first frame that a command of this moment can reach.

        due_ns: not before the frame that is heard at that time of the monotonic clock.
        """
        lead = round(LEAD_S * self.transport.rate_hz)
        soon = self.now() + max(self.clock.block_frames, 1) + lead
        return soon if due_ns is None else max(soon, self.heard_at(due_ns))

    @property
    def lead_ns(self) -> int:
        """Return how long before its sound is to be heard a command must come."""
        ahead = max(self.clock.block_frames, 1) / self.transport.rate_hz
        return round((ahead + LEAD_S + self.output.latency_s) * 1e9)

    def play(
        self, slot: int, quantum: float, asker: Asker, due_ns: int | None = None
    ) -> tuple[Value, ...]:
        """Launch the slot's take on a beat; return version, beat, tempo, and 1 where that fits.

        due_ns, here and below: when it is to be heard at the earliest, by the monotonic clock.
        A stopped transport starts. Raises Refusal where there is no take, or nothing to play on.
        """
        if not self.output.can_be_heard:
            raise Refusal("no_audio", f"nothing can be heard: {self.output.text}")
        loop = self._loop(self.choice.held(slot))
        at, beat = self._next(quantum, True, due_ns)
        self._askers[slot] = asker
        self.put(slot, Change(at, loop, at, beat, exact(quantum), beat))
        return loop.version, float(beat), float(loop.bpm), int(self.transport.fits(loop.bpm))

    def stop(self, slot: int, quantum: float, due_ns: int | None = None) -> float:
        """Silence the slot on a beat; return that beat."""
        at, beat = self._next(quantum, False, due_ns)
        self.put(slot, Change(at, None, at, beat, exact(quantum)))
        return float(beat)

    def launch(
        self,
        loops: Mapping[int, Loop],
        gains: Mapping[int, float],
        quantum: float,
        asker: Asker,
        due_ns: int | None = None,
    ) -> tuple[int, Fraction]:
        """Let all slots change on one beat: these play, all others stop. Return its number, beat.

        The gains, factors, are there on that beat: they move within the fade before it. A stopped
        transport starts where something plays.
        """
        at, beat = self._next(quantum, bool(loops), due_ns)
        self._launches += 1
        change = Change(at, None, at, beat, exact(quantum), None, self._launches)
        for slot, gain in gains.items():
            self.gains[slot] = gain
            self._order(Gain(slot, gain, at - self.transport.rate_hz // RAMP_PARTS))
        for slot, plan in enumerate(self.plans):
            if slot in loops:
                self._askers[slot] = asker
                self.put(slot, replace(change, loop=loops[slot], start=beat))
            elif plan.changes:
                self.put(slot, change)
        return self._launches, beat

    def keep(self, paths: Iterable[str]) -> None:
        """Let the audio process hold these takes ready; the last ones that were named count."""
        self._kept = tuple(paths)
        self._order(Keep(self._kept))

    def gain(self, slot: int, db: float, due_ns: int | None = None) -> float:
        """Set the slot's loudness; return the beat from which on it moves there."""
        self.gains[slot] = 0.0 if db <= GAIN_DB.low else 10 ** (db / 20)
        at = self.soon(due_ns)
        self._order(Gain(slot, self.gains[slot], at))
        return float(self.transport.beat_at(at))

    def aim(self, slot: int, wanted: Points, at_once: bool) -> None:
        """Ride the slot's takes to be as loud as `wanted`; empty: play them as they are.

        Where it need not be at once, what is set for a launch that is planned waits for it.
        """
        self.aims[slot], soon = wanted, self.soon()
        launches = [c.at for c in self.plans[slot].after(soon) if c.beat is not None]
        at = soon if at_once or not launches else launches[0]
        self._order(Aim(slot, wanted, at))

    def panic(self) -> None:
        """Silence all at once and forget what was planned."""
        self._order(Panic())
        self.plans = [Timeline()] * SLOTS
        self.changed()

    def rollback(self, slot: int) -> tuple[Value, ...]:
        """Go back to the take before, at the end of the loop; return its version and that beat.

        Where the slot is silent, its next launch plays that take. Raises Refusal.
        """
        before = self.choice.before(slot)
        at = self._swap(before)
        return before.take.version, float(self.transport.beat_at(at))

    def on_take(self, take: Take) -> None:
        """Let a slot that plays go on with a new take, at the end of its loop."""
        self.choice.newest(take.slot)
        held = self.choice.in_folder(take)
        self.load(held)
        if take.report.sample_rate == self.transport.rate_hz:
            self._swap(held)

    def load(self, held: Held) -> None:
        """Let the player read a take that may be played soon."""
        self._order(Load(held.opened or held.path))

    def foresee(self, slot: object) -> None:
        """Let the player read what a launch of this slot would play; one with none is left."""
        if isinstance(slot, int) and 0 <= slot < SLOTS:
            with suppress(Refusal):
                self.load(self.choice.held(slot))

    def put(self, slot: int, change: Change) -> None:
        """Plan a change, in place of all that was planned from its frame on."""
        self.plans[slot] = self.plans[slot].put(change)
        self._tell(slot, change)
        self.changed()

    def unplan(self, slot: int, frame: int) -> None:
        """Forget what is planned for later than a frame; what sounds goes on."""
        self._order(Hold(slot, frame))
        plan = self.plans[slot]
        self.plans[slot] = Timeline(plan.changes[: len(plan.changes) - len(plan.after(frame))])
        self.changed()

    def set_tempo(self, bpm: float, due_ns: int | None = None) -> float:
        """Change the tempo now, without a jump of the beat; return the beat where it does."""
        at = self._moment(due_ns)
        self.retime(bpm, at, due_ns)
        return float(self.transport.beat_at(at))

    def retime(self, bpm: float, at: int, due_ns: int | None = None) -> None:
        """Let the tempo be another one from a frame on."""
        self.transport = self.transport.with_bpm(bpm, at)
        self._keep_promises(due_ns)

    def start(self, beat: float | None, due_ns: int | None = None) -> float:
        """Let the beat run, from `beat` or from where it is; return it."""
        at = self.soon(due_ns)
        self.transport = self.transport.started(at, beat)
        self._keep_promises(due_ns)
        return float(self.transport.beat)

    def halt(self, due_ns: int | None = None) -> float:
        """Let the beat stand still and all slots be silent; return it."""
        at = self.soon(due_ns)
        self.transport = self.transport.stopped(at)
        for slot, plan in enumerate(self.plans):
            if plan.changes:
                self.put(slot, Change(at, None, at))
        return float(self.transport.beat)

    def move(self, beat: float, due_ns: int | None = None) -> float:
        """Say which beat it is now; what plays goes on, what is planned follows."""
        self.transport = self.transport.moved(self._moment(due_ns), beat)
        self._keep_promises(due_ns)
        return beat

    def follow(self, transport: Transport, jumps: bool = False) -> None:
        """Take over where another clock is. jumps: what is planned moves to the new grid."""
        self.transport = transport
        self._keep_promises(None, Shift.JUMPS if jumps else Shift.FOLLOWS)
        for slot, plan in enumerate(self.plans):
            for change in realigned(plan, transport, self.soon()):
                self.put(slot, change)

    def on_event(self, event: AudioEvent) -> None:
        """Carry out what the audio process's event means."""
        match event:
            case Clock():
                self.clock = self._timebase.steadied(event)
            case Opened():
                self._timebase.forget()
                self.output = Output("on", "", event.device, event.latency_s)
                log.info("audio: %s at %d Hz", event.device, event.rate_hz)
                self._tell_all()
            case Silent(text=text):
                if self.output.text != text:
                    log.warning("nothing can be heard: %s", text)
                self.output = Output("none", text)
            case Died(how=how) if self.output.state != "none":
                self.output = Output("starting", f"the audio process {how}")
            case Trouble(slot=slot, text=text):
                self._on_trouble(slot, text)
        if not isinstance(event, Clock):
            self.changed()

    def state(self, slot: int) -> tuple[Value, ...]:
        """Return the values of /ditto/slot/state: what sounds, and what comes when."""
        now = self.now()
        held, later = self.plans[slot].at(now), self.plans[slot].after(now)
        version = held.loop.version if held and held.loop else 0
        if not later:
            return slot, int(version > 0), version, NOTHING, float(NOTHING)
        coming = later[0].loop.version if later[0].loop else 0
        beat, loop = later[0].beat, later[0].loop
        if beat is None and loop and self.transport.fits(loop.bpm):
            beat = later[0].start
        if beat is None:
            beat = self.transport.beat_at(later[0].at)
        return slot, int(version > 0), version, coming, float(beat)

    def versions(self, slot: int) -> set[int]:
        """Return the versions that the slot plays or will play."""
        return {change.loop.version for change in self.plans[slot].changes if change.loop}

    def next_change(self) -> int | None:
        """Return the frame of the next planned change; forget what is over."""
        now = self.now()
        self.plans = [plan.without_past(now) for plan in self.plans]
        return next_change(self.plans, now)

    def _next(self, quantum: float, starts: bool, due_ns: int | None) -> tuple[int, Fraction]:
        """Return the frame and the beat of the next multiple; a launch starts the transport."""
        at = self.soon(due_ns)
        if starts and not self.transport.running:
            self.transport = self.transport.started(at)
        if not self.transport.running:
            return at, self.transport.beat
        beat = self.transport.next_multiple(exact(quantum), at)
        return self.transport.frame_of(beat), beat

    def _loop(self, held: Held) -> Loop:
        if Path(held.path).parent == self._takes.folder:
            self.on_file(Path(held.path))
        return held.loop

    def _swap(self, held: Held) -> int:
        slot, loop, at = held.take.slot, self._loop(held), self.soon()
        self.plans[slot], fresh = self.plans[slot].swap(loop, at)
        for change in fresh:
            self._tell(slot, change)
        self.changed()
        return fresh[0].at if fresh else at

    def _tell(self, slot: int, change: Change) -> None:
        self._order(order_of(slot, change, self._takes.where))

    def _moment(self, due_ns: int | None) -> int:
        now = self.now()
        return now if due_ns is None else max(now, self.heard_at(due_ns))

    def _keep_promises(self, due_ns: int | None = None, shift: Shift = Shift.SET) -> None:
        """Move what was planned for a beat to where that beat is now."""
        soon = self.soon(due_ns)
        for slot, plan in enumerate(self.plans):
            moved = replanned(plan, self.transport, soon, shift)
            if moved is not None:
                self.unplan(slot, soon)
                for change in moved:
                    self.put(slot, change)
        self.on_moved(shift is Shift.JUMPS)

    def _tell_all(self) -> None:
        """Bring a new audio process to where the old one would be."""
        now = self.now()
        self._order(Begin(self.clock.frame, self.clock.at_ns))
        for slot, plan in enumerate(self.plans):
            self._order(Gain(slot, self.gains[slot], HERE_AND_NOW))
            if self.aims.get(slot):
                self._order(Aim(slot, self.aims[slot], HERE_AND_NOW))
            for change in plan.without_past(now).changes:
                at = HERE_AND_NOW if change.at <= now else change.at
                self._tell(slot, replace(change, at=at))
        # A take of an earlier run would be read when it is due, and come late.
        newest = (self._takes.last(slot) for slot in range(SLOTS))
        paths = (str(self._takes.sound(take.slot, take.version)) for take in newest if take)
        self._order(Keep((*self._kept, *paths)))

    def _on_trouble(self, slot: int, text: str) -> None:
        log.warning("%s", text)
        if slot in self._askers:
            self._outbox.fail(self._askers[slot], "bad_file", text)
            at = self.soon()
            self.put(slot, Change(at, None, at))
