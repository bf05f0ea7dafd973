"""Replies and events -> datagrams: only i, f and s, at most 1400 bytes each.

A datagram of 1400 bytes is never cut up on its way, and Max and Pd read nothing but these types.
"""

import logging
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from pythonosc.osc_message_builder import OscMessageBuilder

from daemon.osc.arguments import Value
from daemon.osc.clients import Address
from daemon.osc.rows import NO_REQUEST

DATAGRAM_BYTES = 1400
_CUT = "..."

Send: TypeAlias = Callable[[bytes, Address], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asker:
    """Who sent a command, and which request of theirs it is."""

    targets: tuple[Address, ...]
    command: str
    reqid: int | None = None


class Outbox:
    """Sends what the protocol's table calls replies. Owned by the control process's event loop."""

    def __init__(self, send: Send, subscribers: Callable[[], Iterable[Address]]) -> None:
        """Send datagrams with `send`; events go to whoever `subscribers` returns at that time."""
        self._send = send
        self._subscribers = subscribers
        self.on_fail: Callable[[str, str], None] = lambda command, code: None

    def done(self, asker: Asker, *values: Value) -> None:
        """Say that a command is finished."""
        reqid = NO_REQUEST if asker.reqid is None else asker.reqid
        self._to(asker.targets, "/ditto/done", (asker.command, reqid, *values))

    def fail(self, asker: Asker, code: str, text: str) -> None:
        """Say that a command was refused or failed."""
        reqid = NO_REQUEST if asker.reqid is None else asker.reqid
        self._to(asker.targets, "/ditto/fail", (asker.command, reqid, code, text))
        self.on_fail(asker.command, code)

    def queued(self, asker: Asker, depth: int) -> None:
        """Say that a long job was accepted behind `depth` others."""
        reqid = NO_REQUEST if asker.reqid is None else asker.reqid
        self._to(asker.targets, "/ditto/queued", (asker.command, reqid, depth))

    def reply(self, asker: Asker, address: str, *values: Value) -> None:
        """Send any other reply; the request id is added at its end where one was given."""
        tail = () if asker.reqid is None else (asker.reqid,)
        self._to(asker.targets, address, (*values, *tail))

    def event(self, address: str, *values: Value, without: Iterable[Address] = ()) -> None:
        """Tell all registered clients but those of `without`."""
        told = set(without)
        targets = tuple(target for target in self._subscribers() if target not in told)
        self._to(targets, address, values)

    def _to(self, targets: tuple[Address, ...], address: str, values: tuple[Value, ...]) -> None:
        if not targets:
            return
        datagram = message(address, values)
        for target in targets:
            self._send(datagram, target)


def message(address: str, values: tuple[Value, ...]) -> bytes:
    """Return the datagram; where it would be too long its longest texts are cut."""
    datagram = _built(address, values)
    while len(datagram) > DATAGRAM_BYTES:
        longest = max((v for v in values if isinstance(v, str)), key=_length, default="")
        surplus = len(datagram) - DATAGRAM_BYTES + len(_CUT)
        shorter = longest.encode()[: max(0, _length(longest) - surplus)].decode(errors="ignore")
        if not longest:
            raise ValueError(f"{address} has {len(datagram)} bytes; allowed: {DATAGRAM_BYTES}")
        at = values.index(longest)
        values = (*values[:at], shorter + _CUT * bool(shorter), *values[at + 1 :])
        datagram = _built(address, values)
    return datagram


def _length(text: str) -> int:
    return len(text.encode())


def _built(address: str, values: tuple[Value, ...]) -> bytes:
    builder = OscMessageBuilder(address)
    for value in values:
        match value:
            case str():
                # A NUL would end the text early, half a character could not be sent.
                text = value.replace("\0", " ").encode(errors="replace").decode()
                builder.add_arg(text, "s")
            case int():
                builder.add_arg(_in_32_bits(value), "i")
            case float():
                builder.add_arg(_in_float32(value), "f")
    return builder.build().dgram


def _in_32_bits(value: int) -> int:
    return max(-(2**31), min(2**31 - 1, int(value)))


def _in_float32(value: float) -> float:
    try:
        struct.pack(">f", value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return value
