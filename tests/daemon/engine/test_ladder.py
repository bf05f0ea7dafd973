"""Memory that is short: what is tried, in which order, and how it ends."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest
import torch

from daemon.engine.ladder import climb_down, is_out_of_memory, is_spoilt
from ditto_rt.errors import BadFile, OutOfMemory
from ditto_rt.model import Model
from ditto_rt.render import Draft, Progress, Take
from ditto_rt.spec import Job, Quality
from tests.daemon_office import report
from tests.source_tree import ROOT

CPU = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
JOB = Job(quality=Quality(steps=20, search_steps=4))


class Place:
    """As much of a model as a failure names."""

    device = torch.device("cpu")


MODEL = cast(Model, Place())


class Search:
    """A search that finds something and then needs more memory than there is, so many times."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures, self.error = failures, error or RuntimeError(CPU)
        self.asked: list[tuple[int, int, bool, Any]] = []

    def __call__(
        self, job: Job, model: Model, rate_hz: int, start: Any, thrifty: bool
    ) -> Iterator[Progress | Take]:
        first = None if start is None else float(start[0, 0, 0, 0])
        self.asked.append((job.quality.steps, job.quality.search_steps, thrifty, first))
        made = Take(np.zeros(4, np.float32), rate_hz, report(), np.ones((1, 1, 1, 1), np.float32))
        found = torch.full((1, 1, 1, 1), float(len(self.asked)))
        yield Progress(0.5, 1.0, Draft(1, found, lambda: made))
        if len(self.asked) <= self.failures:
            raise self.error
        yield made


def test_with_enough_memory_nothing_is_lowered() -> None:
    search = Search(0)
    *_, take = climb_down(JOB, MODEL, 48_000, None, search)
    assert isinstance(take, Take) and take.report.lowered == ""
    assert search.asked == [(20, 4, False, None)]


def test_first_fewer_steps_then_one_call_at_a_time_from_the_best_noise() -> None:
    search = Search(2)
    *steps, take = climb_down(JOB, MODEL, 48_000, None, search)
    assert search.asked == [(20, 4, False, None), (10, 2, False, 1.0), (5, 1, True, 2.0)]
    wanted = "steps 5 in place of 20, search_steps 1 in place of 4, one call at a time"
    assert isinstance(take, Take) and take.report.lowered == wanted
    assert isinstance(steps[-1], Progress) and steps[-1].draft
    assert steps[-1].draft.take().report.lowered == wanted


def test_at_last_it_says_so() -> None:
    with pytest.raises(OutOfMemory, match="does not fit .* cpu, even with .* allowed: a shorter"):
        list(climb_down(JOB, MODEL, 48_000, None, Search(3)))


def test_other_errors_are_not_tried_again() -> None:
    search = Search(1, BadFile("is gone"))
    with pytest.raises(BadFile):
        list(climb_down(JOB, MODEL, 48_000, None, search))
    assert len(search.asked) == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(CPU),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("could not create a primitive"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_every_way_to_say_it_is_known(error: Exception) -> None:
    assert is_out_of_memory(error)


def test_what_onednn_cannot_make_once_is_tried_without_it() -> None:
    search = Search(1, RuntimeError("could not create a primitive"))
    with torch.backends.mkldnn.flags(enabled=True):
        assert not is_spoilt()
        *_, take = climb_down(JOB, MODEL, 48_000, None, search)
        assert isinstance(take, Take) and is_spoilt()
    with torch.backends.mkldnn.flags(enabled=True):
        list(climb_down(JOB, MODEL, 48_000, None, Search(1)))
        assert not is_spoilt()


def test_what_only_sounds_like_it_is_not() -> None:
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert not is_out_of_memory(ValueError("out of memory is a song"))


REAL = """
    import resource
    from daemon.engine.ladder import climb_down
    from daemon.engine.produce import load_model, warm_up
    from ditto_rt.errors import OutOfMemory
    from ditto_rt.spec import Intensity, Job, Point, Quality

    model = load_model("cpu", 1)
    warm_up(model)
    curve = Intensity(points=(Point(beat=0, db=-30), Point(beat=8, db=-12)))
    quality = Quality(search_steps=8, iterations=1)
    # Long enough that it never fits into what the heap happens to hold free.
    job = Job(beats=8, intensity=curve, quality=quality)
    words = open("/proc/self/status").read().split()
    size = int(words[words.index("VmSize:") + 1]) * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    for spare_mb in (10, 100, 140):
        resource.setrlimit(resource.RLIMIT_AS, (size + spare_mb * 2**20, hard))
        try:
            *_, take = climb_down(job, model, 48_000)
            print("take", len(take.audio_N), take.report.lowered or "as asked", flush=True)
        except OutOfMemory as error:
            print("failed", error, flush=True)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    *_, take = climb_down(job, model, 48_000)
    print("after", len(take.audio_N), take.report.lowered or "as asked")
"""


def test_a_process_with_too_little_memory_lives_on() -> None:
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(REAL)],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=ROOT,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    lines = result.stdout.splitlines()
    assert len(lines) == 4 and lines[-1] == "after 192000 as asked"
    assert all(line.startswith(("take 192000 ", "failed take of 4 s")) for line in lines[:-1])
    assert any("search_steps" in line for line in lines[:-1]), lines
