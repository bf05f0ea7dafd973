"""The Pure Data twins: ditto.pd, a client that also runs without a screen, and its loop player.

Everything the client can do is a message to a name, such as `; ditto-tags dark techno`, so that a
click, another patch and `pd -nogui -send` all speak to it in the same way.
"""

from dataclasses import dataclass, field

HOST, DAEMON_PORT, PORT = "127.0.0.1", 7770, 7820
STEP = 28

# Name after `ditto-`, OSC address, types; what a type string leaves out goes as it is, a float.
COMMANDS = (
    ("tags", "slot/tags", "is"),
    ("tempo", "slot/tempo", "iff"),
    ("seed", "slot/seed", "ii"),
    ("region", "slot/region", "isffs"),
    ("intensity", "slot/intensity", "i"),
    ("automation", "automation", "iff"),
    ("melody", "slot/melody", "i" + 64 * "iff"),
    ("structure", "slot/structure", "is"),
    ("loop", "slot/loop", "if"),
    ("clear", "slot/clear", "is"),
    ("render", "render", "i"),
    ("cancel", "cancel", "i"),
)
# The same for what belongs to no slot: one text, of one word or of several.
TEXTS = (("scene", "scene/recall"), ("scene-save", "scene/save"))
EXAMPLES = (
    "pd dsp 1",
    "ditto-slot 0",
    "ditto-tags dark techno",
    "ditto-tempo 120 8",
    "ditto-seed 1",
    "ditto-intensity 0 -30 8 -12",
    "ditto-automation 2.5 -20",
    "ditto-melody 60 0 2 63 2 2 67 4 4",
    "ditto-structure AABA",
    "ditto-loop 0.5",
    "ditto-clear all",
    "ditto-render bang",
    "ditto-cancel bang",
    "ditto-play 1",
    "ditto-play 0",
    "ditto-scene-save verse",
    "ditto-scene verse",
)


# Several words become one string: the text of the list, byte by byte.
ONE_TEXT = ("list", "list trim", "fudiformat -u", "list tosymbol")


@dataclass
class Canvas:
    """A Pure Data canvas that grows: objects from top to bottom, cords by index."""

    head: str
    rows: list[str] = field(default_factory=list)
    cords: list[str] = field(default_factory=list)
    x: int = 20
    y: int = 20

    def add(self, text: str, kind: str = "obj") -> int:
        """Add an object below the last one; return its index."""
        escaped = text.replace(",", " \\,").replace("$", "\\$")
        self.rows.append(f"#X {kind} {self.x} {self.y} {escaped};")
        self.y += STEP
        return len(self.rows) - 1

    def column(self, x: int) -> None:
        """Begin a new column."""
        self.x, self.y = x, 20

    def wire(self, source: int, target: int, outlet: int = 0, inlet: int = 0) -> None:
        """Draw a cord."""
        self.cords.append(f"#X connect {source} {outlet} {target} {inlet};")

    def chain(self, source: int, *targets: str | int, outlet: int = 0) -> int:
        """Draw cords from `source` through all `targets`; add those given as text.

        Text that begins with "msg " is a message box.
        """
        for target in targets:
            if isinstance(target, str):
                message = target.startswith("msg ")
                target = self.add(target.removeprefix("msg "), "msg" if message else "obj")
            self.wire(source, target, outlet)
            source, outlet = target, 0
        return source

    def text(self) -> str:
        """Return the canvas as a file holds it."""
        return "\n".join([self.head, *self.rows, *self.cords]) + "\n"


def client() -> bytes:
    """Return ditto.pd: what may be clicked, over the engine that talks to the daemon."""
    c = Canvas("#N canvas 40 40 520 700 12;")
    c.add("ditto-rt: click a line, or change it first.", "text")
    c.add("Start the daemon with ditto-rt serve, and pd with -r 48000.", "text")
    for example in EXAMPLES:
        c.rows.append(f"#X msg {c.x} {c.y} \\; {example};")
        c.y += STEP
    c.rows.append(f"{_engine().text().rstrip()}\n#X restore {c.x} {c.y} pd engine;")
    c.column(300)
    for name in ("progress", "loss"):
        c.add(name, "text")
        c.rows.append(f"#X floatatom {c.x} {c.y} 8 0 0 0 - \\$0-{name} -;")
        c.y += STEP
    return c.text().encode()


def _engine() -> Canvas:
    c = Canvas("#N canvas 600 40 900 700 engine 0;")
    _network(c)
    c.column(300)
    for name, address, types in COMMANDS:
        came = c.add(f"r ditto-{name}")
        if name == "tags":
            came = c.chain(came, *ONE_TEXT)
        slotted = c.chain(came, "list prepend 0")
        c.chain(slotted, f"oscformat -f {types} ditto {address.replace('/', ' ')}", "s $0-out")
        c.wire(c.add("r $0-slot"), slotted, inlet=1)
    for name, address in TEXTS:
        # A name that is a number comes as one, which has no text of its own.
        split = c.chain(c.add(f"r ditto-{name}"), "route float")
        words = c.chain(split, *ONE_TEXT, "list", outlet=1)
        c.wire(c.chain(split, "makefilename %g"), words)
        c.chain(words, f"oscformat -f s ditto {address.replace('/', ' ')}", "s $0-out")
    return c


def _network(c: Canvas) -> None:
    send = c.chain(c.add("r $0-out"), "list prepend send", "list trim", "netsend -u -b")
    connect = c.chain(c.add("r ditto-connect"), "t b a b")
    # A netsend that is connected keeps its peer: let go first.
    c.wire(c.chain(connect, "msg disconnect", outlet=2), send)
    c.wire(c.chain(connect, "list prepend connect", "list trim", outlet=1), send)
    port = c.add(f"f {PORT}")
    c.chain(port, "list prepend 1", "list append pd", "oscformat -f iis ditto notify", "s $0-out")
    c.wire(connect, port)
    receive = c.add(f"netreceive -u -b {PORT}")
    listen = c.chain(c.add("r ditto-listen"), "t f f")
    c.chain(listen, "msg listen $1", receive, outlet=1)
    c.wire(listen, port)
    c.chain(c.add("r ditto-slot"), "s $0-slot")
    # Every five seconds, so that a daemon that was started again learns of this patch.
    begin = c.chain(c.add("loadbang"), "t b b")
    c.chain(begin, f"msg list {HOST} {DAEMON_PORT}", connect, outlet=1)
    tick = c.chain(begin, "metro 5000", "t b b")
    c.wire(tick, port, outlet=1)
    c.chain(tick, "oscformat ditto status", "s $0-out")
    _replies(c, receive)


def _replies(c: Canvas, receive: int) -> None:
    kinds = c.chain(receive, "oscparse", "list trim", "route ditto", "route progress take")
    shown = c.add("print ditto")
    c.wire(kinds, shown, outlet=2)
    c.chain(kinds, "list prepend take", "list trim", shown, outlet=1)
    slots = [c.chain(kinds, "route 0", outlet=n) for n in (0, 1)]
    slot = c.add("r $0-slot")
    for route in slots:
        c.wire(slot, route, inlet=1)
    values = c.chain(slots[0], "unpack f f")
    c.chain(values, "s $0-progress")
    c.chain(values, "s $0-loss", outlet=1)
    take = c.chain(slots[1], "unpack f s f f f")
    loaded = c.chain(take, "list prepend load", "list trim", "ditto_loop", outlet=1)
    c.chain(c.add("r ditto-play"), "list prepend play", "list trim", loaded)
    c.wire(loaded, shown, outlet=1)
    out = c.chain(loaded, "dac~ 1 2")
    c.wire(loaded, out, inlet=1)


def loop() -> bytes:
    """Return ditto_loop.pd, the player: `load PATH`, `play 0` or `play 1` in; sound and news out.

    A counter reads two tables, so a new take comes in at the loop's end in 20 ms. `phasor~` is no
    such counter: over 384,000 samples it is 7 samples short.
    """
    c = Canvas("#N canvas 40 40 900 700 12;")
    # Outlets count from left to right: the sound's, at the end of the first column, comes first.
    c.column(500)
    news = c.add("outlet")
    c.column(20)
    command, sound = c.chain(c.add("inlet"), "route load play"), c.add("*~")
    # The index of each sample: 0, 1, ... N-1, 0, ... Until the first take N is a tenth of a second.
    count = c.chain(c.add("sig~ 1"), "rpole~ 1")
    index = c.chain(count, "expr~ fmod($v1-1, max($f2, 4800))")
    wrapped = _wraps(c, index, count)
    armed = c.chain(wrapped, "spigot 0")
    swap = c.chain(armed, "t b b b b")
    c.wire(c.chain(swap, "msg 0", outlet=3), armed, inlet=1)
    frames, active = c.add("f"), c.add("f 0")
    c.wire(swap, frames, outlet=2)
    c.wire(frames, index, inlet=1)
    c.wire(swap, active, outlet=1)
    c.chain(swap, "msg swapped", news)
    told = c.chain(active, "== 0", "t f f f f")
    c.wire(told, active, outlet=3, inlet=1)
    gates = [c.add("spigot 0"), c.add("spigot 1")]
    c.wire(told, gates[0], outlet=2, inlet=1)
    c.wire(c.chain(told, "== 0", outlet=1), gates[1], inlet=1)
    fade = c.chain(told, "msg $1 20", "line~")
    read = c.chain(command, "list prepend read -resize")
    file = c.add("soundfiler")
    for gate, letter, gain in zip(gates, "ab", ("max(0, 1-$v1)", "max(0, $v1)"), strict=True):
        c.add(f"table $0-{letter} 4800")
        c.chain(read, gate, f"list append $0-{letter}", "list trim", file)
        voice = c.chain(index, f"tabread~ $0-{letter}", "*~")
        c.wire(c.chain(fade, f"expr~ sqrt({gain})"), voice, inlet=1)
        c.wire(voice, sound)
    _report(c, file, frames, armed, news)
    level = c.chain(command, "msg $1 20", "line~", outlet=1)
    c.wire(level, sound, inlet=1)
    c.chain(c.add("loadbang"), "msg 1", level - 1)
    c.chain(sound, "outlet~")
    return c.text().encode()


def _wraps(c: Canvas, index: int, count: int) -> int:
    """Lay what bangs after the index fell; it also starts the counter afresh at the same place.

    A 32-bit float counts exactly up to 2^24 only, 349 s.
    """
    last = c.chain(c.add("bang~"), "snapshot~", "t f f f")
    c.wire(index, last - 1)
    kept = c.add("f")
    c.wire(last, kept, outlet=2, inlet=1)
    fell = c.chain(last, "expr $f1 < $f2", outlet=1)
    c.wire(last, fell, inlet=1)
    order = c.chain(fell, "sel 1", "t b b")
    c.wire(order, kept, outlet=1)
    c.chain(kept, "+ 1", "msg set $1", count)
    return order


def _report(c: Canvas, file: int, frames: int, armed: int, news: int) -> None:
    """Lay what a file that was read sets off: arm the exchange, tell its length and rate."""
    rate, told = c.chain(file, "unpack f", outlet=1), c.add("pack f f")
    kept = c.add("f")
    c.wire(rate, told, inlet=1)
    c.wire(rate, kept, inlet=1)
    some = c.chain(c.chain(file, "moses 1"), "t b b f f", outlet=1)
    c.wire(some, frames, outlet=3, inlet=1)
    c.wire(some, told, outlet=2)
    c.chain(told, "list prepend loaded", "list trim", news)
    both = c.chain(some, "t b b", outlet=1)
    other = c.chain(kept, "!= 0")
    c.wire(c.chain(both, "samplerate~", outlet=1), other, inlet=1)
    c.wire(both, kept)
    c.chain(other, "sel 1", "msg wrong_rate start pd with -r and the rate of the take", news)
    c.wire(c.chain(some, "msg 1"), armed, inlet=1)
