"""Datagrams between the socket and the dispatcher: a bounded queue that counts what it drops."""

import asyncio
from collections import deque

from daemon.clients import Address

CAPACITY_BYTES = 2**24


class Mailbox:
    """First in, first out. Owned by the event loop; `put` never waits, a full box drops."""

    def __init__(self, capacity_datagrams: int) -> None:
        """Hold at most so many datagrams, and CAPACITY_BYTES of them together."""
        self._capacity = capacity_datagrams
        self._items: deque[tuple[bytes, Address]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self.dropped = 0

    def put(self, datagram: bytes, source: Address) -> None:
        """Keep a datagram, or count it as dropped."""
        is_full = self._bytes + len(datagram) > CAPACITY_BYTES
        if is_full or len(self._items) >= self._capacity:
            self.dropped += 1
            return
        self._items.append((datagram, source))
        self._bytes += len(datagram)
        self._filled.set()

    async def get(self) -> tuple[bytes, Address]:
        """Wait for the oldest datagram."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        datagram, source = self._items.popleft()
        self._bytes -= len(datagram)
        return datagram, source
