"""Rendering with a memory: what was made is not made again, what is like it begins from there.

The engine and `ditto-rt render` both come through `Recall`. The cache is a help and never a
condition: where it fails, the take is rendered without it.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from daemon import config
from daemon.cache import digest
from daemon.cache.blob import Entry
from daemon.cache.request import Request, request_of
from daemon.cache.store import Cache, Near
from daemon.engine.produce import Found, Render
from ditto_rt.builtin import weights
from ditto_rt.layout import lay_out
from ditto_rt.limits import SEED
from ditto_rt.model import Model
from ditto_rt.render import Progress, Take, iterations_of
from ditto_rt.render import render as render_anew
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
    if not settings.enabled:
        return render_anew
    try:
        cache = Cache(config.expand(settings.folder), settings.most_mb * MEGABYTE)
        return Recall(cache, digest.of_folder(weights.FOLDER), settings.first_of)
    except (OSError, sqlite3.Error) as error:
        log.warning("cache.folder is %s, which cannot be used: %s", settings.folder, error)
        return render_anew


class Search(Protocol):
    """As `ditto_rt.render.render`."""

    def __call__(
        self, job: Job, model: Model, output_rate_hz: int, start: Latent | None = None
    ) -> Iterator[Progress | Take]:
        """Yield progress and, last, the take."""


class Recall:
    """A renderer that asks the cache first and tells it afterwards."""

    def __init__(
        self, cache: Cache, weights: str, first_of: int = 1, search: Search = render_anew
    ) -> None:
        """Use `cache` for a model whose weights have that digest.

        first_of: a search that nothing in the cache is like begins from the best of so many noises.
        """
        self._cache = cache
        self._weights = weights
        self._first_of = first_of
        self._search = search

    def __call__(
        self, job: Job, model: Model, output_rate_hz: int
    ) -> Iterator[Progress | Take | Found]:
        """Yield how the take is found, then as `render` does; raises what `render` raises."""
        started_s = time.perf_counter()
        request = self._tried(lambda: request_of(job, output_rate_hz, model.name, self._weights))
        entry = request and self._tried(lambda: self._cache.find(request))
        if entry:
            yield Found("exact")
            yield _take(entry, time.perf_counter() - started_s)
            return
        near = self._near(request, job, model) if request else None
        yield Found("near" if near else "none")
        start, begun = None, job
        if near:
            start, begun = on_shell(near.entry.x_T), gentler(job, near.distance)
        elif self._first_of > 1 and iterations_of(job):
            begun = best_seed(job, model, output_rate_hz, self._first_of, self._search)
        for step in self._search(begun, model, output_rate_hz, start):
            if isinstance(step, Take) and request:
                self._keep(request, job, step)
            yield step

    def _near(self, request: Request, job: Job, model: Model) -> Near | None:
        # Without a search the seed's own noise is what was asked for.
        if not iterations_of(job):
            return None
        layout = lay_out(job, model.sample_rate_hz, request.rate_hz)
        shape = (1, *model.latent_shape(layout.total))
        return self._tried(lambda: self._cache.nearest(request, shape))

    def _keep(self, request: Request, job: Job, take: Take) -> None:
        entry = Entry(request, take.report, take.x_T, take.audio_N, time.time())
        # A region's file may have been saved anew meanwhile: then nobody knows what this is.
        path = job.region.path if job.region else ""
        if path and self._tried(lambda: digest.of_file(Path(path))) != request.region:
            log.warning("file %s changed while it was used; its take is not kept", path)
            return
        self._tried(lambda: self._cache.keep(entry))

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
    rate = job.quality.learning_rate * share
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
        first = next(steps)
        losses.append(first.loss if isinstance(first, Progress) and first.loss else np.inf)
    best = seeds[int(np.argmin(losses))]
    return job.model_copy(update={"seed": best})
