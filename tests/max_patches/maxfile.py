"""Max patches read back from their files, and what Max would make of each object.

The rules here are written from Max's reference and from patches that Max saved, apart from those
of the generator, so that a mistake in one shows against the other.
"""

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.source_tree import ROOT

FOLDER = ROOT / "max_patches"
TABLE = json.loads((Path(__file__).parent / "max_ports.json").read_text("utf-8"))["objects"]
PATCHES = ("ditto.maxpat", "ditto.amxd")

# Inlets that take a signal, of the objects that have any.
SIGNAL_INLETS = {
    **dict.fromkeys(("*~", "!-~", "<~", "phasor~", "plugout~", "ezdac~", "live.gain~"), {0, 1}),
    **dict.fromkeys(("delta~", "edge~", "sqrt~", "play~", "snapshot~"), {0}),
}


@dataclass(frozen=True)
class Cord:
    """A patch cord, with the places in their box's row of outlets and inlets."""

    source: str
    outlet: int
    target: str
    inlet: int


@dataclass(frozen=True)
class Patcher:
    """What a file holds: the boxes by id, the cords, all the rest."""

    ids: tuple[str, ...]
    boxes: dict[str, dict[str, Any]]
    cords: tuple[Cord, ...]
    rest: dict[str, Any]

    def into(self, box: str, inlet: int) -> list[str]:
        """Return the ids of what is wired into an inlet."""
        return [c.source for c in self.cords if (c.target, c.inlet) == (box, inlet)]

    def out_of(self, box: str, outlet: int) -> list[str]:
        """Return the ids of what an outlet is wired to."""
        return [c.target for c in self.cords if (c.source, c.outlet) == (box, outlet)]

    def text(self, box: str) -> str:
        """Return a box's text, or its class where it has none."""
        saved = self.boxes[box]
        return str(saved["text"] if saved["maxclass"] in ("newobj", "message") else kind(saved))


def device_parts(raw: bytes) -> dict[bytes, bytes]:
    """Return the chunks of an .amxd file: four letters, little-endian length, payload."""
    chunks, at = {}, 0
    while at < len(raw):
        name, size = raw[at : at + 4], struct.unpack_from("<I", raw, at + 4)[0]
        chunks[name] = raw[at + 8 : at + 8 + size]
        at += 8 + size
    if at != len(raw):
        raise ValueError(f"the chunks end at {at}, the file at {len(raw)}")
    return chunks


def read(name: str) -> Patcher:
    """Read ditto.maxpat or ditto.amxd."""
    raw = (FOLDER / name).read_bytes()
    text = device_parts(raw)[b"ptch"].rstrip(b"\0") if name.endswith(".amxd") else raw
    patcher = json.loads(text)["patcher"]
    boxes = [entry["box"] for entry in patcher.pop("boxes")]
    cords = (line["patchline"] for line in patcher.pop("lines"))
    return Patcher(
        tuple(box["id"] for box in boxes),
        {box["id"]: box for box in boxes},
        tuple(Cord(*c["source"], *c["destination"]) for c in cords),
        patcher,
    )


def kind(box: dict[str, Any]) -> str:
    """Return what an object is: the first word of a newobj, else its class."""
    return str(box["text"].split()[0] if box["maxclass"] == "newobj" else box["maxclass"])


def arguments(text: str) -> list[str]:
    """Return an object's arguments, without its @attributes."""
    return text.split("@")[0].split()[1:]


def expected_ports(box: dict[str, Any]) -> tuple[int, int]:
    """Return how many inlets and outlets Max gives an object."""
    name = kind(box)
    given = arguments(box.get("text", ""))
    count = len(given)
    match name:
        case "route" | "sel":
            return count + 1, count + 1
        case "t" | "unpack":
            return 1, count
        case "pack":
            return count, 1
        case "gate":
            return 2, int(given[0]) if given else 1
        case "play~":
            return 1, int(given[1]) + 1
        case "sprintf":
            return len(re.findall(r"%(?:s|ld|\.?\d*f)", box["text"])), 1
        case "expr":
            return len(set(re.findall(r"\$[if](\d)", box["text"]))), 1
    return TABLE[name]["numinlets"], TABLE[name]["numoutlets"]


def signal_outlets(box: dict[str, Any]) -> set[int]:
    """Return the outlets that Max's table calls signals."""
    name = kind(box)
    if name == "play~":
        return set(range(int(arguments(box["text"])[1])))
    types = TABLE[name]["outlettype"] or []
    return {n for n, each in enumerate(types) if each == "signal"}
