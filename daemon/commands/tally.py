"""What has been asked and refused since the start: plain counts, owned by the event loop."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field

from daemon.protocol.messages import COMMANDS

RATE_SPAN_S = 10
OTHER = "other"


@dataclass
class Tally:
    """Counts by name. Only names of the protocol's table become labels: others are `OTHER`."""

    datagrams: int = 0
    commands: Counter[str] = field(default_factory=Counter)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    _seconds: deque[tuple[int, int]] = field(
        default_factory=lambda: deque(maxlen=RATE_SPAN_S + 1), repr=False
    )

    def command(self, address: str) -> None:
        """Count a command that is carried out."""
        self.commands[address] += 1

    def datagram(self, now_s: float) -> None:
        """Count a datagram that was taken out of the mailbox."""
        self.datagrams += 1
        second = int(now_s)
        if self._seconds and self._seconds[-1][0] == second:
            second, count = self._seconds.pop()
            self._seconds.append((second, count + 1))
        else:
            self._seconds.append((second, 1))

    def failure(self, command: str, code: str) -> None:
        """Count a /ditto/fail."""
        self.failures[command if command in COMMANDS else OTHER, code] += 1

    def datagrams_per_s(self, now_s: float | None = None) -> float:
        """Return the mean over the last RATE_SPAN_S whole seconds."""
        last = int(time.monotonic() if now_s is None else now_s)
        return sum(n for at, n in self._seconds if last - RATE_SPAN_S <= at < last) / RATE_SPAN_S
