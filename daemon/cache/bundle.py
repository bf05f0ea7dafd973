"""A set of entries as one zip file, to carry to another machine.

Its members are blobs named by their keys, nothing else. What comes in is checked name by name
before a byte is kept, and each blob by its own digest.
"""

import logging
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from daemon.arguments import shown
from daemon.cache import digest
from daemon.cache.blob import SUFFIX, Damaged, Entry, pack, unpack
from daemon.cache.store import Cache
from daemon.errors import Refusal
from daemon.files import whole

MEMBER = re.compile(rf"([0-9a-f]{{{digest.HEX}}}){re.escape(SUFFIX)}")
# 16 s of audio at 192 kHz take 12 MB.
MEMBER_BYTES = 2**25
MEMBERS = 100_000
# Two compressions whose failures are known; x_T is noise and shrinks by neither.
_WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Imported:
    """How many entries came in, and how many were damaged and left out."""

    entries: int
    damaged: int


def write_bundle(cache: Cache, keys: Collection[str], path: Path) -> int:
    """Write entries into a zip file, whole or not at all; return how many. Raises OSError."""
    count = 0
    with whole(path) as part, ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        for key in keys:
            if entry := cache.load(key):
                bundle.writestr(f"{key}{SUFFIX}", pack(entry))
                count += 1
    return count


def read_bundle(cache: Cache, path: Path) -> Imported:
    """Keep what a zip file holds. Raises Refusal for one that is no set of entries, OSError."""
    entries = damaged = 0
    try:
        with ZipFile(path) as bundle:
            for member, entry in _members(bundle):
                if entry:
                    cache.keep(entry)
                    entries += 1
                else:
                    log.warning("%s in %s is damaged and left out", member, path.name)
                    damaged += 1
    except (BadZipFile, RuntimeError, ValueError, EOFError, OverflowError, struct.error) as error:
        raise Refusal("bad_file", f"file {path} is no set of cache entries: {error}") from error
    return Imported(entries, damaged)


def _members(bundle: ZipFile) -> Iterator[tuple[str, Entry | None]]:
    infos = bundle.infolist()
    if len(infos) > MEMBERS:
        raise ValueError(f"it has {len(infos)} members; allowed: {MEMBERS}")
    for info in infos:
        _check(info)
    for info in infos:
        yield info.filename, _entry(bundle, info)


def _check(info: ZipInfo) -> None:
    # orig_filename: what stands in the file, before zipfile makes it look harmless.
    if not MEMBER.fullmatch(info.orig_filename):
        raise ValueError(
            f"it has a member {shown(info.orig_filename)}; allowed: {digest.HEX} hex digits "
            f"and {SUFFIX}"
        )
    if info.file_size > MEMBER_BYTES or info.compress_type not in _WAYS:
        raise ValueError(
            f"member {info.filename} has {info.file_size} bytes and compression "
            f"{info.compress_type}; allowed: {MEMBER_BYTES} bytes, compression 0 or 8"
        )


def _entry(bundle: ZipFile, info: ZipInfo) -> Entry | None:
    try:
        with bundle.open(info) as file:
            # The size that the list states may be a lie.
            data = file.read(MEMBER_BYTES + 1)
        entry = unpack(data)
    except (BadZipFile, zlib.error, EOFError, Damaged):
        return None
    return entry if f"{entry.request.key}{SUFFIX}" == info.filename else None
