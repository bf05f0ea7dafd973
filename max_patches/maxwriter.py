"""Builds Max patchers as plain dictionaries and writes them as .maxpat and .amxd files.

A cord is written `patch.wire(source, target)`, where an end is a Box (its first port) or a pair
(Box, port). Ports come from PORTS and the rules of `ports`, and a cord to a port that an object
lacks is refused at once.
"""

import json
import struct
from dataclasses import dataclass, field
from typing import Any

# Inlets, then outlets: s signal, b bang, i int, f float, l list, d anything; - none.
_TABLE = """
* 2i  + 2i  *~ 2s  !-~ 2s  !/ 2f  <~ 2s  == 2i  buffer~ 1fb  change 1dii  comment 1-
conformpath 1di  delay 2b  delta~ 1s  dropfile 1dd  edge~ 1bb  ezdac~ 2-  f 2f  freebang 1b
function 1fddb  i 2i  line~ 2sb  live.comment 1-  live.dial 1df  live.drop 1dd  live.gain~ 2ssdfl
live.menu 1ddf  live.numbox 1df  live.text 1dd  live.thisdevice 1bii  loadbang 1b  message 2d
metro 2b  onebang 2bb  phasor~ 2s  plugin~ 2ss  plugout~ 2ss  plugsync~ 1iiiflffii  prepend 1d
slider 1d  snapshot~ 2f  speedlim 2d  sqrt~ 1s  textedit 1didd  toggle 1i  tosymbol 1d
udpreceive 1d  udpsend 1-  zl.group 2dd  zl.join 2dd
"""
_KINDS = {"s": "signal", "b": "bang", "i": "int", "f": "float", "l": "list", "d": ""}
_cells = _TABLE.split()
PORTS = {
    name: (int(cell[0]), [_KINDS[letter] for letter in cell[1:] if letter != "-"])
    for name, cell in zip(_cells[0::2], _cells[1::2], strict=True)
}
NEWOBJ, MESSAGE = "newobj", "message"
FORMAT = {"major": 8, "minor": 6, "revision": 0, "architecture": "x64", "modernui": 1}


def ports(text: str) -> tuple[int, list[str]]:
    """Return the number of inlets and the types of the outlets of an object, by its text."""
    name, *words = text.split()
    given = words[: next((n for n, word in enumerate(words) if word[0] == "@"), len(words))]
    if name == "t":
        return 1, [_KINDS[word] if word in "bif" else "" for word in given]
    if name == "pack":
        return len(given), [""]
    if name == "unpack":
        return 1, ["float" if "." in word else "" if word == "s" else "int" for word in given]
    if name in ("route", "sel"):
        return len(given) + 1, ["bang" if name == "sel" else ""] * len(given) + [""]
    if name == "gate":
        return 2, [""] * int(given[0] if given else 1)
    if name in ("sprintf", "expr"):
        return text.count("%" if name == "sprintf" else "$"), [""]
    if name == "play~":
        return 1, ["signal"] * int(given[1]) + ["bang"]
    return PORTS[name]


@dataclass(frozen=True)
class Box:
    """One object of a patch."""

    id: str
    text: str
    inlets: int
    outlets: int


End = Box | tuple[Box, int]


@dataclass
class Patch:
    """A patcher that grows: boxes in columns, cords, and the parameters that Live may automate."""

    boxes: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    x: float = 20.0
    y: float = 20.0
    right: float = 0.0

    def column(self, title: str) -> None:
        """Begin a new column of the patching view under a title."""
        self.x, self.y = self.right + 30.0, 20.0
        self.add(title, "comment")

    def add(self, text: str, maxclass: str = NEWOBJ, **extra: Any) -> Box:
        """Add a box below the last one; `extra` are its saved attributes."""
        inlets, kinds = ports(text if maxclass == NEWOBJ else maxclass)
        text = extra.pop("text", text)
        box = Box(f"obj-{len(self.boxes) + 1}", text, inlets, len(kinds))
        wide, high = extra.get("presentation_rect", [0.0, 0.0, 7.0 * len(text) + 16.0, 22.0])[2:]
        saved = {
            "id": box.id,
            "maxclass": maxclass,
            "numinlets": inlets,
            "numoutlets": len(kinds),
            **({"outlettype": kinds} if kinds else {}),
            "patching_rect": [self.x, self.y, max(30.0, wide), high],
            **({"text": text} if text else {}),
            **extra,
        }
        self.y += high + 8.0
        self.right = max(self.right, self.x + wide)
        self.boxes.append({"box": saved})
        return box

    def shown(self, maxclass: str, rect: tuple[float, ...], text: str = "", **extra: Any) -> Box:
        """Add a box that the performer sees, at `rect` (x, y, width, height)."""
        place = {"presentation": 1, "presentation_rect": [float(n) for n in rect]}
        return self.add(text, maxclass, **place, **extra)

    def control(
        self, maxclass: str, name: str, rect: tuple[float, ...], value: dict[str, Any], **extra: Any
    ) -> Box:
        """Add a shown box whose value Live stores, under `name`."""
        saved = {"parameter_longname": name, "parameter_shortname": name, **value}
        attributes = {"saved_attribute_attributes": {"valueof": saved}, "parameter_enable": 1}
        box = self.shown(maxclass, rect, varname=name, **attributes, **extra)
        self.parameters[box.id] = [name, name, 0]
        return box

    def wire(self, source: End, *targets: End) -> None:
        """Draw a cord from one outlet to each of the inlets."""
        start, outlet = source if isinstance(source, tuple) else (source, 0)
        for target in targets:
            end, inlet = target if isinstance(target, tuple) else (target, 0)
            if outlet >= start.outlets or inlet >= end.inlets:
                raise ValueError(f"no cord from {start.text} outlet {outlet} to {end.text} {inlet}")
            line = {"source": [start.id, outlet], "destination": [end.id, inlet]}
            self.lines.append({"patchline": line})

    def chain(self, source: End, *targets: str | Box) -> Box:
        """Draw cords through the first ports of all `targets`; add those given as text."""
        box = source if isinstance(source, Box) else source[0]
        for target in targets:
            box = self.add(target) if isinstance(target, str) else target
            self.wire(source, box)
            source = box
        return box

    def patcher(self, rect: tuple[float, ...], **extra: Any) -> dict[str, Any]:
        """Return the whole file as a dictionary."""
        banks = {"0": {"index": 0, "name": "", "parameters": ["-"] * 8}}
        return {
            "patcher": {
                "fileversion": 1,
                "appversion": FORMAT,
                "classnamespace": "box",
                "rect": [float(n) for n in rect],
                "openinpresentation": 1,
                "default_fontsize": 11.0,
                "gridsize": [15.0, 15.0],
                "boxes": self.boxes,
                "lines": self.lines,
                "parameters": {**self.parameters, "parameterbanks": banks},
                "dependency_cache": [],
                "autosave": 0,
                **extra,
            }
        }


def as_text(patcher: dict[str, Any]) -> bytes:
    """Return the bytes of a .maxpat file."""
    return (json.dumps(patcher, indent="\t", ensure_ascii=False) + "\n").encode()


def as_device(patcher: dict[str, Any]) -> bytes:
    """Return the bytes of an unfrozen .amxd audio effect: three chunks, then the text.

    Chunk: four letters, little-endian length, payload. The text ends in a newline and a zero byte,
    both counted; `meta` 1 means that it is not frozen.
    """
    text = as_text(patcher) + b"\0"
    head = b"ampf" + struct.pack("<I", 4) + b"aaaa" + b"meta" + struct.pack("<II", 4, 1)
    return head + b"ptch" + struct.pack("<I", len(text)) + text
