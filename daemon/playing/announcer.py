"""What registered clients hear about playing: each change of a slot, and a heartbeat a second.

One task of the event loop. Nothing is sent twice; a change is told when it is planned, and again
when it comes about.
"""

import asyncio
import time

from daemon.osc.arguments import Value
from daemon.osc.outbox import Outbox
from daemon.playing.stage import NOTHING, Stage
from daemon.takes.slots import SLOTS

HEARTBEAT_S = 1.0
SILENT: tuple[Value, ...] = (0, 0, NOTHING, float(NOTHING))


class Announcer:
    """Watches a stage and tells what changes. Owned by the event loop."""

    def __init__(self, stage: Stage, outbox: Outbox) -> None:
        """Be woken by the stage from now on."""
        self._stage, self._outbox = stage, outbox
        self._told: list[tuple[Value, ...]] = [(slot, *SILENT) for slot in range(SLOTS)]
        self._changed = asyncio.Event()
        self._due_s = 0.0
        stage.changed = self._changed.set

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            self.tell(time.monotonic())
            try:
                await asyncio.wait_for(self._changed.wait(), self._pause_s())
            except TimeoutError:
                continue
            self._changed.clear()

    def tell(self, now_s: float) -> None:
        """Send what is new since the last time, and the heartbeat where it is due."""
        for slot in range(SLOTS):
            state = self._stage.state(slot)
            if state != self._told[slot]:
                self._told[slot] = state
                self._outbox.event("/ditto/slot/state", *state)
        if now_s >= self._due_s:
            self._due_s = now_s + HEARTBEAT_S
            stage = self._stage
            self._outbox.event(
                "/ditto/heartbeat",
                float(stage.transport.beat_at(stage.now())),
                float(stage.transport.bpm),
                int(stage.transport.running),
                stage.output.state,
                stage.clock.underruns,
            )

    def _pause_s(self) -> float:
        pause_s = self._due_s - time.monotonic()
        frame = self._stage.next_change()
        if frame is not None:
            ahead = frame - self._stage.now()
            pause_s = min(pause_s, ahead / self._stage.transport.rate_hz)
        return max(0.001, pause_s)
