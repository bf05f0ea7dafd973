"""Fingerprints of files: the same bytes, the same name, wherever they lie."""

import hashlib
from pathlib import Path

BYTES = 32
HEX = 2 * BYTES


def of_bytes(*parts: bytes) -> str:
    """Return the BLAKE2b digest of byte strings one after another, each with its length, in hex."""
    state = hashlib.blake2b(digest_size=BYTES)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


def of_file(path: Path) -> str:
    """Return the digest of a file's bytes. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=BYTES)).hexdigest()


def of_folder(folder: Path) -> str:
    """Return one digest of all files below a folder, their names among it. Raises OSError."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    parts = [(path.relative_to(folder).as_posix(), of_file(path)) for path in files]
    return of_bytes(*(text.encode() for part in parts for text in part))
