"""What clients hear of a render: progress, each version that can be heard, and the end.

Owned by the control process's event loop.
"""

import logging
import time
from math import sqrt
from pathlib import Path

from daemon.engine.wire import Advanced
from daemon.osc.arguments import Value
from daemon.osc.outbox import Outbox
from daemon.rendering.jobs import Request
from daemon.takes.collection import TakeFolder
from daemon.takes.take import Take

PROGRESS_PAUSE_S = 0.2
NOT_ASKED = -1.0

log = logging.getLogger(__name__)


class Delivery:
    """Tells who asked, and with takes all registered clients."""

    def __init__(self, outbox: Outbox, takes: TakeFolder) -> None:
        """Tell by `outbox` of what is in `takes`."""
        self._outbox, self._takes = outbox, takes

    def accepted(self, request: Request, before: int) -> None:
        """Say that a render waits behind `before` others, and by which beat it will be ready."""
        self._outbox.queued(request.asker, before)
        self.promised(request)

    def promised(self, request: Request) -> None:
        """Say by which beat it will be ready, where that was asked."""
        if request.deadline:
            beat, wait_s = request.deadline.beat, request.deadline.by_s - time.monotonic()
            self._outbox.reply(request.asker, "/ditto/deadline", request.slot, beat, wait_s)

    def progress(self, request: Request, event: Advanced) -> None:
        """Say how far it is, five times a second at most."""
        request.fraction, request.loss = event.fraction, event.loss
        now_s = time.monotonic()
        if request.wanted and now_s - request.told_s >= PROGRESS_PAUSE_S:
            request.told_s = now_s
            loss = -1.0 if event.loss is None else event.loss
            self._outbox.reply(request.asker, "/ditto/progress", request.slot, event.fraction, loss)

    def version(self, request: Request, take: Take) -> None:
        """Say that a version can be heard."""
        values = take_values(take, self._takes)
        self._outbox.reply(request.asker, "/ditto/take", *values)
        self._outbox.event("/ditto/take", *values, without=request.asker.targets)

    def finished(self, request: Request, take: Take, problem: str) -> None:
        """Say that it is done, or that its file is missing."""
        report, promise = take.report, take.deadline
        slot, version = take.slot, take.version
        log.info("slot %d: take %d, loss %.4g, %.1f s", slot, version, take.loss, report.wall_s)
        if promise:
            words = ("kept" if promise.kept else "missed", promise.beat, promise.spare_s)
            log.info("slot %d: deadline %s: beat %g, %.2f s to spare", slot, *words)
        self.version(request, take)
        if problem:
            text = f"{problem}; it plays, and is written once there is room"
            self._outbox.fail(request.asker, "disk", text)
            return
        kept = () if promise is None else (int(promise.kept),)
        self._outbox.done(request.asker, slot, version, *kept)

    def failed(self, request: Request, code: str, text: str) -> None:
        """Say why there will be no take."""
        self._outbox.fail(request.asker, code, text)


def take_values(take: Take, takes: TakeFolder) -> tuple[Value, ...]:
    """Return the values of /ditto/take: where the sound is, and how far from what was asked."""
    key = take.slot, take.version
    saved = take.report.final and key not in takes.unsaved
    return values_at(take, takes.path(*key) if saved else takes.sound(*key))


def values_at(take: Take, path: Path) -> tuple[Value, ...]:
    """Return the values of /ditto/take for a take whose sound is there."""
    report = take.report
    return (
        take.slot,
        take.version,
        str(path),
        report.frames,
        report.sample_rate,
        take.loss,
        int(report.final),
        sqrt(report.intensity.mse_db2) if report.intensity else NOT_ASKED,
        report.melody.accuracy if report.melody else NOT_ASKED,
        report.structure.mse if report.structure else NOT_ASKED,
    )
