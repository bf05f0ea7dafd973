"""Datagram -> messages: every structural check that python-osc leaves out, then python-osc itself.

python-osc 1.10 loops for ever on a bundle element of size -4, recurses without a bound, reads the
bytes after an unknown type tag as something else and pads short packets. So nothing reaches it
that has not been walked here first, without recursion and within fixed bounds. Pure: no I/O.

Sources: OSC 1.0 (opensoundcontrol.stanford.edu/spec-1_0.html), "OSC Packets" and "OSC Bundles".
"""

import struct
from dataclasses import dataclass
from typing import TypeAlias

from pythonosc.osc_message import OscMessage, ParseError

Argument: TypeAlias = object

DATAGRAM_BYTES = 65_507
ADDRESS_BYTES = 255
ARGUMENTS = 2048
BLOB_BYTES = 16_384
MESSAGES = 1024
BUNDLE_DEPTH = 8
ARRAY_DEPTH = 8
IMMEDIATELY = 1

# Bytes of each type of fixed size that python-osc reads. I, c and S are legal in OSC 1.0, but
# python-osc skips them without their bytes, so they count as unknown here.
_SIZES = {"i": 4, "f": 4, "r": 4, "m": 4, "h": 8, "t": 8, "d": 8, "T": 0, "F": 0, "N": 0}
_BUNDLE = b"#bundle\0"


class OscError(ValueError):
    """A packet or message that is refused; `address` is known where a single message is."""

    def __init__(self, text: str, address: str = "") -> None:
        """Keep the sentence and the address it concerns."""
        super().__init__(text)
        self.address = address


@dataclass(frozen=True)
class Message:
    """One parsed OSC message; time_tag: the latest of the bundles around it."""

    address: str
    arguments: tuple[Argument, ...]
    time_tag: int = IMMEDIATELY


@dataclass(frozen=True)
class Packet:
    """What one datagram held, in order; `refused` are messages that were discarded whole.

    time_tag is the largest one of its bundles. Time tags are NTP times in units of 2**-32 s
    (1: immediately). A bundle inside another is never due before that one is.
    """

    messages: tuple[Message, ...]
    refused: tuple[OscError, ...] = ()
    time_tag: int = IMMEDIATELY


def read(datagram: bytes) -> Packet:
    """Return the messages of `datagram`.

    Raises OscError where its structure is broken; then nothing of it may be carried out.
    """
    elements, latest = _elements(datagram)
    messages, refused = [], []
    for element, tag in elements:
        try:
            messages.append(_message(element, tag))
        except OscError as error:
            if not error.address:
                raise
            refused.append(error)
    return Packet(tuple(messages), tuple(refused), latest)


def _elements(datagram: bytes) -> tuple[list[tuple[bytes, int]], int]:
    """Return the messages' bytes with their tags, and the largest tag; bundles go on a stack."""
    if not 0 < len(datagram) <= DATAGRAM_BYTES:
        raise OscError(f"packet has {len(datagram)} bytes; allowed: 4 to {DATAGRAM_BYTES}")
    found: list[tuple[bytes, int]] = []
    latest = IMMEDIATELY
    stack = [(0, len(datagram), 0, IMMEDIATELY)]
    while stack:
        start, end, depth, tag = stack.pop()
        if (end - start) % 4:
            raise OscError(f"packet or element has {end - start} bytes; allowed: a multiple of 4")
        if datagram.startswith(b"/", start, end):
            found.append((datagram[start:end], tag))
        elif datagram.startswith(_BUNDLE, start, end):
            if depth >= BUNDLE_DEPTH:
                raise OscError(f"bundles are nested deeper than {BUNDLE_DEPTH}")
            inside, own = _bundle(datagram, start, end)
            tag = max(tag, own)
            latest = max(latest, tag)
            stack.extend((low, high, depth + 1, tag) for low, high in reversed(inside))
        else:
            raise OscError("packet or element starts with neither '/' nor '#bundle'")
        if len(found) + len(stack) > MESSAGES:
            raise OscError(f"packet has more than {MESSAGES} messages")
    return found, latest


def _bundle(datagram: bytes, start: int, end: int) -> tuple[list[tuple[int, int]], int]:
    """Return the (start, end) of each element of the bundle in datagram[start:end], and its tag."""
    at = start + len(_BUNDLE)
    if at + 8 > end:
        raise OscError("bundle ends before its time tag")
    (tag,) = struct.unpack_from(">Q", datagram, at)
    at += 8
    inside = []
    while at < end:
        # The whole packet is a multiple of 4 bytes, so a size always has its four.
        (size,) = struct.unpack_from(">i", datagram, at)
        at += 4
        if size <= 0 or size % 4 or at + size > end:
            raise OscError(
                f"bundle element has size {size}; allowed: a multiple of 4 up to {end - at}"
            )
        inside.append((at, at + size))
        at += size
    return inside, tag


def _message(data: bytes, tag: int) -> Message:
    address, at = _text(data, 0)
    if len(address) > ADDRESS_BYTES or not (address.isascii() and address.isprintable()):
        raise OscError(f"address is no plain ASCII text of at most {ADDRESS_BYTES} characters")
    if at == len(data):
        return Message(address, (), tag)
    tags, at = _text(data, at)
    if not tags.startswith(","):
        raise OscError("arguments come without their type tags", address)
    if len(tags) - 1 > ARGUMENTS:
        raise OscError(f"message has {len(tags) - 1} arguments; allowed: {ARGUMENTS}", address)
    end = _arguments_end(data, at, tags[1:], address)
    if end != len(data):
        raise OscError(f"message has {len(data)} bytes; its type tags make {end}")
    try:
        return Message(address, tuple(OscMessage(data).params), tag)
    except ParseError as error:
        raise OscError(f"message cannot be read: {error}", address) from error


def _arguments_end(data: bytes, at: int, tags: str, address: str) -> int:
    """Return where the arguments end; OscError where they leave the data or a tag is unknown."""
    depth = 0
    for tag in tags:
        if tag in _SIZES:
            at += _SIZES[tag]
        elif tag == "s":
            _, at = _text(data, at)
        elif tag == "b":
            at = _blob_end(data, at)
        elif tag in "[]":
            depth += 1 if tag == "[" else -1
            if not 0 <= depth <= ARRAY_DEPTH:
                raise OscError(f"type tags {tags!r} have unbalanced or too deep brackets", address)
        else:
            raise OscError(f"type tag is {tag!r}; allowed: {''.join(_SIZES)}sb[]", address)
        if at > len(data):
            raise OscError(f"message has {len(data)} bytes; its arguments need more")
    if depth:
        raise OscError(f"type tags {tags!r} have unbalanced brackets", address)
    return at


def _text(data: bytes, at: int) -> tuple[str, int]:
    """Return the OSC string at `at` and the place after its padding."""
    nul = data.find(b"\0", at)
    end = (nul // 4 + 1) * 4
    if nul < 0 or end > len(data):
        raise OscError("text has no closing NUL")
    if any(data[nul:end]):
        raise OscError("text is padded with other bytes than NUL")
    try:
        return data[at:nul].decode("utf-8"), end
    except UnicodeDecodeError as error:
        raise OscError(f"text is not UTF-8: {error.reason} at byte {error.start}") from error


def _blob_end(data: bytes, at: int) -> int:
    if at + 4 > len(data):
        raise OscError("blob has no size")
    (size,) = struct.unpack_from(">i", data, at)
    if not 0 <= size <= BLOB_BYTES:
        raise OscError(f"blob has size {size}; allowed: 0 to {BLOB_BYTES}")
    return at + 4 + int(size) + -int(size) % 4
