"""The folder of takes: names, what is there already, and which are too old.

A take is slotNN_vNNNN.wav with its report beside it as .json. Versions go on counting where an
earlier run stopped, so no file is written over. Versions that are not final have no file here:
they, and takes that the disk refused, are on the shelf (`shelf.py`) alone.
"""

import json
import logging
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from pydantic import ValidationError

from daemon.files import PART
from daemon.takes.shelf import Shelf
from daemon.takes.slots import SLOTS
from daemon.takes.take import Take, file_name, open_name
from ditto_rt.spec import Report

NAME = re.compile(r"slot(\d\d)_v(\d{4,9})\.(wav|json)")
_PART_NAME = re.compile(rf"\.slot\d\d_v\d{{4,9}}\.(?:wav|json){re.escape(PART)}")

log = logging.getLogger(__name__)


class TakeFolder:
    """The takes of all slots, newest last. Owned by the control process's event loop."""

    def __init__(self, folder: Path, keep_per_slot: int, shelf: Shelf) -> None:
        """Make the folder where it is missing, and see what an earlier run left.

        Raises OSError where it cannot be made or read.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.shelf = folder, shelf
        # Versions of a slot that sound or are planned, which must not go.
        self.in_use: Callable[[int], Collection[int]] = lambda _: ()
        self._drafts: dict[int, Take] = {}
        self.unsaved: dict[tuple[int, int], Take] = {}
        self._keep = keep_per_slot
        self.clean()
        names = [match for path in folder.iterdir() if (match := NAME.fullmatch(path.name))]
        self._newest = {
            slot: max((int(m[2]) for m in names if int(m[1]) == slot), default=0)
            for slot in range(SLOTS)
        }
        read = (_read(folder / match[0]) for match in names if match[3] == "json")
        self._takes = sorted(
            (take for take in read if take and self.path(take.slot, take.version).is_file()),
            key=lambda take: self.path(take.slot, take.version).stat().st_mtime,
        )

    def path(self, slot: int, version: int) -> Path:
        """Return where that take's file is, or would be."""
        return self.folder / file_name(slot, version)

    def sound(self, slot: int, version: int) -> Path:
        """Return from where that take is played: the shelf where it is there, else its file."""
        return self.where(self.path(slot, version))

    def where(self, sound: Path) -> Path:
        """Return where a sound is that was at `sound`: on the shelf, there, or saved since."""
        places = (self.shelf.path(sound.name), sound, self.folder / sound.name)
        return next((place for place in places if place.exists()), sound)

    def opened(self, slot: int, version: int) -> Path | None:
        """Return where that take is with its own end, None where it was made as a loop."""
        path = self.shelf.path(open_name(slot, version))
        return path if path.exists() else None

    def newest(self, slot: int) -> int:
        """Return the highest version of a slot that was ever written, 0 for none."""
        return self._newest[slot]

    def add(self, take: Take) -> None:
        """Take a version that can be heard; a final one is unsaved until `save`."""
        slot = take.slot
        self._newest[slot] = max(take.version, self._newest[slot])
        self._drafts.pop(slot, None)
        if take.report.final:
            self._takes.append(take)
            self.unsaved[slot, take.version] = take
        else:
            self._drafts[slot] = take
        self._tidy(slot)

    def save(self, take: Take) -> None:
        """Count a take as saved; its files are there."""
        self.unsaved.pop((take.slot, take.version), None)
        self._tidy(take.slot)

    def _tidy(self, slot: int) -> None:
        """Let go of the slot's oldest takes beyond the limit, and of sounds nobody needs."""
        needed = {self._newest[slot], *self.in_use(slot)}
        same = [old for old in self._takes if old.slot == slot]
        for old in same[: -self._keep]:
            if old.version not in needed:
                self._takes.remove(old)
                self.unsaved.pop((slot, old.version), None)
                self.delete(slot, old.version)
        kept = needed | {version for of, version in self.unsaved if of == slot}
        prefix = file_name(slot, 0).partition("_")[0]
        names = {name(slot, version) for version in kept for name in (file_name, open_name)}
        self.shelf.keep_only(prefix, names)

    def last(self, slot: int) -> Take | None:
        """Return the newest version of a slot, final or not."""
        final = next((take for take in reversed(self._takes) if take.slot == slot), None)
        return self._drafts.get(slot, final)

    def find(self, slot: int, version: int) -> Take | None:
        """Return one version."""
        everything = (*self._takes, *self._drafts.values())
        return next((t for t in everything if (t.slot, t.version) == (slot, version)), None)

    def before(self, slot: int, version: int) -> Take | None:
        """Return the newest final take of a slot that is older than `version`."""
        older = (t for t in reversed(self._takes) if t.slot == slot and t.version < version)
        return next(older, None)

    def all(self) -> Iterable[Take]:
        """Return all final takes, newest first."""
        return reversed(self._takes)

    def delete(self, slot: int, version: int) -> None:
        """Remove a take's files; what is gone already is no problem."""
        path = self.path(slot, version)
        shelved = [self.shelf.path(name(slot, version)) for name in (file_name, open_name)]
        for file in (path, path.with_suffix(".json"), *shelved):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                log.warning("take %s cannot be deleted: %s", file, error)

    def clean(self) -> None:
        """Remove half-written files that a killed engine left."""
        self.shelf.clean()
        for path in self.folder.iterdir():
            if _PART_NAME.fullmatch(path.name):
                path.unlink(missing_ok=True)


def _read(path: Path) -> Take | None:
    try:
        held = json.loads(path.read_text("utf-8"))
        report = {key: held[key] for key in Report.model_fields if key in held}
        return Take.model_validate(
            {
                **{key: held.get(key) for key in ("slot", "version", "asked", "deadline")},
                "report": report,
            }
        )
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        log.warning("report %s cannot be read: %s", path.name, error)
        return None
