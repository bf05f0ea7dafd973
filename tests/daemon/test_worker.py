"""The engine's loop, driven by small real generators in the place of a model's."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile

from daemon.engine.inbox import Inbox
from daemon.engine.worker import work
from daemon.wire import (
    Advanced,
    CancelOrder,
    Event,
    Finished,
    RenderOrder,
    Stopped,
    encode,
    read_event,
    read_order,
)
from ditto_rt.errors import BadFile
from ditto_rt.model import Model
from ditto_rt.render import Progress, Take
from ditto_rt.spec import Job, Region
from tests.daemon_office import report

MODEL = cast(Model, object())
AUDIO = np.linspace(-1, 1, 480, dtype=np.float32)


def three_steps(job: Job, model: Model, rate_hz: int) -> Iterator[Progress | Take]:
    for number in range(3):
        yield Progress(number / 3, None if number == 0 else 1.0 / number)
    yield Take(AUDIO, rate_hz, report(), np.zeros((1, 2, 1, 3), np.float32))


def order(folder: Path, number: int = 1, job: Job | None = None) -> RenderOrder:
    return RenderOrder(
        id=number,
        slot=0,
        version=number,
        job=job or Job(),
        wav=str(folder / f"slot00_v{number:04d}.wav"),
        rate_hz=48_000,
    )


def carried_out(orders: list[Any], render: Any = three_steps) -> list[Event]:
    inbox, events = Inbox(), list[Event]()
    for each in orders:
        inbox._renders.put(each)
    inbox._renders.put(None)
    work(inbox, events.append, MODEL, render)
    return events


def test_a_job_ends_with_its_files(tmp_path: Path) -> None:
    job = Job(seed=5)
    events = carried_out([order(tmp_path, job=job)])
    assert events == [
        Advanced(id=1, fraction=0.0, loss=None),
        Advanced(id=1, fraction=1 / 3, loss=1.0),
        Advanced(id=1, fraction=2 / 3, loss=0.5),
        Finished(id=1, report=report()),
    ]
    audio, rate_hz = soundfile.read(tmp_path / "slot00_v0001.wav", dtype="float32")
    assert rate_hz == 48_000 and np.array_equal(audio, AUDIO)
    held = json.loads((tmp_path / "slot00_v0001.json").read_text())
    assert held["asked"]["seed"] == 5 and held["frames"] == 4800


def test_a_job_that_fails_is_told_and_the_next_one_runs(tmp_path: Path) -> None:
    def render(job: Job, model: Model, rate_hz: int) -> Iterator[Progress | Take]:
        if job.seed == 1:
            raise BadFile("file is gone")
        if job.seed == 2:
            raise ZeroDivisionError("by nothing")
        yield from three_steps(job, model, rate_hz)

    jobs = [order(tmp_path, seed, Job(seed=seed)) for seed in (1, 2, 3)]
    events = [e for e in carried_out(jobs, render) if not isinstance(e, Advanced)]
    assert events[0] == Stopped(id=1, code="bad_file", text="file is gone")
    assert events[1] == Stopped(id=2, code="engine_error", text="ZeroDivisionError: by nothing")
    assert isinstance(events[2], Finished)


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (event,) = [e for e in carried_out([order(tmp_path / "none")]) if isinstance(e, Stopped)]
    assert event.code == "disk" and "cannot be written" in event.text


def test_a_cancelled_job_stops_between_steps_and_writes_nothing(tmp_path: Path) -> None:
    inbox, closed = Inbox(), list[bool]()

    def render(job: Job, model: Model, rate_hz: int) -> Iterator[Progress | Take]:
        try:
            for number in range(1000):
                yield Progress(number / 1000, None)
            raise AssertionError("went on to the end")
        finally:
            closed.append(True)

    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        if len(events) == 5:
            inbox.read([encode(CancelOrder(id=1))])

    inbox._renders.put(order(tmp_path))
    work(inbox, emit, MODEL, render)
    assert events[-1] == Stopped(id=1, code="cancelled", text="slot 0 was cancelled")
    assert len(events) == 6 and closed == [True]
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_the_orders_ends_the_work(tmp_path: Path) -> None:
    inbox = Inbox()
    reader = threading.Thread(target=inbox.read, args=([encode(order(tmp_path))],))
    events: list[Event] = []
    reader.start()
    reader.join()
    work(inbox, events.append, MODEL, three_steps)
    # The control process is gone: what it ordered is not worth finishing.
    assert [type(event) for event in events] == [Stopped]


def test_messages_survive_their_way(tmp_path: Path) -> None:
    job = Job(region=Region(path="/ä.wav", start_s=0, end_s=1, mode="vary"))
    for sent in (order(tmp_path, job=job), CancelOrder(id=3)):
        assert read_order(encode(sent)) == sent
    losses = report((1.0, float("nan")))
    back = read_event(encode(Finished(id=1, report=losses)))
    assert isinstance(back, Finished) and back.report.loss[1] != back.report.loss[1]
    for line in (b"", b"{}", b'{"kind": "sing"}', b"\xff\n"):
        with pytest.raises(ValueError, match=r"."):
            read_event(line)
