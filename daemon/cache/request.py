"""What a take was asked to be: its key, the kind it is comparable with, and its feature vector.

Two requests of one kind have latents that can stand for each other; the vector says how alike they
are. D dimensions, P points along the take, R rows.
"""

import json
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from daemon.cache import digest
from ditto_rt import __version__
from ditto_rt.spec import Intensity, Job, Melody, Structure
from ditto_rt.tags import GENRES, MOODS

Vector = NDArray[np.float32]

POINTS = 32
# So many decibels everywhere are as far as one control that is there or is not.
LEVEL_UNIT_DB = 6.0
# A latent that plays wrong notes, or sections in the wrong place, is a worse start than noise.
CLASS_UNIT = 2.0
_CLASSES, _LETTERS, _CODE = 12, 16, 64
_LEVELS_END = 4 + POINTS
_NOTES_END = _LEVELS_END + _CLASSES * POINTS
# Whose presence each of the first numbers tells: intensity, melody, structure.
_PARTS = (
    slice(4, _LEVELS_END),
    slice(_LEVELS_END, _NOTES_END),
    slice(_NOTES_END, _NOTES_END + _LETTERS * POINTS),
)


class Request(BaseModel):
    """A job with what it is rendered by: model, digest of its weights, version of the program.

    `region` is the digest of the region's file, empty without one; the job keeps the file's name
    and not its folder, so that an entry that travels tells nothing about a disk.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: Job
    rate_hz: int
    model: str
    weights: str
    region: str = ""
    version: str = __version__

    @property
    def key(self) -> str:
        """Return the digest of all that decides what the take sounds like."""
        plain = self.model_dump()
        if plain["job"]["region"]:
            # The same bytes under another name are the same region.
            del plain["job"]["region"]["path"]
        return digest.of_bytes(json.dumps(plain, sort_keys=True).encode())

    @property
    def kind(self) -> str:
        """Return the digest of what must be equal for a latent to begin this request's search.

        The seed is part of it: who asks for another seed asks for another take.
        """
        job = self.job
        mode = job.region.mode if job.region else None
        same = (self.model, self.weights, job.bpm, job.beats, job.seed, mode, job.quality.sampler)
        return digest.of_bytes(json.dumps(same).encode())

    @property
    def words(self) -> str:
        """Return what was asked in a line for people."""
        job = self.job
        parts = [
            " ".join(word for word in (job.mood, job.genre) if word),
            f"{job.beats:g} beats at {job.bpm:g} bpm",
            f"seed {job.seed}",
            f"{job.region.mode} {job.region.path}" if job.region else "",
            "intensity" if job.intensity else "",
            f"{len(job.melody.notes)} notes" if job.melody else "",
            job.structure.pattern if job.structure else "",
            "loop" if job.loop else "",
        ]
        return ", ".join(part for part in parts if part)

    def vector(self) -> Vector:
        """Return vector_D, what was asked as numbers that `distances` compares."""
        job = self.job
        beats_P = (np.arange(POINTS) + 0.5) / POINTS * job.beats
        asked = (job.intensity, job.melody, job.structure, job.loop)
        parts = (
            np.array([part is not None for part in asked], np.float64),
            _levels(job.intensity, beats_P),
            CLASS_UNIT * _notes(job.melody, beats_P),
            CLASS_UNIT * _sections(job.structure),
            _choice(job.genre, GENRES),
            _choice(job.mood, MOODS),
            _code(self.region),
        )
        return np.concatenate(parts).astype(np.float32)


def distances(held_RD: Vector, wanted_D: Vector) -> NDArray[np.floating[Any]]:
    """Return how far each row's wishes are from those wanted.

    One control more or less is 1 away, whatever it asks; 6 dB along the whole curve 1; another
    genre, mood or region 1; notes or sections that differ all along 2. Squares add.
    """
    square_RD = (held_RD - wanted_D) ** 2
    for column, part in enumerate(_PARTS):
        square_RD[held_RD[:, column] != wanted_D[column], part] = 0
    return np.asarray(np.sqrt(square_RD.sum(axis=1)))


def request_of(job: Job, rate_hz: int, model: str, weights: str) -> Request:
    """Return the request that a job is; reads its region's file. Raises OSError."""
    if job.region is None:
        return Request(job=job, rate_hz=rate_hz, model=model, weights=weights)
    path = Path(job.region.path)
    named = job.region.model_copy(update={"path": path.name})
    return Request(
        job=job.model_copy(update={"region": named}),
        rate_hz=rate_hz,
        model=model,
        weights=weights,
        region=digest.of_file(path),
    )


def _levels(intensity: Intensity | None, beats_P: NDArray[np.float64]) -> NDArray[np.float64]:
    if intensity is None:
        return np.zeros(POINTS)
    at, levels_db = zip(*((point.beat, point.db) for point in intensity.points), strict=True)
    db_P = np.interp(beats_P, at, levels_db)
    return np.asarray(db_P / LEVEL_UNIT_DB / sqrt(POINTS), np.float64)


def _notes(melody: Melody | None, beats_P: NDArray[np.float64]) -> NDArray[np.float64]:
    one_hot = np.zeros((POINTS, _CLASSES))
    for note in sorted(melody.notes if melody else (), key=lambda note: note.beat):
        sounding_P = (beats_P >= note.beat) & (beats_P < note.beat + note.beats)
        one_hot[sounding_P] = np.eye(_CLASSES)[note.pitch % _CLASSES]
    return np.asarray(one_hot.ravel() / sqrt(2 * POINTS), np.float64)


def _sections(structure: Structure | None) -> NDArray[np.float64]:
    one_hot = np.zeros((POINTS, _LETTERS))
    if structure:
        word = structure.pattern.upper()
        # ABBA and CDDC are one form.
        order = {letter: number for number, letter in enumerate(dict.fromkeys(word))}
        for point in range(POINTS):
            one_hot[point, order[word[point * len(word) // POINTS]]] = 1
    return np.asarray(one_hot.ravel() / sqrt(2 * POINTS), np.float64)


def _choice(word: str | None, words: tuple[str, ...]) -> NDArray[np.float64]:
    return np.array([word == each for each in words], np.float64) / sqrt(2)


def _code(region: str) -> NDArray[np.float64]:
    # Digests that differ do so in half of their bits, so two regions are about 1 apart.
    if not region:
        return np.zeros(_CODE)
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(region)[: _CODE // 8], np.uint8))
    return np.asarray((2.0 * bits - 1) / sqrt(2 * _CODE), np.float64)
