"""Scenes as one zip file, to carry to another machine: their JSON files and their sound.

Nothing else may be in it. A scene comes in whole, with sound that fits its digests, or not at all.
"""

import hashlib
import io
import logging
import re
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from daemon import zips
from daemon.errors import Refusal
from daemon.files import whole
from daemon.scenes.folder import SceneFolder, read_scene
from daemon.scenes.scene import DIGEST, Scene
from ditto_rt.spec import Report

# 16 s of sound at 192 kHz take 12 MB.
MEMBER_BYTES = 2**25
RULES = zips.Rules(
    "set of scenes",
    re.compile(rf"{DIGEST}\.(?:json|wav)"),
    "64 hex digits and .json or .wav",
    MEMBER_BYTES,
)

Read = Callable[[ZipInfo], bytes]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Imported:
    """The names of the scenes that came in, and how many were damaged and left out."""

    names: tuple[str, ...]
    damaged: int


def write_bundle(folder: SceneFolder, scenes: Collection[Scene], path: Path) -> None:
    """Write scenes into a zip file, whole or not at all.

    Raises Refusal where the sound of one is gone, OSError.
    """
    with whole(path) as part, ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        for scene in scenes:
            bundle.writestr(f"{scene.key}.json", scene.model_dump_json(exclude_none=True))
        for digest in sorted(set().union(*(scene.audio for scene in scenes))):
            sound = folder.audio_path(digest)
            if not sound.is_file():
                (name, *_) = (scene.name for scene in scenes if digest in scene.audio)
                raise Refusal("bad_file", f"scene {name!r} has lost its sound {sound.name}")
            bundle.write(sound, sound.name)


def read_bundle(folder: SceneFolder, path: Path) -> Imported:
    """Keep the scenes of a zip file, in place of those with their names.

    Raises Refusal for a file that is no set of scenes, OSError.
    """
    names, damaged = [], 0
    with zips.opened(path, RULES) as (infos, read):
        sounds = {info.filename: info for info in infos if info.filename.endswith(".wav")}
        for info in infos:
            if info.filename in sounds:
                continue
            try:
                scene = read_scene(read(info), info.filename)
                folder.take_in(scene, dict(_sounds(scene, sounds, read)))
                names.append(scene.name)
            except (Refusal, BadZipFile) as error:
                log.warning("a scene in %s is left out: %s", path.name, error)
                damaged += 1
    return Imported(tuple(names), damaged)


def _sounds(
    scene: Scene, members: Mapping[str, ZipInfo], read: Read
) -> Iterator[tuple[str, bytes]]:
    for part in scene.parts:
        if part.audio is None or part.take is None:
            continue
        name = f"{part.audio}.wav"
        if name not in members:
            raise Refusal("bad_file", f"scene {scene.name!r} comes without its sound {name}")
        data = read(members[name])
        if hashlib.sha256(data).hexdigest() != part.audio or not _is_take(data, part.take.report):
            raise Refusal("bad_file", f"scene {scene.name!r} has a damaged sound {name}")
        yield part.audio, data


def _is_take(data: bytes, report: Report) -> bool:
    import soundfile

    try:
        info = soundfile.info(io.BytesIO(data))
    except (soundfile.SoundFileError, TypeError):
        return False
    return (info.channels, info.samplerate, info.frames) == (1, report.sample_rate, report.frames)
