"""The index: one SQLite file in WAL mode, so that anyone may read while one writes.

`writing` is the cache's only lock. What changes files changes them inside it, and a process that is
killed gives it back.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daemon.cache.request import Request, Vector

NAME = "index.sqlite"
SCHEMA = 1
BUSY_S = 10.0
_UNUSABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_TABLE = """
CREATE TABLE entries (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    shape TEXT NOT NULL,
    vector BLOB NOT NULL,
    words TEXT NOT NULL,
    loss REAL,
    bytes INTEGER NOT NULL,
    pinned INTEGER NOT NULL,
    used INTEGER NOT NULL,
    made_s REAL NOT NULL
) STRICT;
"""
_COLUMNS = "key, words, loss, bytes, pinned, made_s"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """What the index tells of an entry; `words` say what was asked, `made_s` is since 1970."""

    key: str
    words: str
    loss: float | None
    bytes: int
    pinned: bool
    made_s: float


class Index:
    """Rows by key, with the order of their use. One connection, for one thread."""

    def __init__(self, folder: Path) -> None:
        """Open the index; one that is damaged, or of another version, begins empty.

        Raises OSError or sqlite3.Error where it cannot be opened at all.
        """
        path = folder / NAME
        try:
            self._db = _connect(path)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) not in _UNUSABLE:
                raise
            log.warning("cache index %s is damaged (%s); it is made again", path, error)
            for suffix in ("", "-wal", "-shm"):
                path.with_name(NAME + suffix).unlink(missing_ok=True)
            self._db = _connect(path)

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock; what is written stays only where the block ends without an error."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.commit()
        except BaseException:
            self._db.rollback()
            raise

    def put(self, row: Row, request: Request, shape: tuple[int, ...]) -> None:
        """Write a row as the last used one, found by its request and x_T's shape. In `writing`."""
        self._db.execute(
            "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.key,
                request.kind,
                str(shape),
                request.vector().tobytes(),
                row.words,
                row.loss,
                row.bytes,
                int(row.pinned),
                self._next_use(),
                row.made_s,
            ),
        )

    def touch(self, key: str) -> None:
        """Make an entry the last used one. Inside `writing`."""
        self._db.execute("UPDATE entries SET used = ? WHERE key = ?", (self._next_use(), key))

    def pin(self, key: str, pinned: bool) -> None:
        """Keep an entry for good, or no longer. Inside `writing`."""
        self._db.execute("UPDATE entries SET pinned = ? WHERE key = ?", (int(pinned), key))

    def remove(self, key: str) -> None:
        """Forget an entry. Inside `writing`."""
        self._db.execute("DELETE FROM entries WHERE key = ?", (key,))

    def rows(self) -> list[Row]:
        """Return all rows, the last used first."""
        found = self._db.execute(f"SELECT {_COLUMNS} FROM entries ORDER BY used DESC")
        return [
            Row(key, words, loss, size, bool(pinned), made_s)
            for key, words, loss, size, pinned, made_s in found
        ]

    def sizes(self) -> list[tuple[str, int, bool]]:
        """Return (key, bytes, pinned) of all rows, the last used first."""
        found = self._db.execute("SELECT key, bytes, pinned FROM entries ORDER BY used DESC")
        return [(key, size, bool(pinned)) for key, size, pinned in found]

    def has(self, key: str) -> bool:
        """Return whether there is such a row."""
        found = self._db.execute("SELECT 1 FROM entries WHERE key = ?", (key,))
        return found.fetchone() is not None

    def vectors(self, kind: str, shape: tuple[int, ...]) -> dict[str, Vector]:
        """Return the feature vectors of one kind whose latents have that shape, by key.

        Those used last come first.
        """
        found = self._db.execute(
            "SELECT key, vector FROM entries WHERE kind = ? AND shape = ? ORDER BY used DESC",
            (kind, str(shape)),
        )
        return {key: np.frombuffer(vector, np.float32) for key, vector in found}

    def _next_use(self) -> int:
        # A counter and not the time of day, which jumps.
        (last,) = self._db.execute("SELECT COALESCE(MAX(used), 0) FROM entries").fetchone()
        return int(last) + 1


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        # A power cut may cost the last rows; their blobs are there and are taken in again.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("BEGIN IMMEDIATE")
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            broken = sqlite3.DatabaseError(verdict)
            broken.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise broken
        (schema,) = db.execute("PRAGMA user_version").fetchone()
        if schema != SCHEMA:
            db.execute("DROP TABLE IF EXISTS entries")
            db.execute(_TABLE)
            db.execute("CREATE INDEX IF NOT EXISTS by_kind ON entries (kind, shape)")
            db.execute(f"PRAGMA user_version = {SCHEMA}")
        db.commit()
    except BaseException:
        db.close()
        raise
    return db
