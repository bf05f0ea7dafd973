"""The corpus on disk: shards of clips with their labels, made once and read many times."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from ditto_rt.tags import GENRES, MOODS

SHARD_CLIPS = 50


@dataclass(frozen=True)
class Shard:
    """Clips laid end to end. audio_N is 16-bit mono; clip i is audio_N[start_I[i]:start_I[i+1]]."""

    audio_N: NDArray[np.int16]
    start_I: NDArray[np.int64]
    bpm_I: NDArray[np.float64]
    genre_I: NDArray[np.int64]
    mood_I: NDArray[np.int64]

    def clips(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield each clip's index and its audio as float32."""
        for index in range(len(self.bpm_I)):
            part = self.audio_N[self.start_I[index] : self.start_I[index + 1]]
            yield index, part.astype(np.float32) / 32767.0


def _path(folder: Path, index: int) -> Path:
    return folder / f"shard_{index:05d}.npz"


def write_shard(folder: Path, index: int) -> Path:
    """Render the clips of one shard and write them whole or not at all.

    Indices in genre_I and mood_I start at 1; 0 is left for 'not said'.
    """
    from ditto_rt.training.corpus import make_clip

    clips = [make_clip(index * SHARD_CLIPS + i) for i in range(SHARD_CLIPS)]
    path = _path(folder, index)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(
            file,
            audio_N=np.concatenate([np.rint(c.audio_N * 32767).astype(np.int16) for c in clips]),
            start_I=np.cumsum([0] + [len(c.audio_N) for c in clips]),
            bpm_I=np.array([c.tempo_bpm for c in clips], np.float64),
            genre_I=np.array([1 + GENRES.index(c.genre) for c in clips]),
            mood_I=np.array([1 + MOODS.index(c.mood) for c in clips]),
        )
    part.rename(path)
    return path


def make_shards(folder: Path, clips: int, workers: int) -> None:
    """Render the first `clips` training seeds into `folder`, leaving shards that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [i for i in range(-(-clips // SHARD_CLIPS)) if not _path(folder, i).exists()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(write_shard, folder, index) for index in wanted]
        for done in track(as_completed(running), "composing and rendering", total=len(running)):
            done.result()


def read_shards(folder: Path, most: int | None = None) -> Iterator[Shard]:
    """Yield the shards of `folder` in order; raises FileNotFoundError where there are none."""
    paths = sorted(folder.glob("shard_*.npz"))[:most]
    if not paths:
        raise FileNotFoundError(f"no corpus in {folder}; make it with: make train")
    for path in paths:
        with np.load(path) as stored:
            yield Shard(**{name: stored[name] for name in stored.files})
