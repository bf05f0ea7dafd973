"""The folder of takes: names, what is there already, and which are too old.

A take is slotNN_vNNNN.wav with its report beside it as .json. Versions go on counting where an
earlier run stopped, so no file is written over.
"""

import json
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from daemon.files import PART
from daemon.slots import SLOTS
from ditto_rt.spec import Job, Report

NAME = re.compile(r"slot(\d\d)_v(\d{4,9})\.(wav|json)")
_PART_NAME = re.compile(rf"\.slot\d\d_v\d{{4,9}}\.(?:wav|json){re.escape(PART)}")

log = logging.getLogger(__name__)


class Take(BaseModel):
    """One take: where it is, what was asked, what was reached. Its .json file holds the same."""

    model_config = ConfigDict(frozen=True)

    slot: int
    version: int
    asked: Job
    report: Report

    @property
    def loss(self) -> float:
        """The best loss of its search; -1 where there was nothing to follow."""
        return min(self.report.loss, default=-1.0)

    def plain(self) -> dict[str, Any]:
        """Return the report with what was asked, as plain data."""
        return {
            "slot": self.slot,
            "version": self.version,
            **self.report.model_dump(),
            "asked": self.asked.model_dump(exclude_none=True),
        }


class TakeFolder:
    """The takes of all slots, newest last. Owned by the control process's event loop."""

    def __init__(self, folder: Path, keep_per_slot: int) -> None:
        """Make the folder where it is missing, and see what an earlier run left.

        Raises OSError where it cannot be made or read.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
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
        """Return where that take is."""
        return self.folder / f"slot{slot:02d}_v{version:04d}.wav"

    def newest(self, slot: int) -> int:
        """Return the highest version of a slot that was ever written, 0 for none."""
        return self._newest[slot]

    def add(self, take: Take) -> None:
        """Keep a take whose files are there; delete the slot's oldest beyond the limit."""
        self._takes.append(take)
        self._newest[take.slot] = max(take.version, self._newest[take.slot])
        same = [old for old in self._takes if old.slot == take.slot]
        for old in same[: -self._keep]:
            self._takes.remove(old)
            self.delete(old.slot, old.version)

    def last(self, slot: int) -> Take | None:
        """Return the newest take of a slot."""
        return next((take for take in reversed(self._takes) if take.slot == slot), None)

    def find(self, slot: int, version: int) -> Take | None:
        """Return one take."""
        return next((t for t in self._takes if (t.slot, t.version) == (slot, version)), None)

    def before(self, slot: int, version: int) -> Take | None:
        """Return the newest take of a slot that is older than `version`."""
        older = (t for t in reversed(self._takes) if t.slot == slot and t.version < version)
        return next(older, None)

    def all(self) -> Iterable[Take]:
        """Return all takes, newest first."""
        return reversed(self._takes)

    def delete(self, slot: int, version: int) -> None:
        """Remove a take's files; what is gone already is no problem."""
        path = self.path(slot, version)
        for file in (path, path.with_suffix(".json")):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                log.warning("take %s cannot be deleted: %s", file, error)

    def clean(self) -> None:
        """Remove half-written files that a killed engine left."""
        for path in self.folder.iterdir():
            if _PART_NAME.fullmatch(path.name):
                path.unlink(missing_ok=True)


def _read(path: Path) -> Take | None:
    try:
        held = json.loads(path.read_text("utf-8"))
        report = {key: held[key] for key in Report.model_fields if key in held}
        return Take.model_validate(
            {**{key: held.get(key) for key in ("slot", "version", "asked")}, "report": report}
        )
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        log.warning("report %s cannot be read: %s", path.name, error)
        return None
