"""The latent cache: blobs in a folder, an index beside them, and how much of it is kept.

Several processes may use one folder. Whoever changes files holds the index's lock, a blob is whole
before its row is there, and a cache that was killed is tidied when it is opened next.
"""

import logging
import sqlite3
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daemon.cache.blob import SUFFIX, Damaged, Entry, pack, unpack
from daemon.cache.index import Index, Row
from daemon.cache.request import Request, distances
from daemon.files import PART, whole

BLOBS = "blobs"
# Beyond this distance a found latent begins a search no better than the seed's own noise, and
# often worse: it has to unlearn first (measured with the built-in model).
FAR = 1.2

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Near:
    """An entry that is like what was asked, and how far from it (`Request.vector`)."""

    entry: Entry
    distance: float


class Cache:
    """Takes with their latents, at most `most_bytes` of them; the least recently used go first.

    One object for one thread. Methods raise OSError and sqlite3.Error where the disk refuses.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Open or make the cache in `folder`; put right what a killed process left."""
        self._blobs = folder / BLOBS
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._index = Index(folder)
        self.most_bytes = most_bytes
        with self._index.writing():
            self._tidy()

    def close(self) -> None:
        """Give the index back."""
        self._index.close()

    def find(self, request: Request) -> Entry | None:
        """Return the entry of exactly this request, and count it as used."""
        key = request.key
        if not self._index.has(key):
            return None
        entry = self._load(key)
        if entry:
            # Who writes at this moment keeps the order of use as it was; the take does not wait.
            with suppress(sqlite3.OperationalError), self._index.writing():
                self._index.touch(key)
        return entry

    def nearest(self, request: Request, shape: tuple[int, ...]) -> Near | None:
        """Return the entry whose wishes are nearest and whose x_T has that shape; None: too far."""
        wanted_D = request.vector()
        found = self._index.vectors(request.kind, shape)
        # An older version's vectors may have had other parts.
        keys = [key for key, vector_D in found.items() if vector_D.shape == wanted_D.shape]
        if not keys:
            return None
        away = distances(np.stack([found[key] for key in keys]), wanted_D)
        for number in np.argsort(away, kind="stable"):
            if away[number] > FAR:
                return None
            if entry := self._load(keys[number]):
                return Near(entry, float(away[number]))
        return None

    def keep(self, entry: Entry) -> None:
        """Keep an entry, whole or not at all, and let go of the oldest beyond the limit."""
        data = pack(entry)
        key = entry.request.key
        if len(data) > self.most_bytes:
            log.warning(
                "take of %d bytes is larger than the whole cache; it is not kept", len(data)
            )
            return
        with self._index.writing():
            with whole(self._path(key)) as part:
                part.write_bytes(data)
            self._take_in(key, entry, len(data))
            self._shrink()

    def entries(self) -> list[Row]:
        """Return what is there, the last used first."""
        return self._index.rows()

    def load(self, key: str) -> Entry | None:
        """Return an entry by its key; None where it is not there, or was damaged and is dropped."""
        return self._load(key)

    def pin(self, keys: Collection[str], pinned: bool) -> None:
        """Keep entries whatever comes, or no longer."""
        with self._index.writing():
            for key in keys:
                self._index.pin(key, pinned)
            self._shrink()

    def clear(self, pinned: bool) -> int:
        """Remove all entries, the pinned ones too where asked; return how many."""
        with self._index.writing():
            gone = [key for key, _, held in self._index.sizes() if pinned or not held]
            for key in gone:
                self._remove(key)
        return len(gone)

    def _path(self, key: str) -> Path:
        return self._blobs / f"{key}{SUFFIX}"

    def _read(self, key: str) -> Entry:
        entry = unpack(self._path(key).read_bytes())
        if entry.request.key != key:
            raise Damaged(f"it holds another entry, {entry.request.key[:12]}")
        return entry

    def _load(self, key: str) -> Entry | None:
        try:
            return self._read(key)
        except (FileNotFoundError, Damaged):
            with self._index.writing():
                return self._second_look(key)

    def _second_look(self, key: str) -> Entry | None:
        # Under the lock: another process may have just let it go, or written it anew.
        try:
            return self._read(key)
        except (FileNotFoundError, Damaged) as error:
            if self._index.has(key):
                log.warning("cache entry %s is damaged and dropped: %s", key[:12], error)
            self._remove(key)
            return None

    def _remove(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)
        self._index.remove(key)

    def _take_in(self, key: str, entry: Entry, size: int) -> None:
        pinned = any(held for other, _, held in self._index.sizes() if other == key)
        loss = min(entry.report.loss, default=None)
        row = Row(key, entry.request.words, loss, size, pinned, entry.made_s)
        self._index.put(row, entry.request, entry.x_T.shape)

    def _shrink(self) -> None:
        sizes = self._index.sizes()
        spare = sum(size for _, size, _ in sizes) - self.most_bytes
        for key, size, pinned in reversed(sizes):
            if spare <= 0:
                return
            if not pinned:
                self._remove(key)
                spare -= size

    def _tidy(self) -> None:
        # Blobs without a row were whole when a process was killed; they are taken in.
        held = {key for key, _, _ in self._index.sizes()}
        found = set()
        for path in self._blobs.iterdir():
            if path.name.endswith(PART):
                path.unlink(missing_ok=True)
            elif path.suffix == SUFFIX:
                found.add(path.stem)
        for key in held - found:
            log.warning("cache entry %s has lost its file and is dropped", key[:12])
            self._index.remove(key)
        for key in sorted(found - held):
            if entry := self._second_look(key):
                self._take_in(key, entry, self._path(key).stat().st_size)
        self._shrink()
