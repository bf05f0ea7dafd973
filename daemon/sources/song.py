"""MIDI clock, start, stop, continue and song position -> where a song is. Frozen and pure.

Source: MIDI 1.0, "System Real Time Messages" and "Song Position Pointer": after a start or a
continue the song moves with the next clock; a song position counts sixteenths, 6 clocks each.
"""

from dataclasses import dataclass, field, replace

from daemon.sources.reading import Reading
from daemon.sources.ticks import SILENCE_S, TICKS_PER_BEAT, Ticks

TICKS_PER_POSITION = 6


@dataclass(frozen=True)
class Song:
    """Where a MIDI master is.

    running: None until it says so. next_tick: the number that the next clock will have in the
    song, None where it simply goes on. is_placed: whether the numbers are the song's.
    """

    ticks: Ticks = field(default_factory=Ticks)
    running: bool | None = None
    next_tick: int | None = None
    is_placed: bool = False
    starts: bool = False

    def with_message(self, kind: str, at_s: float, position: int = 0) -> "Song":
        """Return it after a message, by mido's names; position: of songpos, in sixteenths.

        Only clock, start, stop, continue and songpos change anything.
        """
        match kind:
            case "clock":
                return self._with_clock(at_s)
            case "start":
                return replace(self, next_tick=0, starts=True)
            case "continue":
                return replace(self, starts=True)
            case "songpos":
                return replace(self, next_tick=position * TICKS_PER_POSITION)
            case "stop":
                # It goes on from here with the next continue.
                here = self.ticks.number + 1 if self.is_placed and self.running else None
                next_tick = self.next_tick if here is None else here
                return replace(self, running=False, starts=False, next_tick=next_tick)
        return self

    def reading(self, at_ns: int, port: str) -> Reading:
        """Return where it is at a time of the monotonic clock."""
        at_s, line = at_ns / 1e9, self.ticks.line
        if not self.ticks.seen:
            return Reading(False, at_ns, f"MIDI port {port} has not sent a clock yet")
        if at_s - self.ticks.seen[-1][1] > SILENCE_S:
            return Reading(False, at_ns, f"MIDI port {port} sends no clock any more")
        if line is None:
            return Reading(False, at_ns, f"MIDI port {port} has just begun to send its clock")
        moves = self.is_placed and self.running is not False
        return Reading(
            True,
            at_ns,
            "" if self.is_placed else f"MIDI port {port} has not said where its song is",
            line.tick_at(at_s) / TICKS_PER_BEAT,
            line.bpm,
            line.bpm_error,
            self.running,
            None if moves else 0.0,
            1,
        )

    def _with_clock(self, at_s: float) -> "Song":
        ticks = self.ticks.with_tick(at_s)
        stands = self.running is not True and not self.starts
        running = True if self.starts else self.running
        if self.next_tick is None or stands:
            return replace(self, ticks=ticks, running=running, starts=False)
        return Song(ticks.renumbered(self.next_tick), running, is_placed=True)
