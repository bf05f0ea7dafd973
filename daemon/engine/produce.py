"""Job -> files: what the engine and `ditto-rt render` share."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from daemon.files import write_json, write_wav
from daemon.takes import Take as TakeRecord
from daemon.wire import Hit
from ditto_rt import builtin, devices
from ditto_rt.model import Model
from ditto_rt.render import Progress, Take
from ditto_rt.spec import Job, Report


@dataclass(frozen=True)
class Found:
    """How the cache helps with a take; comes before all else, and not without a cache."""

    hit: Hit


Render: TypeAlias = Callable[[Job, Model, int], Iterator[Progress | Take | Found]]


def load_model(device_name: str, threads: int) -> Model:
    """Return the built-in model on its device; threads 0: as many as the machine has cores.

    Raises NoModel, and ValueError where the device is not there.
    """
    devices.set_numerics(threads or os.cpu_count() or 1)
    return builtin.load(devices.choose(device_name))


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


def write_report(job: Job, report: Report, slot: int, version: int, wav: Path) -> None:
    """Write what was asked and reached beside the take."""
    record = TakeRecord(slot=slot, version=version, asked=job, report=report)
    write_json(record.plain(), wav.with_suffix(".json"))
