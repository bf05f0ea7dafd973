"""The render desk: slots, their jobs and takes, and what the engine says about them.

Owned by the control process's event loop; the engine works in a process of its own, and one job
at a time.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from daemon.engine.wire import (
    Advanced,
    CancelOrder,
    Deadline,
    Finished,
    Hit,
    MoveOrder,
    Order,
    Published,
    Ready,
    Recalled,
    RenderOrder,
    Saved,
    SaveOrder,
    Stopped,
    Unready,
)
from daemon.errors import Refusal
from daemon.osc.outbox import Asker, Outbox
from daemon.processes.child import Died
from daemon.processes.link import LinkEvent
from daemon.rendering.deadlines import FirstVersions
from daemon.rendering.delivery import Delivery, take_values
from daemon.rendering.jobs import Line, Request
from daemon.takes.collection import TakeFolder
from daemon.takes.slots import SLOTS, Slot
from daemon.takes.take import Take
from ditto_rt.spec import Job, Quality

# So many engines that never got ready, one after another, and jobs stop waiting for the next.
HOPELESS_STARTS = 3
# A job whose engine died is tried again, once.
MOST_TRIES = 2
# A deadline that is off by less is left: beats move a little whenever another clock is followed.
UNMOVED_S = 0.02

log = logging.getLogger(__name__)


class Desk:
    """Takes renders, gives them to the engine, answers who asked, keeps the takes."""

    def __init__(
        self,
        outbox: Outbox,
        takes: TakeFolder,
        order: Callable[[Order], None],
        quality: Quality,
        rate_hz: int,
    ) -> None:
        """Begin with 16 empty slots whose versions go on from the folder's."""
        self._outbox = outbox
        self._delivery = Delivery(outbox, takes)
        self._order = order
        self._rate_hz = rate_hz
        self.takes = takes
        self.fresh = Slot(quality=quality)
        self.slots = [replace(self.fresh, version=takes.newest(n)) for n in range(SLOTS)]
        self.line = Line()
        self.model = ""
        self.device = ""
        self.jobs_done = 0
        self.on_take: Callable[[Take], None] = lambda _: None
        self.on_end: Callable[[Take], None] = lambda _: None
        self.hits: dict[Hit, int] = {"exact": 0, "near": 0, "running": 0, "none": 0}
        self.deadlines = {"kept": 0, "missed": 0}
        self._first, self._settled = FirstVersions(), False
        self._engine = "loading"
        self.why = ""
        self._trouble = Refusal("no_model", "")
        self._starts = 0

    @property
    def state(self) -> str:
        """Return loading, ready, rendering or failed."""
        if self._engine == "ready" and self.line.running:
            return "rendering"
        return self._engine

    def submit(
        self,
        slot: int,
        asker: Asker,
        job: Job | None = None,
        warm: bool = False,
        deadline: Deadline | None = None,
    ) -> None:
        """Take a render of `job`, None: of what is set, in place of one that `slot` has already.

        Versions come by `on_take` and /ditto/take: the first at once, better ones as they are
        found, one for each pass over the take at most, the last one final.

        warm: the search begins from the noise that the slot's newest search has come to, also one
        that this render replaces while it runs, where the two ask for the same length, tempo and
        seed and for things that are near; else it begins as always. What it begins with is heard
        already, so the first version comes after one pass. A warm render that another warm one
        replaces ends without a word to its asker, so that they may follow each other as quickly as
        controls change. An asker without targets (`Asker((), "/ditto/automation")`) is told
        nothing; takes still go to registered clients.

        deadline: the best version so far is the take when the time is up. Such a render comes
        before others in the line; one that runs without a deadline pauses, and goes on afterwards.

        Raises Refusal where the parts do not go together, or no model can be loaded.
        """
        wanted = self.slots[slot].job() if job is None else job
        if self._engine == "failed":
            raise Refusal(self._trouble.code, str(self._trouble))
        before = self.line.of(slot)
        if before and not (warm and before.quiet):
            text = f"a newer render of slot {slot} took its place"
            self._delivery.failed(before, "replaced", text)
        self._drop(before)
        if deadline:
            self._make_room()
        number = self.line.next_id()
        request = Request(number, slot, wanted, asker, warm, deadline, quiet=warm)
        self._delivery.accepted(request, self.line.add(request))
        self._advance()

    def move_deadlines(self, moved: Callable[[Deadline], Deadline]) -> None:
        """Let renders be ready when the transport now has their beats."""
        for request in self.line.unfinished():
            before = request.deadline
            if before is None or request.made:
                continue
            after = moved(before)
            if after.beat == before.beat and abs(after.by_s - before.by_s) < UNMOVED_S:
                continue
            request.deadline = after
            if request is self.line.running:
                self._order(MoveOrder(id=request.id, deadline=after))
            self._delivery.promised(request)

    def earliest_s(self, job: Job) -> float:
        """Return when a first version of `job` can be there, by the monotonic clock."""
        promised = (r.deadline.by_s for r in self.line.unfinished() if r.deadline)
        return max([time.monotonic(), *promised]) + self._first.expected_s(job.seconds)

    def cancel(self, slot: int) -> bool:
        """Stop the slot's render; return whether there was one."""
        request = self.line.of(slot)
        if request:
            text = f"the render of slot {slot} was cancelled"
            self._delivery.failed(request, "cancelled", text)
        self._drop(request)
        return request is not None

    def stop(self) -> None:
        """Fail all renders, because the daemon ends."""
        for request in self.line.unfinished():
            self._delivery.failed(request, "stopping", "the daemon stops")
        self._announce("stopping", "")

    def resend(self, slot: int, asker: Asker) -> None:
        """Send the slot's newest take again. Raises Refusal where there is none."""
        take = self.takes.last(slot)
        if take is None:
            raise Refusal("no_take", f"slot {slot} has no take; allowed: a slot with one")
        self._outbox.reply(asker, "/ditto/take", *take_values(take, self.takes))

    def on_event(self, event: LinkEvent) -> None:
        """Carry out what the engine's event means."""
        match event:
            case Ready(model=model, device=device):
                self.model, self.device, self._starts = model, device, 0
                self._settled = False
                log.info("model %s on %s", model, device)
                self._change("ready")
                self._save_missing()
            case Unready(code=code, text=text):
                self._give_up(code, text)
            case Died(how=how):
                self._on_death(how)
            case Recalled(hit=hit):
                self.hits[hit] += 1
            case Saved():
                self._on_saved(event)
            case Advanced() if running := self._running(event.id):
                self._delivery.progress(running, event)
            case Published() if running := self._running(event.id):
                self._on_version(running, event)
            case Finished() if running := self._running(event.id):
                self._on_finished(running, event.problem)
            case Stopped() if running := self._running(event.id):
                self._on_stopped(running, event.code, event.text)
        self._advance()

    def _running(self, job: int) -> Request | None:
        running = self.line.running
        return running if running and running.id == job else None

    def _advance(self) -> None:
        if self._engine != "ready" or (request := self.line.advance()) is None:
            return
        request.version = self.slots[request.slot].version + 1
        request.ordered_s = time.monotonic()
        self._order(
            RenderOrder(
                id=request.id,
                slot=request.slot,
                version=request.version,
                job=request.job,
                shelf=str(self.takes.shelf.folder),
                takes=str(self.takes.folder),
                rate_hz=self._rate_hz,
                warm=request.warm,
                deadline=request.deadline,
            )
        )

    def _make_room(self) -> None:
        """Pause what runs without a deadline."""
        running = self.line.running
        if running and running.wanted and not (running.made or running.deadline or running.pausing):
            running.pausing = True
            self._order(CancelOrder(id=running.id))

    def _on_stopped(self, request: Request, code: str, text: str) -> None:
        if request.wanted and request.pausing and code == "cancelled":
            # Another number: the engine takes the old one for one that nobody wants.
            request.id, request.warm = self.line.next_id(), True
            self.line.again(request)
        else:
            self._end(request, code, text)

    def _drop(self, request: Request | None) -> None:
        if request and self.line.drop(request):
            self._order(CancelOrder(id=request.id))

    def _end(self, request: Request, code: str, text: str) -> None:
        self.line.end()
        if request.wanted:
            log.warning("slot %d: %s: %s", request.slot, code, text)
            self._delivery.failed(request, code, text)

    def _on_version(self, request: Request, event: Published) -> None:
        slot, version, report = request.slot, event.version, event.report
        take = Take(
            slot=slot, version=version, asked=request.job, report=report, deadline=event.promise
        )
        request.made = take if report.final else None
        if not request.wanted:
            # It was made before the engine heard that nobody wants it.
            self.takes.delete(slot, version)
            return
        if version == request.version:
            self._learn(request, report.seconds)
        heard = version == self.slots[slot].version
        self.takes.add(take)
        self.slots[slot] = replace(self.slots[slot], version=version)
        if not heard:
            self.on_take(take)
        if not report.final:
            self._delivery.version(request, take)

    def _learn(self, request: Request, seconds: float) -> None:
        """Learn how long a first version takes, where it is no exception.

        A warm one waits on purpose, an engine's first one for what its libraries compile.
        """
        if self._settled and not request.warm:
            self._first.learn(seconds, time.monotonic() - request.ordered_s)
        self._settled = True

    def _on_finished(self, request: Request, problem: str) -> None:
        self.line.end()
        take = request.made
        if take is None or not request.wanted:
            if take:
                self.takes.delete(take.slot, take.version)
            return
        self.jobs_done += 1
        if take.deadline:
            self.deadlines["kept" if take.deadline.kept else "missed"] += 1
        if not problem:
            self.takes.save(take)
            self._save_missing()
        self._delivery.finished(request, take, problem)
        self.on_end(take)

    def _save_missing(self) -> None:
        """Try again to write what the disk refused."""
        shelf, takes = str(self.takes.shelf.folder), str(self.takes.folder)
        for take in self.takes.unsaved.values():
            self._order(
                SaveOrder(
                    slot=take.slot,
                    version=take.version,
                    shelf=shelf,
                    takes=takes,
                    record=take.plain(),
                )
            )

    def _on_saved(self, event: Saved) -> None:
        take = self.takes.unsaved.get((event.slot, event.version))
        if take and event.problem:
            log.warning("%s; it stays in memory", event.problem)
        elif take:
            log.info("slot %d: take %d is written after all", take.slot, take.version)
            self.takes.save(take)
            self._outbox.event("/ditto/take", *take_values(take, self.takes))

    def _on_death(self, how: str) -> None:
        text = f"the engine {how}"
        if running := self.line.running:
            text = f"{text} while it rendered slot {running.slot}"
            self._after_death(running, text)
        self.takes.clean()
        self._starts += 1
        self.model = self.device = ""
        if self._engine == "failed":
            return
        if self._starts >= HOPELESS_STARTS:
            self._give_up("no_model", f"the engine {how} {self._starts} times before it was ready")
        else:
            self._change("loading", text)

    def _after_death(self, request: Request, text: str) -> None:
        request.tries += 1
        if request.made:
            self._on_finished(request, f"{text}, and take {request.made.version} has no file")
        elif request.wanted and request.tries < MOST_TRIES:
            log.warning("slot %d: %s; it is tried once more", request.slot, text)
            self.line.again(request)
        else:
            self._end(request, "engine_died", f"{text}; it starts again")

    def _give_up(self, code: str, text: str) -> None:
        self._trouble = Refusal(code, text)
        self._change("failed", text)
        for request in self.line.unfinished():
            self.line.drop(request)
            self._delivery.failed(request, code, text)

    def _change(self, state: str, text: str = "") -> None:
        if state != self._engine:
            self._engine, self.why = state, text
            self._announce(state, text)

    def _announce(self, state: str, text: str) -> None:
        log.info("engine: %s%s", state, text and f": {text}")
        self._outbox.event("/ditto/state", state, text)
