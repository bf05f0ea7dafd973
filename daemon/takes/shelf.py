"""Sounds in shared memory: a folder of this run, from which the player reads and others may.

The engine writes each version of a take here first, so that no disk stands between a search and
what is heard. The folder lies in /dev/shm where that is large enough, else in the temporary
folder. A daemon that was killed leaves its folder; the next one that starts takes it away.
"""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from daemon.files import PART

MEMORY = Path("/dev/shm")
PREFIX = "ditto-rt-"
LOCK = "lock"
# 16 slots with a take that plays and one that comes, each of 16 s at 48 kHz, are 98 MB.
LEAST_BYTES = 2**27

log = logging.getLogger(__name__)


def place() -> Path:
    """Return the folder in which a shelf is best put up."""
    with suppress(OSError):
        if shutil.disk_usage(MEMORY).free >= LEAST_BYTES:
            return MEMORY
    return Path(tempfile.gettempdir())


class Shelf:
    """The run's folder of sounds. Owned by the control process's event loop."""

    def __init__(self, parent: Path) -> None:
        """Make a folder below `parent`, and remove those of daemons that are gone.

        Raises OSError where it cannot be made.
        """
        _remove_left(parent)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        # Held as long as this process lives, however it ends.
        self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def path(self, name: str) -> Path:
        """Return where the sound of that file name is or would be."""
        return self.folder / name

    def take_in(self, path: Path) -> None:
        """Copy a take of an earlier run, so that it outlives its file. Blocks; any thread."""
        target = self.path(path.name)
        part = target.with_name(f".{path.name}{PART}")
        try:
            if not target.exists():
                shutil.copyfile(path, part)
                part.replace(target)
        except OSError as error:
            log.warning("take %s has no copy in memory: %s", path.name, error)
            part.unlink(missing_ok=True)

    def keep_only(self, prefix: str, names: Collection[str]) -> None:
        """Remove the sounds whose names begin with `prefix` and are not among `names`."""
        for path in self.folder.glob(f"{prefix}*"):
            if path.name not in names:
                path.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove half-written files that a killed engine left."""
        for path in self.folder.glob(f".*{PART}"):
            path.unlink(missing_ok=True)


def _remove_left(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = os.open(folder / LOCK, os.O_RDWR)
            try:
                # Whoever uses it holds this lock; the system lets go of it when a process ends.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                log.info("removed %s, which a killed daemon left", folder)
            finally:
                os.close(lock)
