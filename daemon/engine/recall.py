"""Rendering with a memory: what was made is not made again, what is like it begins from there.

The engine and `ditto-rt render` both come through `Recall`. The cache is a help and never a
condition: where it fails, the take is rendered without it.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from daemon import config
from daemon.cache import digest
from daemon.cache.blob import Entry
from daemon.cache.request import Request, distances, request_of
from daemon.cache.store import FAR, Cache
from daemon.engine.ladder import climb_down
from daemon.engine.produce import Found, Held, Render
from daemon.engine.wire import Hit
from ditto_rt.builtin import weights
from ditto_rt.layout import lay_out
from ditto_rt.limits import SEED
from ditto_rt.model import Model
from ditto_rt.render import Progress, Take, iterations_of
from ditto_rt.spec import Job

T = TypeVar("T")
Latent = NDArray[np.float32]

MEGABYTE = 1_000_000
# A search that begins next to its end would overshoot at the full learning rate: 8 iterations at
# 0.05 and 4 at 0.02 for a curve moved by 3 dB. At distance 1 there is all the way to go.
LEAST_RATE = 0.2

log = logging.getLogger(__name__)


def renderer(settings: config.Cache) -> Render:
    """Return how takes of the built-in model are rendered: with a cache where one is wanted.

    A folder that cannot be used costs a warning and the cache, not the engine.
    """
    made_by = digest.of_folder(weights.FOLDER)
    if not settings.enabled:
        return Recall(None, made_by, settings.first_of)
    try:
        cache = Cache(config.expand(settings.folder), settings.most_mb * MEGABYTE)
        return Recall(cache, made_by, settings.first_of)
    except (OSError, sqlite3.Error) as error:
        log.warning("cache.folder is %s, which cannot be used: %s", settings.folder, error)
        return Recall(None, made_by, settings.first_of)


@dataclass(frozen=True, eq=False)
class _Start:
    """A noise to begin with, where it is from, and how far its search has to go."""

    hit: Hit
    x_T: Latent
    distance: float


class Search(Protocol):
    """As `ditto_rt.render.render`."""

    def __call__(
        self, job: Job, model: Model, output_rate_hz: int, start: Latent | None = None
    ) -> Iterator[Progress | Take]:
        """Yield progress and, last, the take."""


class Recall:
    """A renderer that asks the cache first and tells it afterwards."""

    def __init__(
        self, cache: Cache | None, weights: str, first_of: int = 1, search: Search = climb_down
    ) -> None:
        """Use `cache`, where there is one, for a model whose weights have that digest.

        first_of: a search that nothing in the cache is like begins from the best of so many noises.
        """
        self._cache = cache
        self._weights = weights
        self._first_of = first_of
        self._search = search

    def __call__(
        self, job: Job, model: Model, output_rate_hz: int, held: Held | None = None
    ) -> Iterator[Progress | Take | Found]:
        """Yield how the take is found, then as `render` does; raises what `render` raises.

        held: the noise to begin with where it is near enough, before any of the cache's.
        """
        started_s = time.perf_counter()
        cache, request = self._cache, self._request(job, model, output_rate_hz)
        entry = request and cache and self._tried(lambda: cache.find(request))
        if entry:
            yield Found("exact", 0.0)
            yield _take(entry, time.perf_counter() - started_s)
            return
        start = self._start(request, job, model, held) if request else None
        if start or cache:
            yield Found(start.hit if start else "none", start.distance if start else 1.0)
        x_T, begun = None, job
        if start:
            x_T, begun = on_shell(start.x_T), gentler(job, start.distance)
        elif self._first_of > 1 and iterations_of(job):
            begun = best_seed(job, model, output_rate_hz, self._first_of, self._search)
        for step in self._search(begun, model, output_rate_hz, x_T):
            # A take of less than was asked is no answer to the same request at another time.
            if isinstance(step, Take) and request and cache and not step.report.lowered:
                self._keep(cache, request, job, step)
            yield step

    def _request(self, job: Job, model: Model, rate_hz: int) -> Request | None:
        if job.region and job.region.mode == "continue":
            # Each segment of an endless slot is new, and there are hundreds in an hour.
            return None
        return self._tried(lambda: request_of(job, rate_hz, model.name, self._weights))

    def _start(self, request: Request, job: Job, model: Model, held: Held | None) -> _Start | None:
        # Without a search the seed's own noise is what was asked for.
        if not iterations_of(job):
            return None
        shape = (1, *model.latent_shape(lay_out(job, model.sample_rate_hz, request.rate_hz).total))
        before = self._request(held.job, model, request.rate_hz) if held else None
        if held and before and held.x_T.shape == shape and before.kind == request.kind:
            away = float(distances(before.vector()[None], request.vector())[0])
            if away <= FAR:
                return _Start("running", held.x_T, max(away, held.left))
        cache = self._cache
        near = cache and self._tried(lambda: cache.nearest(request, shape))
        return _Start("near", near.entry.x_T, near.distance) if near else None

    def _keep(self, cache: Cache, request: Request, job: Job, take: Take) -> None:
        entry = Entry(request, take.report, take.x_T, take.audio_N, time.time())
        # A region's file may have been saved anew meanwhile: then nobody knows what this is.
        path = job.region.path if job.region else ""
        if path and self._tried(lambda: digest.of_file(Path(path))) != request.region:
            log.warning("file %s changed while it was used; its take is not kept", path)
            return
        self._tried(lambda: cache.keep(entry))

    def _tried(self, what: Callable[[], T]) -> T | None:
        try:
            return what()
        except (OSError, sqlite3.Error) as error:
            log.warning("cache is not used: %s", error)
            return None


def on_shell(x_T: Latent) -> Latent:
    """Return a latent scaled to the size of noise, which each search leaves by some percent.

    Otherwise takes that grow from takes would drift away from what the model knows.
    """
    size = np.sqrt(np.mean(np.square(x_T, dtype=np.float64)))
    return np.asarray(x_T / size if size > 0 else x_T, np.float32)


def gentler(job: Job, distance: float) -> Job:
    """Return the job with the learning rate of a search that begins so far from its end."""
    share = min(1.0, LEAST_RATE + (1 - LEAST_RATE) * distance)
    rate = job.quality.rate * share
    quality = job.quality.model_copy(update={"learning_rate": rate})
    return job.model_copy(update={"quality": quality})


def _take(entry: Entry, wall_s: float) -> Take:
    report = entry.report.model_copy(update={"wall_s": wall_s})
    return Take(entry.audio_N, entry.request.rate_hz, report, entry.x_T)


def best_seed(job: Job, model: Model, rate_hz: int, count: int, search: Search) -> Job:
    """Return the job with the best of `count` seeds, its own first, each heard after one step."""
    seeds = [(job.seed + number * 7919) % (int(SEED.high) + 1) for number in range(count)]
    quality = job.quality.model_copy(update={"search_steps": 1, "iterations": 1})
    losses = []
    for seed in seeds:
        trial = job.model_copy(update={"seed": seed, "quality": quality})
        steps = search(trial, model, rate_hz)
        heard = (s.loss for s in steps if isinstance(s, Progress) and s.loss is not None)
        losses.append(next(heard, np.inf))
    best = seeds[int(np.argmin(losses))]
    return job.model_copy(update={"seed": best})
