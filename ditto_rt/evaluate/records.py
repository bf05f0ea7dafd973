"""What was found about each clip, kept on disk line by line, so that a long run can be resumed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ditto_rt.builtin import weights


@dataclass(frozen=True)
class Record:
    """One clip: what it was asked to be, and what was heard and measured.

    `figures` are those of its control: how far it is from what was asked, the search's losses.
    """

    seed: int
    genre: str
    mood: str
    bpm: float
    heard_genre: str
    heard_mood: str
    heard_bpm: float
    found_bpm: float
    first_beat_ms: float
    embedding: tuple[float, ...]
    figures: dict[str, float] = field(default_factory=dict)


def digest(names: Sequence[str]) -> str:
    """Return a short digest of the shipped weights of these networks."""
    found = hashlib.sha256()
    for name in names:
        for path in sorted((weights.FOLDER / name).glob("*.safetensors")):
            found.update(path.read_bytes())
    return found.hexdigest()[:10]


class Ledger:
    """Owns the file of one set of clips: one JSON object a line, in the order they were made."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a last line that was cut off is made again."""
        self._path = path
        self.records: list[Record] = []
        if path.exists():
            lines = path.read_text("utf-8").splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]
            if len(whole) < len(lines):
                path.write_text("".join(whole), "utf-8")
            self.records = [Record(**json.loads(line)) for line in whole]

    def add(self, record: Record) -> None:
        """Append one clip's record."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        self.records.append(record)


def embeddings_NE(records: Sequence[Record]) -> NDArray[np.float64]:
    """Return the records' embeddings as rows."""
    return np.array([record.embedding for record in records], np.float64)
