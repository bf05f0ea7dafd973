"""OSC packets made by hand, without the code under test, and ways to damage them."""

import random
import struct
from collections.abc import Sequence

IMMEDIATELY = b"\0\0\0\0\0\0\0\1"


def text(value: str) -> bytes:
    """Return an OSC string."""
    data = value.encode()
    return data + b"\0" * (4 - len(data) % 4)


def message(address: str, tags: str = "", *values: object) -> bytes:
    """Return a message; values in the order of those tags that carry bytes."""
    rest = list(values)
    body = b""
    for tag in tags:
        if tag in "TFN[]I":
            continue
        value = rest.pop(0)
        match tag:
            case "s" | "S":
                body += text(str(value))
            case "b":
                assert isinstance(value, bytes)
                body += struct.pack(">i", len(value)) + value + b"\0" * (-len(value) % 4)
            case "t":
                body += struct.pack(">Q", value)
            case "m":
                assert isinstance(value, bytes)
                body += value
            case _:
                body += struct.pack(
                    {"i": ">i", "f": ">f", "d": ">d", "h": ">q"}.get(tag, ">i"), value
                )
    return text(address) + text("," + tags) + body


def bundle(*elements: bytes, tag: bytes = IMMEDIATELY) -> bytes:
    """Return a bundle."""
    sized = b"".join(struct.pack(">i", len(element)) + element for element in elements)
    return b"#bundle\0" + tag + sized


def mutated(packet: bytes, chance: random.Random) -> bytes:
    """Return the packet with one to eight bytes changed, taken out, put in, or its end cut."""
    data = bytearray(packet)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                data[at:at] = chance.randbytes(chance.randint(1, 8))
            case 1:
                del data[at : at + chance.randint(1, 8)]
            case 2:
                del data[at:]
            case 3 if at < len(data):
                data[at] = chance.choice((0, 255, 127, 128, data[at] ^ 1))
            case _ if at < len(data):
                data[at] = chance.randrange(256)
    return bytes(data)


def random_packet(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Return noise, a damaged packet, or a bundle of damaged packets."""
    kind = chance.random()
    if kind < 0.15:
        return chance.randbytes(chance.randint(0, 400))
    if kind < 0.3:
        return bundle(*(mutated(chance.choice(seeds), chance) for _ in range(chance.randint(0, 5))))
    if kind < 0.4:
        return mutated(bundle(*chance.choices(seeds, k=3)), chance)
    return mutated(chance.choice(seeds), chance)
