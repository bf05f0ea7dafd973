"""The player: two buffers read by one phase, so that a new take comes in exactly where the old is.

`groove~` would keep a position of its own in each buffer and be off by a signal vector after each
exchange; `play~` follows the phase, and the exchange is nothing but a crossfade.
"""

from max_parts import Device, choice, number
from maxwriter import MESSAGE, Box

FADE_MS = 20
TICKS_PER_BEAT = 480


def player(d: Device) -> Box:
    """Lay the player and return its phase; the last box is heard, both channels alike."""
    p, take = d.patch, d.named["take"]
    p.column("player")
    # Live takes a period given as arguments for 0 Hz; as an attribute it follows the song.
    phase = p.add(
        f"phasor~ @frequency {8 * TICKS_PER_BEAT} ticks @lock 1" if d.live else "phasor~ 4"
    )
    swap, pending = p.add("onebang"), p.add("f")
    # At the end of the phase, not before, the take that waits in the idle buffer is faded in.
    p.chain(phase, "delta~", "<~ -0.5", "edge~", swap)
    order = p.chain(swap, "t b b")
    p.wire((order, 1), pending)
    told = p.chain(order, "toggle", "t i i")
    idle, lengths, paths = p.chain((told, 1), "expr 2-$i1"), p.add("gate 2 2"), p.add("gate 2 2")
    p.wire(idle, lengths, paths)
    length_ms = p.add("expr $f1*1000./$f2")
    p.wire((take, 3), (length_ms, 1))
    p.wire((take, 2), length_ms)
    p.wire(length_ms, (lengths, 1))
    p.wire(p.chain((take, 1), "prepend replace"), (paths, 1))
    if d.live:
        beats = p.add("f 8.")
        p.wire(d.beats, (beats, 1))
        p.wire(p.chain(take, "t b", beats, f"* {TICKS_PER_BEAT}."), (pending, 1))
        p.chain(pending, p.add("frequency $1 ticks", MESSAGE), phase)
    else:
        p.wire(p.chain(length_ms, "!/ 1000."), (pending, 1))
        p.wire(pending, phase)
    ready, mix = _voices(d, phase, told, (lengths, paths))
    p.wire((ready, 1), (swap, 1))
    _output(d, mix, ready, swap)
    return phase


def _voices(d: Device, phase: Box, told: Box, gates: tuple[Box, Box]) -> tuple[Box, Box]:
    """Lay both buffers; return what is banged when one is read, and their crossfaded sum."""
    p, name = d.patch, "---ditto" if d.live else "ditto"
    fade = p.chain(told, p.add(f"$1 {FADE_MS}", MESSAGE), "line~")
    gains = (p.chain(fade, "!-~ 1.", "sqrt~"), p.chain(fade, "sqrt~"))
    ready, mix = p.add("t b b"), p.add("*~ 1.")
    for n, gain in enumerate(gains):
        buffer = p.add(f"buffer~ {name}_{'ab'[n]}")
        p.wire((gates[1], n), buffer)
        p.wire((buffer, 1), ready)
        position = p.chain(phase, "*~ 0.")
        p.wire((gates[0], n), (position, 1))
        voice = p.chain(position, f"play~ {name}_{'ab'[n]} 1", "*~")
        p.wire(gain, (voice, 1))
        p.wire(voice, mix)
    return ready, mix


def _output(d: Device, mix: Box, ready: Box, swap: Box) -> None:
    p = d.patch
    p.column("output")
    on = choice("off", "on", initial=1, lane=1)
    play = p.control("live.text", "Play", (426, 108, 100, 16), on, text="Play", texton="Playing")
    gain = p.control("live.gain~", "Gain", (660, 20, 40, 124), number(-70, 6, 0, unit=4, lane=1))
    level = p.add(f"$1 {FADE_MS}", MESSAGE)
    gated = p.add("*~")
    p.wire(p.chain(level, "line~"), (gated, 1))
    p.wire(p.chain(mix, gated), gain, (gain, 1))
    out = p.add("plugout~") if d.live else p.shown("ezdac~", (716, 24, 40, 40))
    p.wire(gain, out)
    p.wire((gain, 1), (out, 1))
    if not d.live:
        p.wire(play, level)
        return
    through = p.add("plugin~")
    p.wire(through, out)
    p.wire((through, 1), (out, 1))
    # A silent take needs no boundary: while the song stands, it is exchanged at once.
    running, both, still = p.chain(d.named["sync"], "change"), p.add("* 0"), p.add("gate 1 1")
    p.chain(running, both, level)
    button = p.chain(play, "t b i")
    p.wire((button, 1), (both, 1))
    p.wire(button, both)
    p.wire(p.chain(running, "== 0"), still)
    p.wire(ready, (still, 1))
    p.wire(still, swap)
    p.chain(running, "sel 0", swap)


def learning(d: Device, phase: Box) -> None:
    """Lay the Intensity dial: a flat level, or, with Learn, what its automation does in a loop.

    Half a beat is one breakpoint; each pass of the loop sends the pass before it. With Stream the
    dial is sent with its beat 50 times a second while the song runs, and the daemon renders anew.
    """
    p = d.patch
    p.column("learn")
    dial = p.control("live.dial", "Intensity", (302, 42, 46, 50), number(-60, 0, -20, 4, lane=1))
    switch = choice("off", "on", lane=1)
    learn = p.control(
        "live.text", "Learn", (302, 100, 46, 16), switch, text="Learn", texton="Learn"
    )
    step, steps = p.add("expr int($f1*$f2*2.)"), p.add("gate")
    p.wire(d.beats, (step, 1))
    phase_now = p.chain(phase, "snapshot~ 20")
    p.wire(phase_now, step)
    p.wire(learn, steps)
    p.wire(step, (steps, 1))
    split = p.chain(steps, "change -1", "t i i")
    points, pair = p.add("zl.group 1000 @zlmaxsize 1024"), p.add("pack 0. 0.")
    p.chain((split, 1), "sel 0", points)
    p.chain(split, "* 0.5", pair, points)
    p.wire(dial, (pair, 1))
    p.wire(points, (d.named["curve gate"], 1))
    stream = p.control("live.text", "Stream", (302, 120, 46, 16), switch, text="Stream")
    beat, running = p.add("expr $f1*$f2"), p.add("gate")
    p.wire(d.beats, (beat, 1))
    p.wire(phase_now, beat)
    p.wire(stream, running)
    p.wire(p.chain(beat, "change -1."), (running, 1))
    written = d.packed("/ditto/automation", "0. -20.")
    p.wire(dial, (written, 2))
    d.feed(running, written, 1, "f")
    flat = p.chain(learn, "== 0", "gate 1 1")
    p.wire(p.chain(dial, "speedlim 250"), (flat, 1))
    p.wire(p.chain(flat, p.add("0. $1", MESSAGE)), (d.named["curve gate"], 1))
