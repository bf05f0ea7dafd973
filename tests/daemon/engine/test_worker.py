"""The engine's loop, driven by small real generators in the place of a model's."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile
import torch

from daemon.engine.inbox import Inbox
from daemon.engine.produce import Found, Held
from daemon.engine.wire import (
    Advanced,
    CancelOrder,
    Deadline,
    Event,
    Finished,
    MoveOrder,
    Published,
    Recalled,
    RenderOrder,
    Saved,
    SaveOrder,
    Stopped,
    encode,
    read_event,
    read_order,
)
from daemon.engine.worker import Worker, work
from ditto_rt.errors import BadFile, OutOfMemory
from ditto_rt.model import Model
from ditto_rt.render import Draft, Progress, Take
from ditto_rt.spec import Job, Region
from tests.daemon_office import report

MODEL = cast(Model, object())
AUDIO = np.linspace(-1, 1, 480, dtype=np.float32)


def three_steps(
    job: Job, model: Model, rate_hz: int, held: Held | None = None
) -> Iterator[Progress | Take]:
    for number in range(3):
        yield Progress(number / 3, None if number == 0 else 1.0 / number)
    yield Take(AUDIO, rate_hz, report(), np.zeros((1, 2, 1, 3), np.float32))


def shelf_of(folder: Path) -> Path:
    shelf = folder / "shelf"
    shelf.mkdir(parents=True, exist_ok=True)
    return shelf


def order(folder: Path, number: int = 1, job: Job | None = None) -> RenderOrder:
    return RenderOrder(
        id=number,
        slot=0,
        version=number,
        job=job or Job(),
        shelf=str(shelf_of(folder)),
        takes=str(folder),
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
        Published(id=1, version=1, report=report()),
        Finished(id=1),
    ]
    audio, rate_hz = soundfile.read(tmp_path / "slot00_v0001.wav", dtype="float32")
    assert rate_hz == 48_000 and np.array_equal(audio, AUDIO)
    held = json.loads((tmp_path / "slot00_v0001.json").read_text())
    assert held["asked"]["seed"] == 5 and held["frames"] == 4800


def test_a_job_that_fails_is_told_and_the_next_one_runs(tmp_path: Path) -> None:
    def render(
        job: Job, model: Model, rate_hz: int, held: Held | None
    ) -> Iterator[Progress | Take]:
        if job.seed == 1:
            raise BadFile("file is gone")
        if job.seed == 2:
            raise ZeroDivisionError("by nothing")
        yield from three_steps(job, model, rate_hz, held)

    jobs = [order(tmp_path, seed, Job(seed=seed)) for seed in (1, 2, 3)]
    events = [e for e in carried_out(jobs, render) if not isinstance(e, Advanced)]
    assert events[0] == Stopped(id=1, code="bad_file", text="file is gone")
    assert events[1] == Stopped(id=2, code="engine_error", text="ZeroDivisionError: by nothing")
    assert isinstance(events[-1], Finished)


def test_an_engine_that_memory_spoilt_ends_between_two_jobs(tmp_path: Path) -> None:
    def render(
        job: Job, model: Model, rate_hz: int, held: Held | None
    ) -> Iterator[Progress | Take]:
        if job.seed == 1:
            raise RuntimeError("could not create a primitive")
        yield from three_steps(job, model, rate_hz, held)

    jobs = [order(tmp_path, seed, Job(seed=seed)) for seed in (0, 1, 2)]
    with torch.backends.mkldnn.flags(enabled=True):
        events = [e for e in carried_out(jobs, render) if not isinstance(e, Advanced)]
    assert isinstance(events[-2], Finished)
    assert isinstance(events[-1], Stopped) and events[-1].code == OutOfMemory.code
    # The third one is for the engine that takes its place.
    assert events[-1].id == 1


def test_a_disk_that_refuses_costs_the_file_and_not_the_take(tmp_path: Path) -> None:
    missing = order(tmp_path).model_copy(update={"takes": str(tmp_path / "none")})
    *_, published, finished = carried_out([missing])
    assert published == Published(id=1, version=1, report=report())
    assert isinstance(finished, Finished) and "cannot be written: No such file" in finished.problem
    heard, _ = soundfile.read(tmp_path / "shelf" / "slot00_v0001.wav", dtype="float32")
    assert np.array_equal(heard, AUDIO)
    again = SaveOrder(
        slot=0, version=1, shelf=missing.shelf, takes=missing.takes, record={"slot": 0}
    )
    (event,) = carried_out([again])
    assert isinstance(event, Saved) and "No such file" in event.problem
    (tmp_path / "none").mkdir()
    assert carried_out([again]) == [Saved(slot=0, version=1)]
    assert sorted(path.name for path in (tmp_path / "none").iterdir()) == [
        "slot00_v0001.json",
        "slot00_v0001.wav",
    ]


def test_a_take_without_room_in_memory_is_played_from_its_file(tmp_path: Path) -> None:
    roomless = order(tmp_path).model_copy(update={"shelf": str(tmp_path / "none")})
    *_, published, finished = carried_out([roomless])
    assert isinstance(published, Published) and finished == Finished(id=1)
    assert (tmp_path / "slot00_v0001.wav").exists()
    nowhere = roomless.model_copy(update={"takes": str(tmp_path / "none")})
    assert [type(e) for e in carried_out([nowhere]) if not isinstance(e, Advanced)] == [Stopped]


@dataclass
class Clock:
    """Time that passes when a search says so."""

    now_s: float = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("daemon.engine.worker.time.monotonic", clock.monotonic)
    return clock


def searching(clock: Clock, steps: int, made: list[int], step_s: float = 0.5) -> Any:
    """Return a search each of whose steps is better than the one before; a take costs 0.2 s."""

    def take(number: int, final: bool = False) -> Take:
        made.append(number)
        clock.now_s += 0.2
        measured = report((1.0,) * number).model_copy(update={"final": final})
        return Take(AUDIO, 48_000, measured, np.zeros((1, 2, 1, 3), np.float32), number)

    def render(job: Job, model: Model, rate_hz: int, held: Held | None) -> Iterator[Any]:
        yield Found("running" if held else "none", 0.5 if held else 1.0)
        for number in range(steps):
            x_T = torch.full((1, 2, 1, 3), float(number))
            loss = None if number == 0 else 1.0 / number
            yield Progress(number / steps, loss, Draft(number, x_T, partial(take, number)))
            clock.now_s += step_s
        yield take(steps - 1, True)

    return render


def versions(events: list[Event]) -> list[tuple[int, bool]]:
    return [(e.version, e.report.final) for e in events if isinstance(e, Published)]


def test_the_first_version_comes_at_once_and_one_for_each_pass(
    tmp_path: Path, clock: Clock
) -> None:
    made: list[int] = []
    # A take of 4 s; 40 steps of 0.5 s are 20 s.
    events = carried_out([order(tmp_path, job=Job(beats=8))], searching(clock, 40, made))
    assert isinstance(events[0], Recalled) and isinstance(events[1], Advanced)
    assert events[2] == Published(
        id=1, version=1, report=report(()).model_copy(update={"final": False})
    )
    assert versions(events) == [(n, False) for n in range(1, 6)] + [(6, True)]
    assert made[0] == 0 and all(after - before >= 7 for before, after in pairwise(made[:-1]))


def test_a_last_version_that_is_heard_already_is_not_another_one(
    tmp_path: Path, clock: Clock
) -> None:
    events = carried_out([order(tmp_path)], searching(clock, 1, []))
    assert versions(events) == [(1, False), (1, True)] and isinstance(events[-1], Finished)


def test_a_deadline_is_kept_with_the_best_so_far(tmp_path: Path, clock: Clock) -> None:
    made: list[int] = []
    deadline = Deadline(beat=16, by_s=clock.now_s + 6)
    late = order(tmp_path, job=Job(beats=8)).model_copy(update={"deadline": deadline})
    events = carried_out([late], searching(clock, 1000, made))
    assert isinstance(events[-1], Finished) and versions(events)[-1][1]
    (published,) = [e for e in events if isinstance(e, Published) and e.report.final]
    assert published.promise and published.promise.kept and published.promise.beat == 16
    assert 0 <= published.promise.spare_s < 3.5
    assert made[-1] >= 4, "it searched for most of the time that it had"
    held = json.loads((tmp_path / f"slot00_v{published.version:04d}.json").read_text())
    assert held["deadline"]["kept"] is True


def test_a_deadline_that_moves_is_kept_where_it_is(tmp_path: Path, clock: Clock) -> None:
    made: list[int] = []
    inbox, events = Inbox(), list[Event]()
    far = Deadline(beat=16, by_s=clock.now_s + 600)
    near = Deadline(beat=20, by_s=clock.now_s + 6)
    late = order(tmp_path, job=Job(beats=8)).model_copy(update={"deadline": far})

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, Recalled):
            inbox.read([encode(MoveOrder(id=1, deadline=near))])
            inbox._closed.clear()

    inbox.read([encode(late)])
    inbox._closed.clear()
    work(inbox, emit, MODEL, searching(clock, 1000, made))
    (published,) = [e for e in events if isinstance(e, Published) and e.report.final]
    assert published.promise and published.promise.kept and published.promise.beat == 20
    assert 4 <= made[-1] < 12


def test_a_deadline_too_near_is_missed_as_little_as_can_be(tmp_path: Path, clock: Clock) -> None:
    made: list[int] = []
    deadline = Deadline(beat=16, by_s=clock.now_s + 0.1)
    late = order(tmp_path).model_copy(update={"deadline": deadline})
    events = carried_out([late], searching(clock, 1000, made))
    (published,) = [e for e in events if isinstance(e, Published)]
    assert published.promise and not published.promise.kept and made == [0]


def test_a_search_goes_on_from_where_the_replaced_one_was(tmp_path: Path, clock: Clock) -> None:
    inbox, events, helds = Inbox(), list[Event](), list[Held | None]()
    search = searching(clock, 40, [])

    def render(job: Job, model: Model, rate_hz: int, held: Held | None) -> Iterator[Any]:
        helds.append(held)
        yield from search(job, model, rate_hz, held)

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, Advanced) and event.id == 1 and event.fraction == 0.25:
            inbox.read([encode(CancelOrder(id=1))])
            inbox._closed.clear()

    first = order(tmp_path, job=Job(beats=8))
    inbox._renders.put(first)
    inbox._renders.put(first.model_copy(update={"id": 2, "warm": True}))
    inbox._renders.put(first.model_copy(update={"id": 3}))
    inbox._renders.put(None)
    work(inbox, emit, MODEL, render)
    cold, warm, other = helds
    assert cold is None and other is None and warm is not None
    assert warm.x_T[0, 0, 0, 0] == 11 and warm.left == pytest.approx(1 - 11 / 40)
    # What it begins with is heard already: a pass goes by before the first version.
    second = [e for e in events if getattr(e, "id", 0) == 2]
    assert [type(e) for e in second[:4]] == [Recalled, Advanced, Advanced, Advanced]


def test_jobs_that_follow_each_other_quickly_are_heard_once_a_pass(
    tmp_path: Path, clock: Clock
) -> None:
    inbox, events = Inbox(), list[Event]()

    def emit(event: Event) -> None:
        events.append(event)
        # Each is replaced after two seconds, by one that goes on from it.
        if isinstance(event, Advanced) and event.fraction >= 0.1:
            inbox._cancelled.add(event.id)

    worker, began_s = Worker(inbox, emit, MODEL, searching(clock, 40, [])), clock.now_s
    for number in range(1, 11):
        each = order(tmp_path, number, Job(beats=8)).model_copy(update={"warm": True})
        assert worker.carry_out(each)
    passes = (clock.now_s - began_s) / 4
    assert passes - 1 <= len(versions(events)) <= passes + 1


def test_a_cancelled_job_stops_between_steps_and_writes_nothing(tmp_path: Path) -> None:
    inbox, closed = Inbox(), list[bool]()

    def render(
        job: Job, model: Model, rate_hz: int, held: Held | None
    ) -> Iterator[Progress | Take]:
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
    assert list(tmp_path.rglob("*.*")) == []


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
    back = read_event(encode(Published(id=1, version=1, report=losses)))
    assert isinstance(back, Published) and back.report.loss[1] != back.report.loss[1]
    for line in (b"", b"{}", b'{"kind": "sing"}', b"\xff\n"):
        with pytest.raises(ValueError, match=r"."):
            read_event(line)
