"""The scenes that the daemon knows: saved from its slots, and brought back into them.

Owned by the control process's event loop; the folder is looked at in threads. What is needed to
recall a scene is in memory, so a recall waits for no disk and for no engine.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

from daemon.aside import in_thread
from daemon.errors import Refusal
from daemon.live.endless import Endless
from daemon.osc.outbox import Asker, Outbox
from daemon.playing.stage import Stage
from daemon.playing.timeline import Change, Held
from daemon.rendering.delivery import values_at
from daemon.rendering.desk import Desk
from daemon.scenes.capture import capture
from daemon.scenes.folder import SceneFolder, told
from daemon.scenes.scene import Part, Scene, checked_name

LOOK_S = 2.0
NO_BEAT = -1.0
BYTES_OF_A_FRAME = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recalled:
    """The scene that was recalled last, the beat on which it comes, and whether it came.

    launch: the stage's number for it.
    """

    scene: Scene
    beat: Fraction | None = None
    launch: int = 0
    came: bool = False


class Board:
    """Saves, recalls, lists and deletes scenes."""

    def __init__(
        self,
        folder: SceneFolder,
        preload_bytes: int,
        desk: Desk,
        stage: Stage,
        endless: Endless,
        outbox: Outbox,
    ) -> None:
        """Know the scenes of a folder. Raises OSError where it cannot be read."""
        self._folder, self._preload_bytes = folder, preload_bytes
        self._desk, self._stage, self._outbox = desk, stage, outbox
        self._endless = endless
        self._contents = folder.read()
        self._looks = asyncio.Lock()
        self._waits: asyncio.Task[None] | None = None
        # Changes the tempo from a frame on; raises Refusal where another clock has it.
        self.retime: Callable[[float, int], None] = stage.retime
        self.last: Recalled | None = None
        self._prepare()

    @property
    def scenes(self) -> Mapping[str, Scene]:
        """The scenes by name."""
        return MappingProxyType(self._contents.scenes)

    async def save(self, name: str) -> Scene:
        """Keep all slots as they are; return the scene. Raises Refusal."""
        name = checked_name(name)
        scene, sounds = capture(name, self._desk, self._stage, self._endless, time.time())
        kept = await in_thread(lambda: self._folder.save(scene, sounds))
        await self.look()
        return kept

    async def delete(self, name: str) -> str:
        """Forget a scene; return its name. Raises Refusal."""
        name = checked_name(name)
        await in_thread(lambda: self._folder.delete(name))
        await self.look()
        return name

    async def find(self, name: str) -> Scene:
        """Return a scene. Raises Refusal where there is none of that name."""
        name = checked_name(name)
        if name not in self._contents.scenes:
            # Another process may just have brought it.
            await self.look()
        if name not in self._contents.scenes:
            raise Refusal("no_scene", f"scene {name!r} is not there; {told(self.scenes)}")
        return self._contents.scenes[name]

    def recall(
        self, scene: Scene, quantum: float, asker: Asker, due_ns: int | None = None
    ) -> Recalled:
        """Set the scene's slots as they were, and let them play on one beat.

        Raises Refusal, with nothing changed, where a take has another rate than the player.
        """
        held = {part.slot: self._held(part) for part in scene.parts if part.take}
        for take in held.values():
            self._stage.choice.check(take)
        for part in scene.parts:
            self._endless.turn(part.slot, False, asker)
            self._desk.cancel(part.slot)
            version = self._desk.slots[part.slot].version
            self._desk.slots[part.slot] = part.slot_with(version)
            if part.slot in held:
                self._stage.choice.choose(part.slot, held[part.slot])
            if part.endless:
                self._endless.turn(part.slot, True, asker)
        self.last = Recalled(scene)
        gains = {part.slot: part.gain for part in scene.parts}
        if self._stage.output.can_be_heard:
            loops = {part.slot: held[part.slot].loop for part in scene.parts if part.plays}
            launch, beat = self._stage.launch(loops, gains, quantum, asker, due_ns)
            self.last = Recalled(scene, beat, launch)
        self._tell("comes", self.last)
        for take in held.values():
            self._outbox.event("/ditto/take", *values_at(take.take, Path(take.path)))
        self._wait_for_its_beat()
        return self.last

    def due(self) -> Change | None:
        """Return the change that brings a recalled scene; None where none is to come."""
        last = self.last
        if last is None or last.came or last.beat is None:
            return None
        planned = (c for plan in self._stage.plans for c in plan.changes)
        return next((c for c in planned if c.launch == last.launch), None)

    def come(self) -> None:
        """Let the scene that is due bring its tempo, from the very frame of its beat on.

        Where a jump of the transport has given it another beat, say so.
        """
        change, last = self.due(), self.last
        if change is None or last is None:
            return
        if change.beat != last.beat:
            self.last = last = replace(last, beat=change.beat)
            self._tell("comes", last)
        if (at := change.at) > self._stage.now():
            return
        self.last = replace(last, came=True)
        if last.scene.plays and last.scene.bpm != float(self._stage.transport.bpm):
            try:
                self.retime(last.scene.bpm, at)
            except Refusal as refusal:
                log.info("the scene's tempo is left out: %s", refusal)
        self._tell("plays", last)

    async def run(self) -> None:
        """See what other processes do with the folder, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except Refusal as refusal:
                log.warning("scenes: %s", refusal)

    async def look(self) -> None:
        """Take in what has changed in the folder. Raises Refusal."""
        async with self._looks:
            before, self._contents = self._contents, await in_thread(self._folder.read)
        if self._contents.files == before.files:
            return
        self._prepare()
        for name, scene in self._contents.scenes.items():
            if before.scenes.get(name) != scene:
                self._tell("saved", Recalled(scene))
        for name, scene in before.scenes.items():
            if name not in self._contents.scenes:
                self._tell("deleted", Recalled(scene))

    def _wait_for_its_beat(self) -> None:
        if self._waits:
            self._waits.cancel()
        self._waits = asyncio.create_task(self._until_it_came())

    async def _until_it_came(self) -> None:
        while (change := self.due()) is not None:
            ahead_s = (change.at - self._stage.now()) / self._stage.transport.rate_hz
            # A change of the tempo moves the beat.
            await asyncio.sleep(min(max(ahead_s, 0.001), 0.1))
            self.come()

    def _prepare(self) -> None:
        """Name the sound that the player holds ready: the scenes saved last, as much as fits."""
        newest = sorted(self.scenes.values(), key=lambda scene: -scene.saved_s)
        paths: dict[str, None] = {}
        room = self._preload_bytes
        for part in (part for scene in newest for part in scene.parts if part.take):
            path = self._held(part).path
            size = BYTES_OF_A_FRAME * part.take.report.frames if part.take else 0
            if path not in paths and size <= room:
                paths[path] = None
                room -= size
        self._stage.keep(paths)

    def _held(self, part: Part) -> Held:
        assert part.take is not None and part.audio is not None
        return Held(part.take, str(self._folder.audio_path(part.audio)))

    def _tell(self, state: str, what: Recalled) -> None:
        where = NO_BEAT if what.beat is None else float(what.beat)
        self._outbox.event("/ditto/scene", state, what.scene.name, what.scene.plays, where)
