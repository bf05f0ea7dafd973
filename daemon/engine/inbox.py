"""Orders on their way into the engine.

Two threads. The reader owns standard input; it puts renders into a queue and the ids of cancelled
jobs into a set, which the worker (the main thread) reads between steps. When the input closes the
control process is gone, and the engine follows it. No torch here: the reader runs before it loads.
"""

import os
import threading
import time
from collections.abc import Iterable
from queue import SimpleQueue

from daemon.engine.wire import (
    CancelOrder,
    Deadline,
    MoveOrder,
    RenderOrder,
    SaveOrder,
    read_order,
)

_GRACE_S = 1.0


class Inbox:
    """Orders on their way from the reader to the worker."""

    def __init__(self) -> None:
        """Begin empty and open."""
        self._renders: SimpleQueue[RenderOrder | SaveOrder | None] = SimpleQueue()
        self._cancelled: set[int] = set()
        self._moved: MoveOrder | None = None
        self._closed = threading.Event()

    def read(self, lines: Iterable[bytes]) -> None:
        """Take orders until the lines end. Reader thread only."""
        for line in lines:
            order = read_order(line)
            if isinstance(order, CancelOrder):
                self._cancelled.add(order.id)
            elif isinstance(order, MoveOrder):
                # Only the job that runs is told, so the newest is the only one that counts.
                self._moved = order
            else:
                self._renders.put(order)
        self._closed.set()
        self._renders.put(None)

    def next(self) -> RenderOrder | SaveOrder | None:
        """Wait for the next order of work; None at the end. Worker only."""
        return self._renders.get()

    def deadline(self, order: RenderOrder) -> Deadline | None:
        """Return by when an order must be carried out, as it was told last."""
        moved = self._moved
        return moved.deadline if moved and moved.id == order.id else order.deadline

    def is_unwanted(self, job: int) -> bool:
        """Return whether that job should stop."""
        return job in self._cancelled or self._closed.is_set()


def start_reader(inbox: Inbox, lines: Iterable[bytes]) -> None:
    """Read orders in a thread; when they end, end the process, at the latest after a second."""

    def follow() -> None:
        inbox.read(lines)
        # The worker may be deep inside a step, or loading weights.
        time.sleep(_GRACE_S)
        os._exit(0)

    threading.Thread(target=follow, name="orders", daemon=True).start()
