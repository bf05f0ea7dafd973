"""The built-in model as one that leaves off: as it is until then, and at once from then on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from daemon.engine.inbox import Inbox
from daemon.engine.produce import Held
from daemon.engine.stoppable import Unwanted, stoppable
from daemon.engine.wire import RenderOrder, Stopped
from daemon.engine.worker import Worker
from ditto_rt import builtin
from ditto_rt.model import JumpModel, Model
from ditto_rt.render import Progress, Take, render
from ditto_rt.sampling import guided
from ditto_rt.spec import Intensity, Job, Point, Quality
from ditto_rt.tags import Tags

SEARCH = Job(
    bpm=240,
    beats=8,
    intensity=Intensity(points=(Point(beat=0, db=-20),)),
    quality=Quality(iterations=3),
)


@pytest.fixture(scope="module")
def model() -> Model:
    return builtin.load(torch.device("cpu"))


def test_a_take_is_the_same_until_somebody_stops_it(model: Model) -> None:
    watched = stoppable(model, lambda: False)
    assert isinstance(watched, JumpModel) == isinstance(model, JumpModel)
    plain, same = (list(render(SEARCH, each, 48_000))[-1] for each in (model, watched))
    assert isinstance(plain, Take) and isinstance(same, Take)
    np.testing.assert_array_equal(plain.audio_N, same.audio_N)


def test_it_leaves_off_on_the_way_there_and_on_the_way_back(model: Model) -> None:
    unwanted = False
    watched = stoppable(model, lambda: unwanted)
    shape = model.latent_shape(2 * model.sample_rate_hz)
    cond = model.condition(Tags(), 120, 0, shape[-1])
    x_T = torch.randn(1, *shape, requires_grad=True)
    denoise = guided(watched, cond, 2.0)
    found = denoise(x_T, torch.tensor(1.0), torch.tensor(0.0))
    unwanted = True
    with pytest.raises(Unwanted):
        found.sum().backward()
    assert x_T.grad is None
    with pytest.raises(Unwanted):
        denoise(x_T, torch.tensor(1.0), torch.tensor(0.0))
    with pytest.raises(Unwanted):
        watched.decode(found.detach())


@pytest.mark.parametrize("warm", [False, True])
def test_a_cancelled_job_ends_within_its_step_and_a_warm_one_after_it(
    model: Model, tmp_path: Path, warm: bool
) -> None:
    inbox, steps = Inbox(), 0

    def cancelled(
        job: Job, made_by: Model, rate_hz: int, _: Held | None
    ) -> Iterator[Progress | Take]:
        nonlocal steps
        for step in render(job, made_by, rate_hz):
            yield step
            steps += 1
            if steps == 1:
                # As the reader does, while the worker computes.
                inbox._cancelled.add(1)

    (tmp_path / "shelf").mkdir()
    order = RenderOrder(
        id=1,
        slot=0,
        version=1,
        job=SEARCH,
        shelf=str(tmp_path / "shelf"),
        takes=str(tmp_path),
        rate_hz=48_000,
        warm=warm,
    )
    worker = Worker(inbox, lambda event: None, model, cancelled)
    stopped = worker.carry_out(order)
    assert isinstance(stopped, Stopped) and stopped.code == "cancelled"
    assert (0 in worker._held) == warm
