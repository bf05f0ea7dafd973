"""Looking at files before a job is taken, and writing them whole or not at all.

All of it blocks, so the control process calls it in a thread.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.errors import Refusal
from daemon.osc.arguments import shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PATH_BYTES = 1000
PART = ".part"


def allowed_file(text: str, roots: Sequence[Path]) -> Path:
    """Return the file that `text` names, links resolved.

    Raises Refusal where it is outside `roots` (which are resolved), missing, or no plain file.
    """
    if len(os.fsencode(text)) > PATH_BYTES:
        raise Refusal("bad_file", f"path has {len(text)} characters; allowed: {PATH_BYTES} bytes")
    try:
        path = Path(text).expanduser()
        if not path.is_absolute():
            raise Refusal(
                "bad_file", f"path is {shown(text)}; allowed: an absolute path, or one with ~"
            )
        real = path.resolve()
        # Checked before the file is looked for: what lies outside stays unknown.
        if not is_inside(real, roots):
            folders = ", ".join(str(root) for root in roots)
            raise Refusal(
                "bad_file", f"path {shown(text)} is outside the allowed folders: {folders}"
            )
        if not real.exists():
            raise Refusal("bad_file", f"file {shown(text)} does not exist")
        if not real.is_file():
            raise Refusal("bad_file", f"path {shown(text)} is no plain file")
    except (OSError, RuntimeError) as error:
        raise Refusal("bad_file", f"path {shown(text)} cannot be used: {error}") from error
    return real


def is_inside(path: Path, roots: Sequence[Path]) -> bool:
    """Return whether a path without links lies below one of `roots`."""
    return any(path.is_relative_to(root) for root in roots)


def audio_seconds(path: Path) -> float:
    """Return the length of an audio file. Raises Refusal where it cannot be read as one."""
    import soundfile

    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        raise Refusal(
            "bad_file",
            f"file {shown(str(path))} is no audio that can be read; allowed: WAV, FLAC, AIFF, MP3",
        ) from error
    return float(info.frames / info.samplerate)


def check_region(path: Path, start_s: float, end_s: float) -> float:
    """Return the file's length in seconds. Raises Refusal where the region is not in it."""
    length_s = audio_seconds(path)
    if end_s > length_s:
        raise Refusal(
            "bad_region",
            f"end_s is {end_s:g}; allowed: up to {length_s:.3f} s, the length of {path.name}",
        )
    return length_s


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path` to write; rename it to `path` when all went well."""
    part = path.with_name(f".{path.name}{PART}")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_wav(audio: "NDArray[np.float32]", rate_hz: int, path: Path) -> None:
    """Write samples (N,) as a 32-bit float WAV file. Raises OSError where the disk refuses."""
    import soundfile

    # Not to the file itself: libsndfile calls a full disk a "System error".
    held = BytesIO()
    soundfile.write(held, audio, rate_hz, subtype="FLOAT", format="WAV")
    with whole(path) as part:
        part.write_bytes(held.getbuffer())


def write_json(value: object, path: Path) -> None:
    """Write plain data as JSON; numbers that JSON has no word for (NaN) become null."""
    with whole(path) as part:
        part.write_text(json.dumps(finite(value), indent=1) + "\n", "utf-8")


def finite(value: object) -> object:
    """Return plain data with null for each number that is not finite."""
    match value:
        case float():
            return value if isfinite(value) else None
        case dict():
            return {key: finite(item) for key, item in value.items()}
        case list() | tuple():
            return [finite(item) for item in value]
    return value
