"""Zip files from elsewhere: every name is checked before a byte is kept, every size when read."""

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from daemon.errors import Refusal
from daemon.osc.arguments import shown

MEMBERS = 100_000
# Two compressions whose failures are known.
_WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Rules:
    """What a bundle may hold: names, in words for a sentence too, and bytes of one member."""

    what: str
    name: re.Pattern[str]
    names: str
    member_bytes: int


@contextmanager
def opened(path: Path, rules: Rules) -> Iterator[tuple[list[ZipInfo], Callable[[ZipInfo], bytes]]]:
    """Give a zip file's members, all of them allowed, and how to read one.

    Reading raises BadZipFile for a damaged member. Raises Refusal for a file that is no such
    bundle, OSError.
    """
    try:
        with ZipFile(path) as bundle:
            infos = bundle.infolist()
            if len(infos) > MEMBERS:
                raise BadZipFile(f"it has {len(infos)} members; allowed: {MEMBERS}")
            for info in infos:
                _check(info, rules)
            yield infos, lambda info: _read(bundle, info, rules.member_bytes)
    except (BadZipFile, RuntimeError, ValueError, EOFError, OverflowError, struct.error) as error:
        raise Refusal("bad_file", f"file {path} is no {rules.what}: {error}") from error


def _check(info: ZipInfo, rules: Rules) -> None:
    # orig_filename: what stands in the file, before zipfile makes it look harmless.
    if not rules.name.fullmatch(info.orig_filename):
        raise BadZipFile(f"it has a member {shown(info.orig_filename)}; allowed: {rules.names}")
    if info.file_size > rules.member_bytes or info.compress_type not in _WAYS:
        raise BadZipFile(
            f"member {info.filename} has {info.file_size} bytes and compression "
            f"{info.compress_type}; allowed: {rules.member_bytes} bytes, compression 0 or 8"
        )


def _read(bundle: ZipFile, info: ZipInfo, most_bytes: int) -> bytes:
    try:
        with bundle.open(info) as file:
            # The size that the list states may be a lie.
            data = file.read(most_bytes + 1)
    except (zlib.error, EOFError) as error:
        raise BadZipFile(str(error)) from error
    if len(data) > most_bytes:
        raise BadZipFile(f"member {info.filename} has more than {most_bytes} bytes")
    return data
