"""Which take a launch of each slot plays: the one that was chosen for it, else its newest.

Owned by the stage, in the control process's event loop.
"""

from typing import cast

from daemon.errors import Refusal
from daemon.playing.timeline import Held
from daemon.takes.collection import TakeFolder
from daemon.takes.take import Take


class Choice:
    """Takes by slot. One that was chosen need not be in the takes' folder: a scene has its own."""

    def __init__(self, takes: TakeFolder, rate_hz: int) -> None:
        """Begin with the newest take of each slot; the player plays at `rate_hz`."""
        self._takes, self.rate_hz = takes, rate_hz
        self._chosen: dict[int, Held] = {}

    def held(self, slot: int) -> Held:
        """Return the take that a launch of the slot plays. Raises Refusal where there is none."""
        chosen, last = self._chosen.get(slot), self._takes.last(slot)
        if chosen is None and last is None:
            raise Refusal("no_take", f"slot {slot} has no take; allowed: a slot with one")
        return self.check(chosen or self.in_folder(cast(Take, last)))

    def choose(self, slot: int, held: Held) -> None:
        """Let the slot's next launch play a take that was checked."""
        self._chosen[slot] = held

    def newest(self, slot: int) -> None:
        """Let the slot's next launch play its newest take."""
        self._chosen.pop(slot, None)

    def before(self, slot: int) -> Held:
        """Choose the take before the one that a launch would play; return it. Raises Refusal."""
        version = self.held(slot).take.version
        take = self._takes.before(slot, version)
        if take is None:
            raise Refusal("no_take", f"slot {slot} has no take before {version}")
        self._chosen[slot] = self.in_folder(take)
        return self._chosen[slot]

    def in_folder(self, take: Take) -> Held:
        """Return a take of the folder, and from where it is played."""
        path, opened = (
            at(take.slot, take.version) for at in (self._takes.sound, self._takes.opened)
        )
        return Held(take, str(path), str(opened or ""))

    def check(self, held: Held) -> Held:
        """Return a take that the player can play. Raises Refusal for one of another rate."""
        rate_hz = held.take.report.sample_rate
        if rate_hz != self.rate_hz:
            text = f"take {held.take.version} of slot {held.take.slot} has {rate_hz} Hz"
            raise Refusal("bad_value", f"{text}; allowed: {self.rate_hz} Hz")
        return held
