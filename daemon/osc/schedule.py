"""Messages that wait for the time of their bundle: a bounded heap. Owned by the event loop.

A time tag is what the sender's clock will show. It is turned into this machine's monotonic time
once, when it comes in, so that a clock that is set in between moves nothing. Two machines must
agree about the time (NTP does it); how far ahead tags arrive is shown, and so a clock that is off.

Sources: OSC 1.0 (opensoundcontrol.stanford.edu/spec-1_0.html), "Temporal Semantics"; NTP time
stamps: RFC 5905, section 6.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from daemon.errors import Refusal
from daemon.osc.clients import Address
from daemon.osc.guard import IMMEDIATELY, Message
from daemon.osc.outbox import Asker, Outbox

# Of messages that wait, and of the datagrams that brought them.
ENTRIES = 4096
BYTES = 2**24
NTP_EPOCH_S = 2_208_988_800


@dataclass(frozen=True, order=True)
class Batch:
    """Messages of one bundle, which nothing comes between; equal times keep their order."""

    due_ns: int
    number: int
    messages: tuple[Message, ...]
    source: Address
    targets: tuple[Address, ...]
    size: int


@dataclass
class Counts:
    """What became of bundles with a time, and of their messages.

    late: bundles carried out less than the player's lead before their time, so that what they
    start may begin after it. ahead_s: by how much the newest one came before its time.
    """

    carried_out: int = 0
    late: int = 0
    refused: int = 0
    cleared: int = 0
    ahead_s: float = 0.0


class Schedule:
    """What is still to come, the next first."""

    def __init__(self, is_on: bool = False, horizon_s: float = 10.0) -> None:
        """Hold nothing back where `is_on` is False."""
        self.is_on, self._horizon_s = is_on, horizon_s
        self._heap: list[Batch] = []
        self._number = self._bytes = self.waiting = 0
        self.counts = Counts()

    def put(
        self,
        messages: Iterable[Message],
        source: Address,
        targets: tuple[Address, ...],
        size: int,
    ) -> None:
        """Keep messages that have the same time. Raises Refusal: too far ahead, or too many."""
        found = tuple(messages)
        now_ns = time.monotonic_ns()
        due_ns = due(found[0].time_tag, now_ns, time.time_ns())
        self.counts.ahead_s = (due_ns - now_ns) / 1e9
        try:
            self._check(len(found), size)
        except Refusal:
            self.counts.refused += len(found)
            raise
        self._number += 1
        heappush(self._heap, Batch(due_ns, self._number, found, source, targets, size))
        self.waiting += len(found)
        self._bytes += size

    def next_ns(self) -> int | None:
        """Return when the next batch is due, by the monotonic clock; None: nothing waits."""
        return self._heap[0].due_ns if self._heap else None

    def pop(self, until_ns: int) -> Batch | None:
        """Return the next batch that is due by then, and forget it."""
        if not self._heap or self._heap[0].due_ns > until_ns:
            return None
        batch = heappop(self._heap)
        self.waiting -= len(batch.messages)
        self._bytes -= batch.size
        return batch

    def clear(self, outbox: Outbox, code: str, text: str) -> int:
        """Forget all and tell who sent it; return how many messages that were."""
        cleared = self.waiting
        while self._heap:
            batch = heappop(self._heap)
            for message in batch.messages:
                outbox.fail(Asker(batch.targets, message.address), code, text)
        self.waiting = self._bytes = 0
        self.counts.cleared += cleared
        return cleared

    def _check(self, messages: int, size: int) -> None:
        ahead_s = self.counts.ahead_s
        if ahead_s > self._horizon_s:
            text = f"time tag lies {ahead_s:.3g} s ahead; allowed: at most {self._horizon_s:g} s"
            raise Refusal("out_of_range", text)
        if self.waiting + messages > ENTRIES:
            text = f"{self.waiting} messages wait for their time already; allowed: {ENTRIES}"
            raise Refusal("busy", text)
        if self._bytes + size > BYTES:
            text = f"{self._bytes} bytes wait for their time already; allowed: {BYTES}"
            raise Refusal("busy", text)


def due(time_tag: int, monotonic_ns: int, unix_ns: int) -> int:
    """Return a time tag by the monotonic clock, which shows `monotonic_ns` at `unix_ns`."""
    return monotonic_ns + (time_tag * 10**9 >> 32) - NTP_EPOCH_S * 10**9 - unix_ns


def by_time(messages: Iterable[Message]) -> list[tuple[Message, ...]]:
    """Return messages grouped by their time tags, the earliest first; order stays in a group."""
    groups: dict[int, list[Message]] = {}
    for message in messages:
        groups.setdefault(message.time_tag, []).append(message)
    return [tuple(groups[tag]) for tag in sorted(groups)]


def is_immediate(messages: tuple[Message, ...]) -> bool:
    """Return whether a group waits for nothing."""
    return messages[0].time_tag == IMMEDIATELY
