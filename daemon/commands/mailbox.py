"""Datagrams between the socket and the dispatcher: a bounded queue that counts what it drops."""

import asyncio
import time
from collections import deque

from daemon.osc.clients import Address
from daemon.protocol.messages import COMMANDS

CAPACITY_BYTES = 2**24
LATE_S = 0.1
# How the datagrams of each stream begin, and where their type tags end if nothing wants an answer.
_STREAMS = tuple(
    (f"{command.address}\0".encode(), len(command.address) // 4 * 4 + 4 + 1 + len(command.args))
    for command in COMMANDS.values()
    if command.stream
)
# What is alike up to here is for the same command, types and slot.
_HEAD_BYTES = 32


class Mailbox:
    """First in, first out. Owned by the event loop; `put` never waits, a full box drops.

    Once the oldest has waited for LATE_S, or the box is half full, a stream waits with its newest
    value alone: what cannot be carried out in time costs values that newer ones have overtaken, and
    neither another command nor that command's time.
    """

    def __init__(self, capacity_datagrams: int) -> None:
        """Hold at most so many datagrams, and CAPACITY_BYTES of them together."""
        self._capacity = capacity_datagrams
        self._items: deque[_Letter] = deque()
        self._newest: dict[tuple[Address, bytes], _Letter] = {}
        self._bytes = 0
        self._filled = asyncio.Event()
        self.dropped = 0

    def put(self, datagram: bytes, source: Address) -> None:
        """Keep a datagram, or count it as dropped."""
        letter = _Letter(datagram, source)
        is_stream = _is_stream(datagram)
        if is_stream and self._is_behind(letter.at_s):
            waiting = self._newest.get(letter.stream)
            if waiting and len(datagram) == len(waiting.datagram):
                waiting.datagram = datagram
                return
        is_full = self._bytes + len(datagram) > CAPACITY_BYTES
        if is_full or len(self._items) >= self._capacity:
            self.dropped += 1
            return
        if is_stream:
            self._newest[letter.stream] = letter
        self._items.append(letter)
        self._bytes += len(datagram)
        self._filled.set()

    async def get(self) -> tuple[bytes, Address]:
        """Wait for the oldest datagram."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        letter = self._items.popleft()
        if self._newest.get(letter.stream) is letter:
            del self._newest[letter.stream]
        self._bytes -= len(letter.datagram)
        return letter.datagram, letter.source

    def _is_behind(self, now_s: float) -> bool:
        late = bool(self._items) and now_s - self._items[0].at_s > LATE_S
        full = 2 * len(self._items) >= self._capacity or 2 * self._bytes >= CAPACITY_BYTES
        return late or full


def _is_stream(datagram: bytes) -> bool:
    return any(
        datagram.startswith(start) and datagram[end : end + 1] == b"\0" for start, end in _STREAMS
    )


class _Letter:
    __slots__ = ("at_s", "datagram", "source")

    def __init__(self, datagram: bytes, source: Address) -> None:
        self.datagram, self.source, self.at_s = datagram, source, time.monotonic()

    @property
    def stream(self) -> tuple[Address, bytes]:
        """Return what it is a value of, where it belongs to a stream."""
        return self.source, self.datagram[:_HEAD_BYTES]
