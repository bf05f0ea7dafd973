"""Live automation: a stream becomes a slot's intensity curve, is heard at once, then rendered.

Owned by the control process's event loop. The handler only writes a cell of a lane; a task turns
lanes into curves some 30 times a second, aims the player at them, and asks for takes where a curve
has moved far enough. Curves that were drawn or came back with a scene are aimed at, too.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from daemon import config
from daemon.errors import Refusal
from daemon.live.lane import Lane, distance_db
from daemon.osc.outbox import Asker, Outbox
from daemon.playing.stage import Stage
from daemon.playing.timeline import points_of
from daemon.rendering.desk import Desk
from daemon.takes.slots import SLOTS, changed
from ditto_rt.spec import Intensity, Job

PERIOD_S = 0.03
ADDRESS = "/ditto/automation"

log = logging.getLogger(__name__)


@dataclass
class Track:
    """A slot that is automated: its lane, and what was there before.

    curve: the slot's while nobody else has set one. written: there is more in the lane. moved: the
    curve may be worth a take. due_s: when the next take may be asked for.
    """

    lane: Lane
    drawn: Intensity | None
    curve: Intensity | None
    asker: Asker
    written: bool = False
    moved: bool = False
    due_s: float = float("-inf")


class Automation:
    """The lanes of all slots."""

    def __init__(
        self, desk: Desk, stage: Stage, outbox: Outbox, settings: config.Automation
    ) -> None:
        """Begin with no lane."""
        self._desk, self._stage, self._outbox = desk, stage, outbox
        self._settings = settings
        self._tracks: dict[int, Track] = {}
        # Of such a slot the next segment follows the curve: there is no take to make anew.
        self.is_endless: Callable[[int], bool] = lambda _: False
        self._aimed: list[Intensity | None] = [None] * SLOTS

    def write(self, slot: int, beat: float, db: float, asker: Asker) -> float:
        """Lay a value on a beat of the slot's loop; return where that is in the loop."""
        track = self._track(slot, asker)
        track.written, track.asker = True, asker
        return track.lane.write(beat, db, time.monotonic())

    def clear(self, slot: int) -> int:
        """Forget the slot's lane; return how many points the curve has that is back."""
        track = self._tracks.pop(slot, None)
        held = self._desk.slots[slot]
        if track and held.intensity is track.curve:
            self._desk.slots[slot] = changed(held, intensity=track.drawn)
            if track.drawn:
                lane = Lane(held.beats, track.drawn)
                self._tracks[slot] = Track(lane, track.drawn, track.drawn, track.asker, moved=True)
        curve = self._desk.slots[slot].intensity
        return len(curve.points) if curve else 0

    def is_automated(self, slot: int) -> bool:
        """Return whether the slot's curve came out of a stream."""
        track = self._tracks.get(slot)
        return bool(track and track.curve is not track.drawn and self._is_current(slot, track))

    async def run(self) -> None:
        """Work lanes off until cancelled."""
        while True:
            self.tick(time.monotonic())
            await asyncio.sleep(PERIOD_S)

    def tick(self, now_s: float) -> None:
        """Do for all slots what has become due."""
        self.settle()
        self._aim()
        for slot, track in self._tracks.items():
            if track.moved and now_s >= track.due_s:
                self._follow(slot, track, now_s)

    def settle(self) -> None:
        """Turn what was written into the slots' curves, before a command that may read them."""
        for slot, track in list(self._tracks.items()):
            if not self._is_current(slot, track):
                del self._tracks[slot]
            elif track.written:
                track.curve = track.lane.curve()
                self._desk.slots[slot] = changed(self._desk.slots[slot], intensity=track.curve)
                track.written, track.moved = False, True

    def _track(self, slot: int, asker: Asker) -> Track:
        """Return the slot's track; begin one where there is none, or where its loop is another."""
        held, track = self._desk.slots[slot], self._tracks.get(slot)
        if track is None or not self._is_current(slot, track):
            track = Track(Lane(held.beats, held.intensity), held.intensity, held.intensity, asker)
            self._tracks[slot] = track
        elif track.lane.beats != held.beats:
            track.lane = Lane(held.beats, held.intensity)
        return track

    def _is_current(self, slot: int, track: Track) -> bool:
        return self._desk.slots[slot].intensity is track.curve

    def _aim(self) -> None:
        """Let the player move what it plays to the slots' curves."""
        if not self._settings.ride:
            return
        for slot, held in enumerate(self._desk.slots):
            if held.intensity is not self._aimed[slot]:
                self._aimed[slot] = held.intensity
                self._stage.aim(slot, points_of(held.intensity), slot in self._tracks)

    def _follow(self, slot: int, track: Track, now_s: float) -> None:
        """Ask for a take where the curve is far from what the slot's take was or will be made for.

        It is that take again with another curve: what else was set since waits for a /ditto/render.
        Without a deadline, for the search should go on as long as the curve stays; meanwhile the
        player rides.
        """
        waiting = self._desk.line.of(slot)
        if self.is_endless(slot):
            return
        if waiting and not waiting.warm:
            # Somebody waits for that take.
            return
        track.moved = False
        asked = waiting.job if waiting else self._plays(slot)
        if asked is None or not self._settings.most_per_minute:
            return
        if distance_db(asked.intensity, track.curve, asked.beats) < self._settings.threshold_db:
            return
        track.due_s = now_s + 60.0 / self._settings.most_per_minute
        job = asked.model_copy(update={"intensity": track.curve})
        try:
            self._desk.submit(slot, Asker((), ADDRESS), job, warm=True)
        except Refusal as refusal:
            log.warning("slot %d: automation is not rendered: %s", slot, refusal)
            self._outbox.fail(Asker(track.asker.targets, ADDRESS), refusal.code, str(refusal))

    def _plays(self, slot: int) -> Job | None:
        """Return what the take was asked that the slot plays, or would play; None without one."""
        try:
            return self._stage.choice.held(slot).take.asked
        except Refusal:
            return None
