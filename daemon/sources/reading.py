"""What a source of time says, and what the conductor may ask of one."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Reading:
    """A source at one moment: beat `beat` at `at_ns` of the monotonic clock, in the tempo `bpm`.

    is_live: whether that can be followed; where it is False `text` says why, and the rest is old.
    bpm_error: the tempo's standard error. running: None where the source does not say.
    cycle: in beats; the beat is known to within a multiple of it. 0: only the tempo is known,
    None: the beat is known.
    """

    is_live: bool
    at_ns: int
    text: str = ""
    beat: float = 0.0
    bpm: float = 0.0
    bpm_error: float = 0.0
    running: bool | None = None
    cycle: float | None = None
    peers: int = 0


class Source(Protocol):
    """Something that the transport can follow. All methods belong to the event loop."""

    def read(self, now_ns: int) -> Reading:
        """Return where it is now; waits for nothing."""

    def wish_tempo(self, bpm: float) -> None:
        """Set its tempo, because the user asks for it. Raises Refusal where it has a master."""

    def wish_running(self, running: bool) -> None:
        """Start or stop it, because the user asks for it; one with a master does nothing."""

    def close(self) -> None:
        """Let it go."""
