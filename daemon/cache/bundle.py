"""A set of entries as one zip file, to carry to another machine.

Its members are blobs named by their keys, nothing else. What comes in is checked name by name
before a byte is kept, and each blob by its own digest.
"""

import logging
import re
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from daemon import zips
from daemon.cache import digest
from daemon.cache.blob import SUFFIX, Damaged, Entry, pack, unpack
from daemon.cache.store import Cache
from daemon.files import whole

# 16 s of audio at 192 kHz take 12 MB.
MEMBER_BYTES = 2**25
RULES = zips.Rules(
    "set of cache entries",
    re.compile(rf"([0-9a-f]{{{digest.HEX}}}){re.escape(SUFFIX)}"),
    f"{digest.HEX} hex digits and {SUFFIX}",
    MEMBER_BYTES,
)

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
    with zips.opened(path, RULES) as (infos, read):
        for info in infos:
            if entry := _entry(info, read):
                cache.keep(entry)
                entries += 1
            else:
                log.warning("%s in %s is damaged and left out", info.filename, path.name)
                damaged += 1
    return Imported(entries, damaged)


def _entry(info: ZipInfo, read: Callable[[ZipInfo], bytes]) -> Entry | None:
    try:
        entry = unpack(read(info))
    except (BadZipFile, Damaged):
        return None
    return entry if f"{entry.request.key}{SUFFIX}" == info.filename else None
