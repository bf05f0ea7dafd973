"""What the engine and `ditto-rt render` share: the model, and what a renderer is."""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from daemon.engine.wire import Hit
from daemon.files import write_wav
from ditto_rt import builtin, devices
from ditto_rt.model import Model
from ditto_rt.render import Progress, Take, render
from ditto_rt.spec import Intensity, Job, Melody, Note, Point, Quality, Report, Structure

WARM_UP_HZ = 48_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What is known of a take; comes before all else, and not where nothing remembers.

    distance: how far the search has to go from what it begins with; 1 is all the way.
    """

    hit: Hit
    distance: float = 1.0


@dataclass(frozen=True, eq=False)
class Held:
    """The noise x_T (1, C, H, W) that a slot's newest search had come to.

    left: how much of its way was still to go, 0 for none and 1 for all.
    """

    job: Job
    x_T: NDArray[np.float32]
    left: float


Render: TypeAlias = Callable[[Job, Model, int, Held | None], Iterator[Progress | Take | Found]]


def load_model(device_name: str, threads: int) -> Model:
    """Return the built-in model on its device; threads 0: as many as the machine has cores.

    Raises NoModel, and ValueError where the device is not there.
    """
    devices.set_numerics(threads or os.cpu_count() or 1)
    return builtin.load(devices.choose(device_name))


def warm_up(model: Model) -> None:
    """Make a short take with all controls and forget it.

    Libraries load and compile at their first use; this is not the time of somebody who waits.
    """
    curve = Intensity(points=(Point(beat=0, db=-20),))
    melody = Melody(notes=(Note(pitch=60, beat=0, beats=4),))
    quality = Quality(steps=1, search_steps=1, iterations=1)
    form = Structure(pattern="AB")
    job = Job(beats=4, intensity=curve, melody=melody, structure=form, quality=quality)
    try:
        deque(render(job, model, WARM_UP_HZ), 0)
    except Exception:
        # A job that meets the same will say so to who asked for it.
        log.exception("the first take of all failed")


def produce(
    steps: Iterator[Progress | Take | Found], wav: Path
) -> Iterator[Progress | Found | Report]:
    """Pass on what comes first; write the take to `wav` when it comes, and yield its report last.

    Leaving early closes `steps`, and nothing is written. Raises what `steps` raises, and OSError
    where the disk refuses.
    """
    for step in steps:
        if isinstance(step, Take):
            write_wav(step.audio_N, step.rate_hz, wav)
            yield step.report
        else:
            yield step
