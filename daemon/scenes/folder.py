"""The folder of scenes: one JSON file for each scene, and the sound that they share.

A scene is whole or not there: its sound comes first, its JSON last and by a rename. Sound is a
hard link to the take where the disk allows it, so a scene costs nothing until the take is deleted.
Several processes may use one folder; who changes it holds its lock. All of this blocks.
"""

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from filelock import FileLock, Timeout
from pydantic import ValidationError

from daemon.errors import Refusal
from daemon.files import PART, is_inside, whole
from daemon.scenes.scene import DIGEST, Part, Scene, key_of
from ditto_rt.limits import SCENES

AUDIO, LOCK = "audio", ".lock"
LOCK_PATIENCE_S = 3.0
# A scene of sixteen slots with long melodies has some 100 kB.
SCENE_BYTES = 2**23
_SCENE_FILE, _AUDIO_FILE = re.compile(rf"{DIGEST}\.json"), re.compile(rf"{DIGEST}\.wav")

# Name, time of change in ns, size: a file that has the same is the same.
FileState: TypeAlias = tuple[str, int, int]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contents:
    """The scenes that a folder holds, by name; its files, and how many of them are no scenes."""

    scenes: Mapping[str, Scene]
    files: tuple[FileState, ...]
    unreadable: int


class SceneFolder:
    """Scenes on disk. Methods raise Refusal with a sentence, and OSError where the disk refuses."""

    def __init__(self, folder: Path, roots: tuple[Path, ...] = (Path("/"),)) -> None:
        """Make the folder where it is missing.

        A scene may come from elsewhere: regions of files outside `roots` are left out of it.
        """
        (folder / AUDIO).mkdir(parents=True, exist_ok=True)
        self.folder, self._roots = folder, roots
        self._known: dict[FileState, Scene | None] = {}

    def audio_path(self, digest: str) -> Path:
        """Return where a sound is."""
        return self.folder / AUDIO / f"{digest}.wav"

    def read(self) -> Contents:
        """Return what is there. A file that is no scene is told in the log, once, and stays."""
        known = self._known
        self._known = {
            entry: known[entry] if entry in known else self._tried(entry) for entry in self._state()
        }
        return Contents(
            {scene.name: scene for scene in self._known.values() if scene},
            tuple(self._known),
            sum(scene is None for scene in self._known.values()),
        )

    def save(self, scene: Scene, sounds: Mapping[int, Path]) -> Scene:
        """Keep a scene, in place of one with its name; `sounds` says where each slot's take is.

        Returns it with its sound named. A take that is gone makes a Refusal where its slot plays,
        and is left out where it does not.
        """
        with self.changing():
            self._make_room(scene)
            parts = tuple(self._kept(part, sounds.get(part.slot)) for part in scene.parts)
            kept = self._put(scene.model_copy(update={"parts": parts}))
            self.sweep()
        return kept

    def _put(self, scene: Scene) -> Scene:
        """Write a scene whose sound is there, as it will be read. The caller holds the lock."""
        name, data = f"{scene.key}.json", scene.model_dump_json(exclude_none=True).encode()
        kept = read_scene(data, name)
        with whole(self.folder / name) as part:
            part.write_bytes(data)
        return kept

    def take_in(self, scene: Scene, sounds: Mapping[str, bytes]) -> None:
        """Keep a scene that comes with its sound, by digest, in place of one with its name."""
        with self.changing():
            self._make_room(scene)
            for digest, data in sounds.items():
                if not self.audio_path(digest).is_file():
                    with whole(self.audio_path(digest)) as part:
                        part.write_bytes(data)
            self._put(scene)
            self.sweep()

    def delete(self, name: str) -> None:
        """Remove a scene, and the sound that no other needs."""
        with self.changing():
            path = self.folder / f"{key_of(name)}.json"
            if not path.is_file():
                raise Refusal("no_scene", f"scene {name!r} is not there; {self._allowed()}")
            path.unlink()
            self.sweep()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the folder's lock. Raises Refusal where another process holds it for long."""
        try:
            with FileLock(self.folder / LOCK, timeout=LOCK_PATIENCE_S):
                yield
        except Timeout as error:
            text = f"folder {self.folder} is in use by another process; allowed: one at a time"
            raise Refusal("busy", text) from error

    def sweep(self) -> None:
        """Remove what a killed process left, and sound that no scene needs. Under the lock.

        While there is a scene that cannot be read, nobody knows what it needs: all sound stays.
        """
        for folder in (self.folder, self.folder / AUDIO):
            for path in folder.iterdir():
                if path.name.endswith(PART):
                    path.unlink(missing_ok=True)
        contents = self.read()
        if contents.unreadable:
            return
        needed = {digest for scene in contents.scenes.values() for digest in scene.audio}
        for path in (self.folder / AUDIO).iterdir():
            if _AUDIO_FILE.fullmatch(path.name) and path.stem not in needed:
                path.unlink(missing_ok=True)

    def _tried(self, entry: FileState) -> Scene | None:
        name, _, size = entry
        try:
            if size > SCENE_BYTES:
                text = f"scene file {name} has {size} bytes; allowed: {SCENE_BYTES}"
                raise Refusal("bad_file", text)
            return self._without_strangers(read_scene((self.folder / name).read_bytes(), name))
        except (Refusal, OSError) as error:
            log.warning("%s", error)
            return None

    def _without_strangers(self, scene: Scene) -> Scene:
        parts = []
        for part in scene.parts:
            region = part.controls.region
            if region and not is_inside(Path(region.path).resolve(), self._roots):
                text = "scene %r: the region of slot %d, %s, is outside the allowed folders"
                log.warning(text, scene.name, part.slot, region.path)
                controls = part.controls.model_copy(update={"region": None})
                part = part.model_copy(update={"controls": controls})
            parts.append(part)
        return scene.model_copy(update={"parts": tuple(parts)})

    def _state(self) -> tuple[FileState, ...]:
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if _SCENE_FILE.fullmatch(entry.name) and entry.is_file():
                    seen = entry.stat()
                    found.append((entry.name, seen.st_mtime_ns, seen.st_size))
        return tuple(sorted(found))

    def _make_room(self, scene: Scene) -> None:
        others = [name for name, _, _ in self._state() if name != f"{scene.key}.json"]
        if len(others) >= SCENES.high:
            text = f"there are {len(others)} scenes already; allowed: {SCENES}"
            raise Refusal("busy", text)

    def _allowed(self) -> str:
        return told(self.read().scenes)

    def _kept(self, part: Part, sound: Path | None) -> Part:
        if part.take is None or sound is None:
            return part
        try:
            digest = self._own(sound)
        except FileNotFoundError as error:
            what = f"take {part.take.version} of slot {part.slot}"
            if part.plays:
                text = f"{what} has no file any more; allowed: a take whose file is there"
                raise Refusal("bad_file", text) from error
            log.warning("%s has no file any more; the scene is saved without it", what)
            return part.model_copy(update={"take": None, "audio": None, "endless": False})
        return part.model_copy(update={"audio": digest})

    def _own(self, sound: Path) -> str:
        """Link a sound into the folder, or copy it there; return its digest."""
        with sound.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        mine = self.audio_path(digest)
        if mine.is_file():
            return digest
        try:
            os.link(sound, mine)
        except FileNotFoundError:
            raise
        except OSError:
            # Another disk, or one that knows no links.
            with whole(mine) as part:
                shutil.copyfile(sound, part)
        return digest


def read_scene(data: bytes, file_name: str) -> Scene:
    """Return the scene in a file. Raises Refusal where it is none, or not the one of that name."""
    try:
        scene = Scene.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        text = f"scene file {file_name} cannot be read: {where}: {first['msg']:.200}"
        raise Refusal("bad_file", text) from error
    if f"{scene.key}.json" != file_name:
        text = f"scene file {file_name} holds {scene.name!r}; allowed: the scene of its name"
        raise Refusal("bad_file", text)
    return scene


def told(names: Collection[str]) -> str:
    """Return which scenes are allowed, for the end of a sentence."""
    shown = ", ".join(repr(name) for name in sorted(names)[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"allowed: {shown}{more}" if names else "allowed: a name that was saved, and none was"
