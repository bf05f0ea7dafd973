"""How the audio process is. Frozen: whoever hears of a change makes another one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Output:
    """State off, starting, on, or none where there is nothing to play on; `text` says why."""

    state: str
    text: str = ""
    device: str = ""
    latency_s: float = 0.0

    @property
    def can_be_heard(self) -> bool:
        """Whether there is, or may soon be, something to play on."""
        return self.state not in ("off", "none")
