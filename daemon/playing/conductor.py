"""What the transport follows: its own clock, Ableton Link, or MIDI clock. One task of the loop.

Ten times a second it asks the source where it is and steers the stage's transport there. A change
of source, and whatever else makes the two differ by JUMP_S or more, is one jump that is announced
with its size; less is caught up without one. A source that falls silent is told, and the transport
runs on in its last tempo.
"""

import asyncio
import logging
import time
from dataclasses import replace
from fractions import Fraction

from daemon.config import Transport as Settings
from daemon.errors import Refusal
from daemon.osc.arguments import Value
from daemon.osc.outbox import Outbox
from daemon.playing.following import (
    JUMP_S,
    Heading,
    alone,
    error_s,
    grain,
    nearest,
    placed,
    plain_bpm,
    steered,
)
from daemon.playing.stage import Stage
from daemon.sources.reading import Reading, Source
from ditto_rt.limits import BPM
from ditto_rt.timing import exact

STEP_S = 0.1
AGAIN_S = 5.0
OWN, LINK, MIDI = "own", "link", "midi"
NO_CYCLE: float | None = None

log = logging.getLogger(__name__)


class Conductor:
    """Who leads. Owned by the event loop, as the stage is."""

    def __init__(self, stage: Stage, outbox: Outbox, settings: Settings) -> None:
        """Lead by the own clock at first; `run` opens what the settings name."""
        self._stage, self._outbox, self._settings = stage, outbox, settings
        stage.transport = replace(stage.transport, bpm=exact(settings.bpm))
        self.source = OWN
        self.state, self.text, self.peers, self.error_s = OWN, "", 0, 0.0
        self._leader: Source | None = None
        self._wanted: str = settings.source
        self._one = asyncio.Lock()
        # What is added to the source's beat, and the cycle within which that was chosen; is_new:
        # it is to be chosen again.
        self._shift, self._cycle, self._is_new = Fraction(0), NO_CYCLE, True
        self._ran: bool | None = None
        self._resumes = False

    async def run(self) -> None:
        """Follow until cancelled."""
        again_s = 0.0
        while True:
            if self._wanted != self.source and time.monotonic() >= again_s:
                again_s = time.monotonic() + AGAIN_S
                await self._try_wanted()
            self.step(time.monotonic_ns())
            await asyncio.sleep(STEP_S)

    async def use(self, source: str) -> None:
        """Follow another source from now on. Raises Refusal where it cannot be had."""
        async with self._one:
            await self._change(source)
            self._wanted = source

    def close(self) -> None:
        """Let the source go."""
        if self._leader:
            self._leader.close()
            self._leader = None

    def step(self, now_ns: int) -> None:
        """Bring the transport nearer to its source."""
        if self._leader is None:
            return
        reading = self._leader.read(now_ns)
        if reading.is_live and (problem := BPM.problem("tempo of the source", reading.bpm)):
            reading = replace(reading, is_live=False, text=problem)
        self.peers = reading.peers
        if reading.is_live:
            self._follow(reading)
            self._say("following", reading.text)
            return
        if self.state == "following":
            self._let_go()
        state = "lost" if self.state in ("following", "lost") else "joining"
        tail = f"the transport runs on at {float(self._stage.transport.bpm):g} bpm"
        self._say(state, f"{reading.text}; {tail}")

    def set_tempo(self, bpm: float, due_ns: int | None) -> float:
        """Change the tempo of whoever has it; return the beat from which on. Raises Refusal."""
        if self._leader:
            self._leader.wish_tempo(bpm)
        return self._stage.set_tempo(bpm, due_ns)

    def retime(self, bpm: float, at: int) -> None:
        """Change the tempo of whoever has it, from a frame on that has just passed.

        Raises Refusal.
        """
        if self._leader:
            self._leader.wish_tempo(bpm)
        self._stage.retime(bpm, at)

    def start(self, beat: float | None, due_ns: int | None) -> float:
        """Let the beat run, from where the source is. Raises Refusal for another beat than that."""
        if self._leader:
            if beat is not None:
                raise self._knows_better()
            self._leader.wish_running(True)
            self._resumes = self._is_new = True
            self.step(time.monotonic_ns())
            if self._stage.transport.running:
                return float(self._stage.transport.beat_at(self._stage.soon(due_ns)))
        return self._stage.start(beat, due_ns)

    def halt(self, due_ns: int | None) -> float:
        """Let the beat stand still and all slots be silent; return it."""
        if self._leader:
            self._leader.wish_running(False)
        return self._stage.halt(due_ns)

    def move(self, beat: float, due_ns: int | None) -> float:
        """Say which beat it is now. Raises Refusal where the source knows that."""
        if self._leader and self._cycle != 0:
            raise self._knows_better()
        self._is_new = True
        return self._stage.move(beat, due_ns)

    def values(self) -> tuple[Value, ...]:
        """Return the values of /ditto/transport.reply."""
        transport = self._stage.transport
        return (
            self.source,
            float(transport.bpm),
            float(transport.beat_at(self._stage.now())),
            int(transport.running),
            self.state,
            self.peers,
            self.error_s * 1000,
            self.text,
        )

    async def _try_wanted(self) -> None:
        async with self._one:
            try:
                if self._wanted != self.source:
                    await self._change(self._wanted)
            except Refusal as refusal:
                self._say("missing", f"{refusal}; the transport runs by itself")

    async def _change(self, source: str) -> None:
        if source == self.source:
            # The same again: its port must be free first.
            self._settle(OWN, None)
        self._settle(source, await self._opened(source))

    async def _opened(self, source: str) -> Source | None:
        if source == LINK:
            from daemon.sources.link import LinkSource

            return LinkSource(float(self._stage.transport.bpm), self._settings.link_start_stop)
        if source == MIDI:
            from daemon.sources.midi import MidiSource

            port, api = self._settings.midi_port, self._settings.midi_api
            return await asyncio.to_thread(MidiSource, port, api)
        return None

    def _settle(self, source: str, leader: Source | None) -> None:
        self.close()
        self.source, self._leader, self.peers = source, leader, 0
        self._let_go()
        self._ran, self._cycle = None, NO_CYCLE
        self._say("joining" if leader else OWN, f"{source} is not heard yet" if leader else "")

    def _follow(self, reading: Reading) -> None:
        transport = self._stage.transport
        heading = self._heading(reading)
        if self.state != "following":
            self._ran = reading.running
        ran, self._ran = self._ran, reading.running
        resumes, self._resumes = self._resumes, False
        if reading.running is False and ran is not False and transport.running:
            self._stage.halt()
        elif transport.running:
            self._steer(reading, heading)
        elif resumes or (reading.running and not ran):
            self._stage.follow(placed(transport, heading, heading.frame))
        else:
            self._stage.follow(replace(transport, bpm=heading.bpm))

    def _heading(self, reading: Reading) -> Heading:
        """Return where the source is on the frame that is due now, in the transport's count."""
        stage = self._stage
        transport, now = stage.transport, stage.now()
        bpm = plain_bpm(reading.bpm, reading.bpm_error, transport.bpm)
        heard = stage.heard_at(reading.at_ns + round(self._settings.offset_ms * 1e6))
        beat = grain(reading.beat) + (now - heard) * bpm / (60 * transport.rate_hz)
        if self._is_new or self.state != "following" or reading.cycle != self._cycle:
            self._cycle, self._is_new = reading.cycle, False
            self._shift = nearest(transport.beat_at(now) - beat, reading.cycle)
        return Heading(now, grain(beat + self._shift), bpm)

    def _steer(self, reading: Reading, heading: Heading) -> None:
        """Follow without a jump where that can be, also by counting on from another cycle."""
        transport = self._stage.transport
        error = error_s(transport, heading)
        if abs(error) > JUMP_S:
            whole = nearest(error * heading.bpm / 60, reading.cycle)
            self._shift = grain(self._shift - whole)
            heading = replace(heading, beat=grain(heading.beat - whole))
            error = error_s(transport, heading)
        self.error_s = float(error)
        if abs(error) <= JUMP_S:
            self._stage.follow(steered(transport, heading))
            return
        at = self._stage.soon()
        self._stage.follow(placed(transport, heading, at), jumps=True)
        came, goes = float(transport.beat_at(at)), float(self._stage.transport.beat_at(at))
        text = "the transport jumps by %.3f beats, from %.3f to %.3f, to where %s is"
        log.warning(text, goes - came, came, goes, self.source)
        self._outbox.event("/ditto/transport/jumped", came, goes, goes - came)

    def _let_go(self) -> None:
        self.error_s, self._is_new = 0.0, True
        self._stage.follow(alone(self._stage.transport, self._stage.now()))

    def _say(self, state: str, text: str) -> None:
        """Tell clients and the log what is new about the source."""
        if (state, text) == (self.state, self.text):
            return
        self.state, self.text = state, text
        level = logging.WARNING if state in ("missing", "lost") else logging.INFO
        log.log(level, "transport: %s %s%s", self.source, state, text and f": {text}")
        self._outbox.event("/ditto/transport.reply", *self.values())

    def _knows_better(self) -> Refusal:
        text = f"the transport follows {self.source}, which knows the beat"
        return Refusal("bad_value", f"{text}; allowed: /ditto/transport/source own, then a beat")
