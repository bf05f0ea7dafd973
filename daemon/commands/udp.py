"""The OSC socket: datagrams into the mailbox, replies out. Never waits.

asyncio's own datagram transport reads one datagram for each turn of the event loop; this one
empties the socket, which matters when a client sends thousands at once.
"""

import asyncio
import logging
import socket

from daemon.commands.mailbox import Mailbox
from daemon.osc.clients import Address
from daemon.osc.guard import DATAGRAM_BYTES
from daemon.processes.holder import refused

TURN_DATAGRAMS = 512

log = logging.getLogger(__name__)


class Endpoint:
    """A bound UDP socket on the event loop; `close` may be called twice."""

    def __init__(self, host: str, port: int, receive_buffer_bytes: int) -> None:
        """Bind at once. Raises PortTaken, with the holder's name where it can be found."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise refused("udp", "osc", host, port, error) from error
        self.unsent = 0
        # One buffer for all: a fresh one of 64 KiB for each datagram leaves holes in the heap.
        self._buffer = bytearray(DATAGRAM_BYTES)

    def open(self, mailbox: Mailbox) -> None:
        """Begin to fill the mailbox, on the running event loop."""
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._receive, mailbox)

    def send(self, datagram: bytes, target: Address) -> None:
        """Send a datagram, or count it as unsent where the system has no room or refuses."""
        try:
            self._socket.sendto(datagram, target)
        except OSError as error:
            self.unsent += 1
            if self.unsent == 1:
                log.warning("a reply to %s:%d was not sent: %s", *target, error)

    def close(self) -> None:
        """Give the port back."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()

    def _receive(self, mailbox: Mailbox) -> None:
        for _ in range(TURN_DATAGRAMS):
            try:
                length, source = self._socket.recvfrom_into(self._buffer)
            except BlockingIOError:
                return
            except OSError:
                # Some systems report here that an earlier reply found no listener.
                continue
            mailbox.put(bytes(memoryview(self._buffer)[:length]), source)
