"""The render desk: who is told what, whatever the engine does."""

from pathlib import Path

import pytest

from daemon.engine.wire import (
    Advanced,
    CancelOrder,
    Deadline,
    Finished,
    RenderOrder,
    Saved,
    SaveOrder,
    Stopped,
    Unready,
)
from daemon.errors import Refusal
from daemon.osc.outbox import Asker
from daemon.processes.child import Died
from ditto_rt.spec import Job
from tests.daemon_office import OTHER, SENDER, Bench

ASKER = Asker((SENDER,), "/ditto/render", 5)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def ready(bench: Bench) -> Bench:
    bench.get_ready()
    return bench


def test_a_render_from_its_start_to_its_end(ready: Bench) -> None:
    ready.desk.submit(3, ASKER)
    order = ready.rendering()
    assert (order.slot, order.version) == (3, 1)
    assert ready.desk.state == "rendering"
    ready.desk.on_event(Advanced(id=order.id, fraction=0.25, loss=None))
    ready.finish(order)
    path = str(ready.desk.takes.path(3, 1))
    assert ready.take() == [
        ("/ditto/queued", ("/ditto/render", 5, 0)),
        ("/ditto/progress", (3, 0.25, -1.0, 5)),
        ("/ditto/take", (3, 1, path, 4800, 48_000, 1.0, 1, -1.0, -1.0, -1.0, 5)),
        ("/ditto/done", ("/ditto/render", 5, 3, 1)),
    ]
    assert (ready.desk.state, ready.desk.jobs_done, len(ready.desk.line)) == ("ready", 1, 0)
    assert ready.desk.slots[3].version == 1


def test_jobs_wait_while_the_model_loads(bench: Bench) -> None:
    bench.desk.submit(0, ASKER)
    assert bench.orders == [] and bench.desk.state == "loading" and len(bench.desk.line) == 1
    bench.get_ready()
    assert bench.rendering().slot == 0


def test_one_job_at_a_time(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    ready.desk.submit(1, ASKER)
    assert len(ready.orders) == 1
    assert ready.take()[1] == ("/ditto/queued", ("/ditto/render", 5, 1))
    ready.finish(ready.rendering())
    assert [order.slot for order in ready.orders if isinstance(order, RenderOrder)] == [0, 1]


def test_a_new_render_replaces_the_running_one(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    old = ready.rendering()
    ready.desk.submit(0, Asker((SENDER,), "/ditto/render", 6))
    assert ready.orders[-1] == CancelOrder(id=old.id)
    assert [values[:3] for _, values in ready.take()] == [
        ("/ditto/render", 5, 0),
        ("/ditto/render", 5, "replaced"),
        ("/ditto/render", 6, 0),
    ]
    ready.desk.on_event(Stopped(id=old.id, code="cancelled", text=""))
    assert ready.take() == []
    assert ready.rendering().version == 1 and ready.rendering().id != old.id


def test_a_new_render_replaces_one_that_waits(bench: Bench) -> None:
    bench.desk.submit(0, ASKER)
    bench.desk.submit(0, ASKER)
    bench.get_ready()
    assert len(bench.orders) == 1


def test_what_was_finished_too_late_is_thrown_away(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    old = ready.rendering()
    assert ready.desk.cancel(0)
    ready.take()
    ready.finish(old)
    assert ready.take() == []
    assert not ready.desk.takes.sound(0, 1).exists() and ready.desk.slots[0].version == 0


def test_cancel_tells_who_asked(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    ready.take()
    assert ready.desk.cancel(0) is True
    assert [values[:3] for _, values in ready.take()] == [("/ditto/render", 5, "cancelled")]
    assert ready.desk.cancel(0) is False


def test_a_job_whose_engine_died_is_tried_once_more_and_no_oftener(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    ready.desk.submit(1, Asker((SENDER,), "/ditto/render", 6))
    first = ready.rendering()
    ready.publish(first, 1)
    ready.take()
    ready.desk.on_event(Died("was killed by signal 9"))
    assert ready.take() == [] and ready.desk.state == "loading"
    ready.get_ready()
    again = ready.rendering()
    assert (again.slot, again.id, again.version) == (0, first.id, 2)
    ready.desk.on_event(Died("was killed by signal 9"))
    ((address, values),) = ready.take()
    assert (address, values[:3]) == ("/ditto/fail", ("/ditto/render", 5, "engine_died"))
    assert "killed by signal 9" in values[3]
    ready.get_ready()
    assert ready.rendering().slot == 1


def test_a_job_that_nobody_wants_is_not_tried_again(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    ready.desk.cancel(0)
    ready.desk.on_event(Died("was killed by signal 9"))
    ready.get_ready()
    assert sum(isinstance(order, RenderOrder) for order in ready.orders) == 1


def test_versions_are_heard_as_they_come_and_the_last_one_ends_the_render(ready: Bench) -> None:
    ready.desk.submit(3, ASKER)
    order = ready.rendering()
    ready.take()
    for version in (1, 2):
        ready.publish(order, version)
        ((address, values),) = ready.take()
        sound = Path(values[2])
        assert (address, values[:2], values[6]) == ("/ditto/take", (3, version), 0)
        assert sound.exists() and sound.parent == ready.desk.takes.shelf.folder
    assert not ready.desk.takes.path(3, 2).exists() and ready.desk.jobs_done == 0
    ready.finish(order, 3)
    assert [(a, v[:2], v[6]) for a, v in ready.take() if a == "/ditto/take"] == [
        ("/ditto/take", (3, 3), 1)
    ]
    assert [take.version for take in ready.desk.takes.all()] == [3]
    assert ready.desk.slots[3].version == 3 and ready.desk.jobs_done == 1


def test_a_version_that_becomes_final_is_played_once(ready: Bench) -> None:
    heard: list[int] = []
    ready.desk.on_take = lambda take: heard.append(take.version)
    ready.desk.submit(0, ASKER)
    order = ready.rendering()
    ready.publish(order, 1)
    ready.finish(order, 1)
    assert heard == [1] and ready.take()[-1] == ("/ditto/done", ("/ditto/render", 5, 0, 1))


def test_a_cancelled_render_leaves_what_was_heard(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    order = ready.rendering()
    ready.publish(order, 1)
    ready.desk.cancel(0)
    ready.desk.on_event(Stopped(id=order.id, code="cancelled", text=""))
    last = ready.desk.takes.last(0)
    assert last and last.version == 1 and not last.report.final
    ready.desk.submit(0, ASKER)
    assert ready.rendering().version == 2


def test_a_cancel_that_comes_after_the_last_version_stops_nothing(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    order = ready.rendering()
    ready.publish(order, 1, final=True)
    assert ready.desk.cancel(0) is False
    ready.take()
    ready.desk.on_event(Finished(id=order.id))
    assert [address for address, _ in ready.take()] == ["/ditto/take", "/ditto/done"]


def test_warm_renders_follow_each_other_without_a_word(ready: Bench) -> None:
    job = Job(beats=8)
    ready.desk.submit(0, ASKER, job, warm=True)
    old = ready.rendering()
    assert old.warm and old.job == job
    ready.take()
    ready.desk.submit(0, Asker((), "/ditto/automation"), warm=True)
    assert ready.take() == [] and ready.orders[-1] == CancelOrder(id=old.id)
    ready.desk.submit(0, ASKER)
    assert [address for address, _ in ready.take()] == ["/ditto/queued"], "it had no asker"


def test_a_deadline_comes_first_and_what_made_room_goes_on(ready: Bench) -> None:
    for slot, by_s in ((0, None), (1, None), (2, 9.0), (3, 5.0)):
        deadline = None if by_s is None else Deadline(beat=8, by_s=by_s)
        ready.desk.submit(slot, ASKER, deadline=deadline)
    paused = ready.rendering()
    ready.publish(paused, 1)
    assert [o.id for o in ready.orders if isinstance(o, CancelOrder)] == [paused.id]
    ready.take()
    ready.desk.on_event(Stopped(id=paused.id, code="cancelled", text=""))
    assert ready.take() == [], "its asker only waits a little longer"
    served = []
    for _ in range(4):
        order = ready.rendering()
        served.append((order.slot, order.version, order.warm))
        ready.finish(order)
    assert served == [(3, 1, False), (2, 1, False), (0, 2, True), (1, 1, False)]
    assert ready.rendering().id != paused.id


def test_a_paused_render_can_be_cancelled(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    paused = ready.rendering()
    ready.desk.submit(1, ASKER, deadline=Deadline(beat=8, by_s=1.0))
    ready.take()
    assert ready.desk.cancel(0)
    ready.desk.on_event(Stopped(id=paused.id, code="cancelled", text=""))
    assert [values[2] for _, values in ready.take()] == ["cancelled"]
    ready.finish(ready.rendering())
    assert ready.desk.state == "ready"


def test_a_take_that_the_disk_refused_plays_and_is_written_later(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    order = ready.rendering()
    ready.publish(order, 1, final=True)
    ready.take()
    ready.desk.on_event(Finished(id=order.id, problem="take x cannot be written: disk full"))
    (take, fail) = ready.take()
    assert take[1][2] == str(ready.desk.takes.shelf.path("slot00_v0001.wav"))
    assert fail[1][:3] == ("/ditto/render", 5, "disk") and "disk full; it plays" in fail[1][3]
    ready.desk.submit(0, ASKER)
    ready.finish(ready.rendering())
    assert take[1][2] == str(ready.desk.takes.sound(0, 1)), "it is still on the shelf"
    (saving,) = [order for order in ready.orders if isinstance(order, SaveOrder)]
    assert (saving.slot, saving.version, saving.record["version"]) == (0, 1, 1)
    ready.desk.on_event(Saved(slot=0, version=1, problem="still full"))
    assert ready.desk.takes.unsaved
    ready.desk.on_event(Saved(slot=0, version=1))
    assert not ready.desk.takes.unsaved


def test_an_engine_that_dies_while_it_writes_costs_no_take(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    ready.publish(ready.rendering(), 1, final=True)
    ready.take()
    ready.desk.on_event(Died("was killed by signal 9"))
    assert [(a, v[2]) for a, v in ready.take() if a == "/ditto/fail"] == [("/ditto/fail", "disk")]
    ready.get_ready()
    assert isinstance(ready.orders[-1], SaveOrder)


def test_a_failed_job_lets_the_next_run(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    ready.desk.submit(1, ASKER)
    ready.take()
    ready.desk.on_event(Stopped(id=ready.rendering().id, code="bad_file", text="is gone"))
    assert ready.take() == [("/ditto/fail", ("/ditto/render", 5, "bad_file", "is gone"))]
    assert ready.rendering().slot == 1


def test_without_a_model_nobody_waits(bench: Bench) -> None:
    bench.desk.submit(0, ASKER)
    bench.take()
    bench.desk.on_event(Unready(code="no_model", text="weights are missing"))
    assert bench.take() == [
        ("/ditto/fail", ("/ditto/render", 5, "no_model", "weights are missing"))
    ]
    assert bench.desk.state == "failed"
    with pytest.raises(Refusal, match="weights are missing"):
        bench.desk.submit(0, ASKER)
    bench.desk.on_event(Died("ended with code 1"))
    assert bench.desk.state == "failed"
    bench.get_ready()
    bench.desk.submit(0, ASKER)
    assert bench.rendering().slot == 0


def test_an_engine_that_never_gets_ready_is_given_up(bench: Bench) -> None:
    bench.desk.submit(0, ASKER)
    bench.take()
    for _ in range(2):
        bench.desk.on_event(Died("ended with code 1"))
        assert bench.desk.state == "loading" and bench.take() == []
    bench.desk.on_event(Died("ended with code 1"))
    assert bench.desk.state == "failed"
    assert bench.take()[0][1][2] == "no_model"


def test_progress_comes_five_times_a_second_at_most(
    ready: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("daemon.rendering.delivery.time.monotonic", lambda: clock[0])
    ready.desk.submit(0, ASKER)
    ready.take()
    order = ready.rendering()
    for number in range(100):
        clock[0] += 0.01
        ready.desk.on_event(Advanced(id=order.id, fraction=number / 100, loss=1.0))
    assert len(ready.take()) == 5


def test_others_hear_of_the_take_too(ready: Bench) -> None:
    ready.clients.register(OTHER, OTHER[1], "other", 0.0)
    ready.desk.submit(0, ASKER)
    ready.finish(ready.rendering())
    others = [(a, v) for target, a, v in ready.sent if target == OTHER]
    assert [address for address, _ in others] == ["/ditto/take"]
    assert others[0][1][:2] == (0, 1) and len(others[0][1]) == 10


def test_registered_clients_hear_of_the_engine(bench: Bench) -> None:
    bench.clients.register(SENDER, SENDER[1], "me", 0.0)
    bench.get_ready()
    bench.desk.on_event(Died("was killed by signal 9"))
    bench.desk.stop()
    assert bench.take() == [
        ("/ditto/state", ("ready", "")),
        ("/ditto/state", ("loading", "the engine was killed by signal 9")),
        ("/ditto/state", ("stopping", "")),
    ]


def test_the_end_of_the_daemon_is_told_to_all_who_wait(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    ready.desk.submit(1, ASKER)
    ready.take()
    ready.desk.stop()
    assert [values[2] for _, values in ready.take()] == ["stopping", "stopping"]


def test_the_newest_take_is_told_again(ready: Bench) -> None:
    with pytest.raises(Refusal, match="slot 0 has no take"):
        ready.desk.resend(0, ASKER)
    ready.desk.submit(0, ASKER)
    ready.finish(ready.rendering())
    first = ready.take()[1]
    ready.desk.resend(0, ASKER)
    assert ready.take() == [first]


def test_events_of_forgotten_jobs_change_nothing(ready: Bench) -> None:
    ready.desk.on_event(Advanced(id=99, fraction=1, loss=None))
    ready.desk.on_event(Stopped(id=99, code="bad_file", text=""))
    assert ready.take() == [] and ready.desk.state == "ready"
