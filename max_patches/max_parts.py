"""The parts that the Max patch and the Max for Live device share: network, replies, controls.

What a performer sees is 169 pixels high, the height of a device in Live.
"""

from dataclasses import dataclass, field
from typing import Any

from maxwriter import MESSAGE, Box, End, Patch

HOST, PORT = "127.0.0.1", 7770
NOBODY = f"no daemon on {HOST} port {PORT}: start it with ditto-rt serve"
REPLIES = ("status.reply", "state", "progress", "take", "fail", "done")
MODES = ("outpaint", "inpaint", "loop", "vary")

# Text and curves: saved with a Live set, kept out of its automation lanes.
STORED = {"parameter_type": 3, "parameter_invisible": 1}


def number(low: float, high: float, initial: float, unit: int = 0, lane: int = 0) -> dict[str, Any]:
    """Return a parameter that is a number; unit: 0 whole, 1 any, 4 dB; lane 1: may be automated."""
    whole = unit == 0 and high - low < 256
    span = {"parameter_mmin": low, "parameter_mmax": high, "parameter_unitstyle": unit}
    return {"parameter_type": int(whole), **span, **_initial(initial, lane)}


def choice(*words: str, initial: int = 0, lane: int = 0) -> dict[str, Any]:
    """Return a parameter that is one of some words."""
    enum = {"parameter_type": 2, "parameter_enum": list(words), "parameter_mmax": len(words) - 1}
    return {**enum, **_initial(initial, lane)}


def _initial(value: float, lane: int) -> dict[str, Any]:
    start = {"parameter_initial": [value], "parameter_initial_enable": 1}
    return {**start, "parameter_invisible": 1 - lane}


@dataclass
class Device:
    """A patch under construction and the boxes where its parts meet.

    `refresh` makes every control send its value again.
    """

    patch: Patch
    live: bool
    send: Box
    slot: Box
    beats: Box
    set_slot: Box
    refresh: Box
    named: dict[str, Box] = field(default_factory=dict)

    def label(self, text: str, x: float, y: float, width: float) -> Box:
        """Show a line of text."""
        rect = (x, y, width, 18)
        return self.patch.shown("live.comment", rect, text, textjustification=0)

    def packed(self, address: str, atoms: str) -> Box:
        """Return a box that, when banged, sends `address` with the slot and `atoms`."""
        pack = self.patch.add(f"pack 0 {atoms}")
        self.patch.wire(self.set_slot, pack)
        self.patch.chain(pack, f"prepend {address}", self.send)
        return pack

    def listed(self, address: str) -> Box:
        """Return a box that sends `address` with the slot and each list that it gets."""
        p = self.patch
        split, slot, join = p.add("t b l"), p.add("i"), p.add("zl.join @zlmaxsize 1024")
        p.wire(self.slot, (slot, 1))
        p.wire((split, 1), (join, 1))
        p.chain(split, slot, join, f"prepend {address}", self.send)
        return split

    def feed(self, source: End, pack: Box, inlet: int, kind: str) -> None:
        """Store what `source` sends in an inlet of `pack`, then send the whole."""
        split = self.patch.chain(source, f"t b {kind}")
        self.patch.wire((split, 1), (pack, inlet))
        self.patch.wire(split, pack)

    def switch(self, name: str, control: str, x: float, y: float) -> tuple[Box, Box]:
        """Show a switch; return what it bangs when it is on, and a gate that is open while it is.

        Off, it clears `control` in the slot.
        """
        p = self.patch
        rect, off = (x, y, 60, 16), choice("off", "on")
        switch = p.control("live.text", f"{name} on", rect, off, text=name, texton=name)
        split = p.chain(switch, "t i i")
        cases, gate, poke = p.chain(split, "sel 0 1"), p.add("gate"), p.add("t b")
        p.wire((split, 1), gate)
        p.wire(cases, self.packed("/ditto/slot/clear", control))
        p.wire((cases, 1), poke)
        p.wire(self.refresh, switch)
        self.named[name] = switch
        return poke, gate

    def entry(self, name: str, rect: tuple[float, ...], text: str, symbol: bool) -> tuple[Box, Box]:
        """Show a line to type in; return it and what sends it, as one symbol or as a list."""
        p, look = self.patch, {"outputmode": int(symbol), "keymode": 1, "fontsize": 10.0}
        box = p.control("textedit", name, rect, STORED, text=text, **look)
        return box, p.chain(box, "route text", *(["tosymbol"] if symbol else []))


def network(p: Patch, live: bool) -> Device:
    """Lay the way to the daemon: the slot, its receive port, registration every five seconds."""
    p.column("daemon")
    client, base = ("live", 7780) if live else ("max", 7800)
    send = p.add(f"udpsend {HOST} {PORT}")
    slot = p.control("live.numbox", "Slot", (6, 24, 28, 16), number(0, 15, 0))
    beats = p.control("live.numbox", "Beats", (38, 24, 28, 16), number(1, 64, 8))
    set_slot, refresh = p.chain(slot, "prepend set"), p.add("outputvalue", MESSAGE)
    d = Device(p, live, send, slot, beats, set_slot, refresh)

    # Each slot has a port of its own, so that sixteen devices can listen at once.
    port = p.chain(slot, f"+ {base}")
    split, keep, last = p.chain(port, "t i i"), p.add("i"), p.add("i")
    receive, listen = p.add(f"udpreceive {base} @defer 1"), p.add("port $1", MESSAGE)
    p.chain((split, 1), listen, receive)
    p.chain(split, keep, p.add(f"/ditto/notify 1 $1 {client}", MESSAGE), send)
    p.wire(port, (last, 1))
    p.chain(p.add("freebang"), last, p.add("/ditto/notify 0 $1", MESSAGE), send)

    # A daemon that was started again learns of this patch by itself.
    start = p.add("live.thisdevice" if live else "loadbang")
    first = p.chain(start, "t b b")
    tick = p.chain(first, p.add("1", MESSAGE), "metro 5000", "t b b")
    p.chain((first, 1), p.add("outputvalue", MESSAGE), slot)
    p.wire((tick, 1), keep)
    p.chain(tick, p.add("/ditto/status", MESSAGE), send)
    d.named["start"] = start
    _replies(d, receive)
    return d


def _replies(d: Device, receive: Box) -> None:
    p = d.patch
    p.column("replies")
    route = p.chain(receive, "route " + " ".join(f"/ditto/{name}" for name in REPLIES))
    state, info = d.label(NOBODY, 4, 4, 520), d.label("", 4, 148, 700)
    p.chain(route, "sprintf set %s / %s on %s / queue %ld", state)
    p.chain((route, 1), "sprintf set %s %s", state)
    p.chain(route, "t b", "delay 12000", p.add(f"set {NOBODY}", MESSAGE), state)

    progress, take = p.chain((route, 2), "route 0"), p.chain((route, 3), "route 0")
    p.wire(d.slot, (progress, 1), (take, 1))
    parts = p.chain(progress, "unpack 0. 0.")
    bar = p.shown("slider", (6, 132, 134, 12), size=1.0, floatoutput=1, orientation=1)
    p.chain(parts, "prepend set", bar)
    p.chain((parts, 1), "sprintf set rendering / loss %.4f", info)
    d.named["take"] = p.chain(take, "unpack 0 s 0 0 0.")
    p.chain((d.named["take"], 4), "sprintf set take ready / loss %.4f", info)
    problem = p.chain((route, 4), "unpack s 0 s s")
    p.chain((problem, 3), "prepend set", info)
    tags = p.chain((route, 5), "route /ditto/slot/tags", "unpack 0 0 s s")
    told = p.add("sprintf set understood: %s / unknown: %s")
    p.wire((tags, 3), (told, 1))
    p.chain((tags, 2), told, info)


def controls(d: Device, bpm: End) -> None:
    """Lay what a take is asked to be, and the buttons that render it and give it up."""
    p = d.patch
    p.column("controls")
    for text, x in (("slot", 4), ("beats", 36), ("seed", 70), *([] if d.live else [("bpm", 108)])):
        d.label(text, x, 40, 30)
    tags, tempo = d.packed("/ditto/slot/tags", "s"), d.packed("/ditto/slot/tempo", "120. 8.")
    words, typed = d.entry("Tags", (6, 60, 134, 20), "dark techno", True)
    d.feed(typed, tags, 1, "s")
    d.feed(bpm, tempo, 1, "f")
    d.feed(d.beats, tempo, 2, "f")
    seed = p.control("live.numbox", "Seed", (70, 24, 34, 16), number(0, 9999, 0))
    d.feed(seed, d.packed("/ditto/slot/seed", "0"), 1, "i")
    p.wire(d.refresh, d.beats, seed)
    _intensity(d)
    _melody_form_loop(d)
    _region(d)

    p.column("render")
    lane = choice("off", "on", lane=1)
    render = p.control("live.text", "Render", (6, 84, 64, 20), lane, text="Render", mode=0)
    cancel = p.control("live.text", "Cancel", (76, 84, 64, 20), lane, text="Cancel", mode=0)
    order = p.chain(render, "t b b b")
    p.wire((order, 2), d.refresh)
    p.wire((order, 1), words)
    for source, address in ((order, "/ditto/render"), (cancel, "/ditto/cancel")):
        slot = p.add("i")
        p.wire(d.slot, (slot, 1))
        p.chain(source, slot, f"prepend {address}", d.send)


def scenes(d: Device) -> None:
    """Lay a scene's name, and the buttons that recall and save it."""
    p = d.patch
    p.column("scenes")
    lane = choice("off", "on", lane=1)
    box, typed = d.entry("Scene", (6, 108, 56, 20), "verse", True)
    # Open only while a button asks for the name: a return in the line does nothing.
    gate = p.add("gate 2 0")
    p.wire(typed, (gate, 1))
    for number_of, name, x, address in (
        (1, "Recall", 66, "/ditto/scene/recall"),
        (2, "Save", 106, "/ditto/scene/save"),
    ):
        rect = (x, 108, 36, 20)
        button = p.control("live.text", f"{name} scene", rect, lane, text=name, mode=0)
        order = p.chain(button, "t b b b")
        p.chain((order, 2), p.add(str(number_of), MESSAGE), gate)
        p.wire((order, 1), box)
        p.chain(order, p.add("0", MESSAGE), gate)
        p.chain((gate, number_of - 1), "pack s", f"prepend {address}", d.send)


def _intensity(d: Device) -> None:
    p = d.patch
    p.column("intensity")
    poke, gate = d.switch("Intensity", "intensity", 150, 24)
    look = {"domain": 8.0, "range": [-60.0, 0.0], "addpoints": [0.0, -20.0, 0, 8.0, -20.0, 0]}
    curve = p.control("function", "Curve", (150, 42, 148 if d.live else 196, 100), STORED, **look)
    d.label("-60 to 0 dB over beats", 214, 24, 140)
    p.chain(poke, p.add("listdump", MESSAGE), curve)
    p.wire((curve, 2), (gate, 1))
    p.wire(gate, d.listed("/ditto/slot/intensity"))
    again, resize = p.add("outputvalue", MESSAGE), p.chain(d.beats, "t b i")
    p.chain((resize, 1), p.add("setdomain $1", MESSAGE), curve)
    p.wire(resize, again)
    p.chain((curve, 3), again, d.named["Intensity"])
    d.named["curve gate"] = gate


def _melody_form_loop(d: Device) -> None:
    p = d.patch
    p.column("melody, form, loop")
    poke, gate = d.switch("Melody", "melody", 356, 24)
    d.label("pitch beat beats ...", 420, 24, 110)
    box, notes = d.entry("Notes", (356, 42, 170, 38), "60 0 1 63 1 1 67 2 1 70 3 1", False)
    p.wire(poke, box)
    p.wire(notes, (gate, 1))
    p.wire(gate, d.listed("/ditto/slot/melody"))
    poke, gate = d.switch("Form", "structure", 356, 84)
    box, form = d.entry("Pattern", (420, 84, 106, 20), "AABA", True)
    p.wire(poke, box)
    p.wire(form, (gate, 1))
    d.feed(gate, d.packed("/ditto/slot/structure", "s"), 1, "s")
    poke, _ = d.switch("Seamless", "loop", 356, 108)
    p.wire(poke, d.packed("/ditto/slot/loop", "0.5"))


def _region(d: Device) -> None:
    p = d.patch
    p.column("region of a file")
    poke, gate = d.switch("Region", "region", 536, 24)
    pack = d.packed("/ditto/slot/region", "s 0. 4. outpaint")
    if d.live:
        drop = p.control("live.drop", "File", (536, 42, 110, 40), STORED, legend="drop audio here")
    else:
        drop = p.shown("dropfile", (536, 42, 110, 40))
        d.label("drop a file", 600, 24, 60)
    # Max speaks of "Macintosh HD:/Users/..."; the daemon wants the path as the system has it.
    path = p.chain(drop, "conformpath slash boot", "tosymbol")
    p.wire(gate, pack)
    p.wire(poke, (gate, 1))
    first, last = number(0, 600, 0, unit=1), number(0, 600, 4, unit=1)
    start = p.control("live.numbox", "Start s", (536, 86, 52, 16), first)
    end = p.control("live.numbox", "End s", (594, 86, 52, 16), last)
    mode = p.control("live.menu", "Mode", (536, 108, 110, 16), choice(*MODES))
    for source, inlet, kind in (
        (path, 1, "s"),
        (start, 2, "f"),
        (end, 3, "f"),
        ((mode, 1), 4, "s"),
    ):
        split = p.chain(source, f"t b {kind}")
        p.wire((split, 1), (pack, inlet))
        p.wire(split, (gate, 1))
    p.wire(d.refresh, start, end, mode)
