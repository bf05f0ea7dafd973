"""Slots that never repeat while the engine keeps up: each pass is continued by a new segment.

A segment continues the last take that is planned for its slot, under what is set at that moment,
with a new seed, and is planned for the end of that take's pass. A version of a segment is played
as soon as there is one; better ones take its place until it begins. Where none is there in time
the last bars repeat, as any loop does, and it is said. Owned by the control process's event loop.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field

from daemon.engine.wire import Deadline
from daemon.errors import Refusal
from daemon.osc.outbox import Asker, Outbox
from daemon.playing.stage import Stage
from daemon.playing.timeline import Change, Loop, Timeline
from daemon.rendering.desk import Desk
from daemon.takes.slots import Slot
from daemon.takes.take import Take
from ditto_rt.limits import SEED
from ditto_rt.spec import Job, Region
from ditto_rt.timing import JOIN_S

TICK_S = 0.05
# After a segment that came to nothing, or could not be asked for.
RETRY_S = 2.0
# Segments planned behind the one that sounds: a slot's voices in the player are few.
MOST_AHEAD = 2
# Before the end of the pass a version must be there, so that the player knows in time.
SPARE_S = 3 * JOIN_S
NOBODY = Asker((), "/ditto/endless")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Horizon:
    """How far a slot's sound reaches: `last` of all that is planned, and where its pass ends."""

    last: Change
    loop: Loop
    end: int


def horizon(plan: Timeline, soon: int) -> Horizon | None:
    """Return how far a plan reaches, seen from frame `soon`; None where it ends in silence."""
    last = plan.changes[-1] if plan.changes else None
    if last is None or last.loop is None:
        return None
    return Horizon(last, last.loop, last.boundary(max(soon, last.at + 1)))


def segment(slot: Slot, loop: Loop, rate_hz: int, number: int) -> Job:
    """Return the job that continues a loop under what is set in a slot. Raises Refusal.

    number: of the segment; each has a seed of its own. What a segment without controls may cost is
    what a search hears, so that it comes in time.
    """
    job = slot.job()
    lead = round(JOIN_S * rate_hz) if loop.opened else 0
    region = Region(
        path=loop.opened or loop.path,
        start_s=lead / rate_hz,
        end_s=(lead + loop.frames) / rate_hz,
        mode="continue",
    )
    steps = min(job.quality.steps, job.quality.search_steps)
    changed = {
        "region": region,
        "loop": None,
        "seed": (job.seed + number) % (int(SEED.high) + 1),
        "quality": job.quality.model_copy(update={"steps": steps}),
    }
    return job.model_copy(update=changed)


@dataclass
class Running:
    """An endless slot. `due`: the frame on which its next segment should begin.

    job: the segment that was asked for last, of which `versions` can be heard.
    """

    asker: Asker
    due: int | None = None
    segments: int = 0
    behind: int = 0
    number: int = 0
    job: Job | None = None
    versions: set[int] = field(default_factory=set)
    asked_s: float = float("-inf")
    trouble: str = ""


class Endless:
    """Which slots are endless, and what comes next in them."""

    def __init__(self, desk: Desk, stage: Stage, outbox: Outbox, lookahead_s: float) -> None:
        """Keep `lookahead_s` of sound planned for each endless slot, where the engine can."""
        self._desk, self._stage, self._outbox = desk, stage, outbox
        self._lookahead = round(lookahead_s * stage.transport.rate_hz)
        self._slots: dict[int, Running] = {}
        self._is_on = asyncio.Event()

    def is_on(self, slot: int) -> bool:
        """Return whether a slot is endless."""
        return slot in self._slots

    def state(self, slot: int) -> tuple[int, int, int, int]:
        """Return the values of /ditto/slot/endless."""
        running = self._slots.get(slot)
        if running is None:
            return slot, 0, 0, 0
        return slot, 1, running.segments, running.behind

    def turn(self, slot: int, on: bool, asker: Asker) -> None:
        """Let a slot be endless, or let what plays repeat. Raises Refusal where it has no take."""
        running = self._slots.get(slot)
        if on and running is None:
            self._stage.choice.held(slot)
            self._slots[slot] = Running(asker)
            self._is_on.set()
        elif running and not on:
            self._end(slot, running)
        if on != (running is not None):
            self._tell(slot)

    def on_take(self, take: Take) -> None:
        """Plan a version that can be heard: a segment's behind its slot's last, others as ever."""
        running = self._slots.get(take.slot)
        if running is None or take.asked != running.job:
            if running:
                # Somebody's own render: what is planned is another now.
                running.due, running.asked_s = None, float("-inf")
            self._stage.on_take(take)
            return
        stage, slot = self._stage, take.slot
        stage.choice.newest(slot)
        held = stage.choice.in_folder(take)
        stage.load(held)
        # The player must know before the end of the pass goes over into its start.
        frame = stage.soon() + round(JOIN_S * stage.transport.rate_hz)
        change = stage.plans[slot].continued(held.loop, frame, running.versions)
        if change is None:
            return
        stage.put(slot, change)
        if not running.versions:
            running.segments += 1
            running.behind, running.trouble = 0, ""
            self._tell(slot)
        running.versions.add(take.version)
        # One pass of it later the next should be there.
        running.due = change.boundary(change.at + 1)

    async def run(self) -> None:
        """Ask for segments until cancelled."""
        while True:
            await self._is_on.wait()
            self.look(time.monotonic())
            await asyncio.sleep(TICK_S)

    def look(self, now_s: float) -> None:
        """Ask for the segments that should be asked for now, and notice what is late."""
        for slot, running in self._slots.items():
            soon = self._stage.soon()
            reach = horizon(self._stage.plans[slot], soon)
            if reach is None:
                running.due = None
                continue
            if running.due is None:
                # It has just begun: nobody could have been ready for the first pass.
                running.due = reach.last.boundary(soon + self._lookahead)
            self._notice(slot, running, reach)
            if reach.end - soon > self._lookahead or self._desk.line.of(slot):
                continue
            if len(self._stage.plans[slot].after(soon)) >= MOST_AHEAD:
                continue
            if now_s - running.asked_s >= (0 if running.versions else RETRY_S):
                self._ask(slot, running, reach, now_s)

    def _ask(self, slot: int, running: Running, reach: Horizon, now_s: float) -> None:
        stage, rate_hz = self._stage, self._stage.transport.rate_hz
        left_s = max(0.0, (reach.end - stage.soon()) / rate_hz - SPARE_S)
        deadline = Deadline(beat=float(stage.transport.beat_at(reach.end)), by_s=now_s + left_s)
        running.asked_s, running.number = now_s, running.number + 1
        running.versions = set()
        try:
            running.job = segment(self._desk.slots[slot], reach.loop, rate_hz, running.number)
            self._desk.submit(slot, NOBODY, running.job, deadline=deadline)
        except Refusal as refusal:
            if str(refusal) != running.trouble:
                self._outbox.fail(running.asker, refusal.code, str(refusal))
            running.trouble = str(refusal)

    def _notice(self, slot: int, running: Running, reach: Horizon) -> None:
        late = reach.end - (reach.end if running.due is None else running.due)
        behind = max(0, round(late / reach.loop.period))
        if behind == running.behind:
            return
        if behind and not running.behind:
            text = "slot %d: the engine falls behind; its last %g beats repeat"
            log.warning(text, slot, float(reach.loop.beats))
        running.behind = behind
        self._tell(slot)

    def _end(self, slot: int, running: Running) -> None:
        del self._slots[slot]
        if not self._slots:
            self._is_on.clear()
        request = self._desk.line.of(slot)
        if request and request.job is running.job:
            self._desk.cancel(slot)
        soon = self._stage.soon()
        later = self._stage.plans[slot].after(soon)
        if later and all(c.loop and c.loop.opened for c in later):
            self._stage.unplan(slot, soon)

    def _tell(self, slot: int) -> None:
        self._outbox.event("/ditto/slot/endless", *self.state(slot))
