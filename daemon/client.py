"""`ditto-rt send`: one command out, its replies in."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence

from pythonosc.osc_message_builder import OscMessageBuilder

from daemon.osc import guard
from daemon.osc.guard import Message
from daemon.protocol.messages import COMMANDS

_KINDS: dict[str, Callable[[str], int | float | str]] = {"i": int, "f": float, "s": str}


def argument(word: str) -> int | float | str:
    """Read an argument: 3 is an int, 3.0 a float, else text; i:, f: or s: before it decides.

    Raises ValueError where the rest is not of the kind that was asked.
    """
    kind, colon, rest = word.partition(":")
    if colon and kind in _KINDS:
        return _KINDS[kind](rest)
    for read in (int, float):
        try:
            return read(word)
        except ValueError:
            continue
    return word


def exchange(
    target: tuple[str, int], address: str, values: Sequence[int | float | str], silence_s: float
) -> Iterator[Message]:
    """Send a command and yield what comes back, up to and with its end.

    Raises TimeoutError where nothing came for `silence_s`.
    """
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value, {int: "i", float: "f", str: "s"}[type(value)])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(builder.build().dgram, target)
        until_s = time.monotonic() + silence_s
        while (left_s := until_s - time.monotonic()) > 0:
            peer.settimeout(left_s)
            for message in guard.read(peer.recv(guard.DATAGRAM_BYTES)).messages:
                until_s = time.monotonic() + silence_s
                yield message
                if is_end(address, message):
                    return
    raise TimeoutError


def is_end(address: str, reply: Message) -> bool:
    """Return whether `reply` is the last one to the command `address`."""
    if reply.address in ("/ditto/done", "/ditto/fail"):
        return True
    command = COMMANDS.get(address)
    return command is not None and command.done is None and reply.address == command.replies[-1]


def is_failure(reply: Message) -> bool:
    """Return whether `reply` says that something went wrong."""
    return reply.address == "/ditto/fail"
