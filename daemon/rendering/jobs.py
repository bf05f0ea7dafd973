"""The line of renders: at most one for each slot, first come, first served. Pure: no I/O."""

import asyncio
from dataclasses import dataclass, field
from math import inf

from daemon.engine.wire import Deadline
from daemon.osc.outbox import Asker
from daemon.takes.take import Take
from ditto_rt.spec import Job


@dataclass(eq=False)
class Request:
    """One render. `wanted` is False once it was cancelled or replaced while it ran.

    `made`: its last version is heard, only its file is not there yet. `warm`: see `Desk.submit`.
    `tries` counts the engines that died of it, or beside it. `ordered_s`: when the engine got it.
    `pausing`: it makes room for a deadline, and will go on from where it was. `quiet`: its asker
    hears nothing when another quiet one takes its place.
    """

    id: int
    slot: int
    job: Job
    asker: Asker
    warm: bool = False
    deadline: Deadline | None = None
    version: int = 0
    made: Take | None = None
    tries: int = 0
    ordered_s: float = 0.0
    pausing: bool = False
    quiet: bool = False
    fraction: float = 0.0
    loss: float | None = None
    told_s: float = float("-inf")
    wanted: bool = True
    finished: asyncio.Event = field(default_factory=asyncio.Event)


def _by_s(request: Request) -> float:
    return request.deadline.by_s if request.deadline else inf


class Line:
    """Renders that wait and the one that runs. Owned by the control process's event loop."""

    def __init__(self) -> None:
        """Begin empty."""
        self._waiting: dict[int, Request] = {}
        self.running: Request | None = None
        self._count = 0

    def __len__(self) -> int:
        """Return how many wait or run."""
        return len(self._waiting) + (self.running is not None and self.running.wanted)

    def next_id(self) -> int:
        """Return a number that no request had before."""
        self._count += 1
        return self._count

    def of(self, slot: int) -> Request | None:
        """Return the slot's request, waiting or running, that is still wanted."""
        if slot in self._waiting:
            return self._waiting[slot]
        running = self.running
        if running is None or not running.wanted or running.made or running.slot != slot:
            return None
        return running

    def unfinished(self) -> list[Request]:
        """Return all requests that somebody still waits for."""
        running = [self.running] if self.running and self.running.wanted else []
        return [*running, *self._waiting.values()]

    def add(self, request: Request) -> int:
        """Put a request at the end of the line; return how many are before it."""
        before = len(self)
        self._waiting[request.slot] = request
        return before

    def again(self, request: Request) -> None:
        """Put the running request back, before all others."""
        self.running, request.pausing = None, False
        self._waiting = {request.slot: request, **self._waiting}

    def drop(self, request: Request) -> bool:
        """Stop wanting a request; return whether it runs, so that its engine must be told."""
        request.finished.set()
        if self._waiting.get(request.slot) is request:
            del self._waiting[request.slot]
            return False
        request.wanted = False
        return True

    def advance(self) -> Request | None:
        """Make one that waits the running one, where none runs; return it.

        The nearest deadline comes first, then who came first.
        """
        if self.running is not None or not self._waiting:
            return None
        slot = min(self._waiting, key=lambda each: _by_s(self._waiting[each]))
        self.running = self._waiting.pop(slot)
        return self.running

    def end(self) -> Request | None:
        """Take the running request out of the line."""
        ended, self.running = self.running, None
        if ended:
            ended.finished.set()
        return ended
