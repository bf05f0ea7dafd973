"""The render desk: slots, their jobs and takes, and what the engine says about them.

Owned by the control process's event loop; the engine works in a process of its own, and one job
at a time.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from daemon.child import Died
from daemon.errors import Refusal
from daemon.jobs import Line, Request
from daemon.link import LinkEvent
from daemon.outbox import Asker, Outbox
from daemon.slots import SLOTS, Slot
from daemon.takes import Take, TakeFolder
from daemon.wire import (
    Advanced,
    CancelOrder,
    Finished,
    Hit,
    Order,
    Ready,
    Recalled,
    RenderOrder,
    Stopped,
    Unready,
)
from ditto_rt.spec import Quality, Report

PROGRESS_PAUSE_S = 0.2
# So many engines that never got ready, one after another, and jobs stop waiting for the next.
HOPELESS_STARTS = 3

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
        self.hits: dict[Hit, int] = {"exact": 0, "near": 0, "none": 0}
        self._engine = "loading"
        self._trouble = Refusal("no_model", "")
        self._starts = 0

    @property
    def state(self) -> str:
        """Return loading, ready, rendering or failed."""
        if self._engine == "ready" and self.line.running:
            return "rendering"
        return self._engine

    def submit(self, slot: int, asker: Asker) -> None:
        """Take a render of what is set in `slot`, in place of one that it has already.

        Raises Refusal where the parts do not go together, or no model can be loaded.
        """
        job = self.slots[slot].job()
        if self._engine == "failed":
            raise Refusal(self._trouble.code, str(self._trouble))
        self._drop(slot, "replaced", f"a newer render of slot {slot} took its place")
        request = Request(self.line.next_id(), slot, job, asker)
        self._outbox.queued(asker, self.line.add(request))
        self._advance()

    def cancel(self, slot: int) -> bool:
        """Stop the slot's render; return whether there was one."""
        return self._drop(slot, "cancelled", f"the render of slot {slot} was cancelled")

    def stop(self) -> None:
        """Fail all renders, because the daemon ends."""
        for request in self.line.unfinished():
            self._outbox.fail(request.asker, "stopping", "the daemon stops")
        self._announce("stopping", "")

    def resend(self, slot: int, asker: Asker) -> None:
        """Send the slot's newest take again. Raises Refusal where there is none."""
        take = self.takes.last(slot)
        if take is None:
            raise Refusal("no_take", f"slot {slot} has no take; allowed: a slot with one")
        self._outbox.reply(asker, "/ditto/take", *self._take_values(take))

    def on_event(self, event: LinkEvent) -> None:
        """Carry out what the engine's event means."""
        match event:
            case Ready(model=model, device=device):
                self.model, self.device, self._starts = model, device, 0
                log.info("model %s on %s", model, device)
                self._change("ready")
            case Unready(code=code, text=text):
                self._give_up(code, text)
            case Died(how=how):
                self._on_death(how)
            case Recalled(hit=hit):
                self.hits[hit] += 1
            case Advanced() if running := self._running(event.id):
                self._on_progress(running, event)
            case Finished() if running := self._running(event.id):
                self._on_take(running, event.report)
            case Stopped() if running := self._running(event.id):
                self._end(running, event.code, event.text)
        self._advance()

    def _running(self, job: int) -> Request | None:
        running = self.line.running
        return running if running and running.id == job else None

    def _advance(self) -> None:
        if self._engine != "ready" or (request := self.line.advance()) is None:
            return
        request.version = self.slots[request.slot].version + 1
        wav = self.takes.path(request.slot, request.version)
        self._order(
            RenderOrder(
                id=request.id,
                slot=request.slot,
                version=request.version,
                job=request.job,
                wav=str(wav),
                rate_hz=self._rate_hz,
            )
        )

    def _drop(self, slot: int, code: str, text: str) -> bool:
        request = self.line.of(slot)
        if request is None:
            return False
        if self.line.drop(request):
            self._order(CancelOrder(id=request.id))
        self._outbox.fail(request.asker, code, text)
        return True

    def _end(self, request: Request, code: str, text: str) -> None:
        self.line.end()
        if request.wanted:
            log.warning("slot %d: %s: %s", request.slot, code, text)
            self._outbox.fail(request.asker, code, text)

    def _on_progress(self, request: Request, event: Advanced) -> None:
        request.fraction, request.loss = event.fraction, event.loss
        now_s = time.monotonic()
        if request.wanted and now_s - request.told_s >= PROGRESS_PAUSE_S:
            request.told_s = now_s
            loss = -1.0 if event.loss is None else event.loss
            self._outbox.reply(request.asker, "/ditto/progress", request.slot, event.fraction, loss)

    def _on_take(self, request: Request, report: Report) -> None:
        slot, version, asker = request.slot, request.version, request.asker
        self.line.end()
        if not request.wanted:
            # It was finished before the engine heard that nobody wants it.
            self.takes.delete(slot, version)
            return
        take = Take(slot=slot, version=version, asked=request.job, report=report)
        self.takes.add(take)
        self.slots[slot] = replace(self.slots[slot], version=version)
        self.jobs_done += 1
        self.on_take(take)
        log.info("slot %d: take %d, loss %.4g, %.1f s", slot, version, take.loss, report.wall_s)
        self._outbox.reply(asker, "/ditto/take", *self._take_values(take))
        self._outbox.event("/ditto/take", *self._take_values(take), without=asker.targets)
        self._outbox.done(asker, slot, version)

    def _take_values(self, take: Take) -> tuple[int, int, str, int, int, float]:
        path = str(self.takes.path(take.slot, take.version))
        report = take.report
        return take.slot, take.version, path, report.frames, report.sample_rate, take.loss

    def _on_death(self, how: str) -> None:
        if running := self.line.running:
            text = f"the engine {how} while it rendered slot {running.slot}; it starts again"
            self._end(running, "engine_died", text)
        self.takes.clean()
        self._starts += 1
        self.model = self.device = ""
        if self._engine == "failed":
            return
        if self._starts >= HOPELESS_STARTS:
            self._give_up("no_model", f"the engine {how} {self._starts} times before it was ready")
        else:
            self._change("loading", f"the engine {how}")

    def _give_up(self, code: str, text: str) -> None:
        self._trouble = Refusal(code, text)
        self._change("failed", text)
        for request in self.line.unfinished():
            self.line.drop(request)
            self._outbox.fail(request.asker, code, text)

    def _change(self, state: str, text: str = "") -> None:
        if state != self._engine:
            self._engine = state
            self._announce(state, text)

    def _announce(self, state: str, text: str) -> None:
        log.info("engine: %s%s", state, text and f": {text}")
        self._outbox.event("/ditto/state", state, text)
