"""The render desk: who is told what, whatever the engine does."""

from pathlib import Path

import pytest

from daemon.child import Died
from daemon.errors import Refusal
from daemon.outbox import Asker
from daemon.wire import Advanced, CancelOrder, RenderOrder, Stopped, Unready
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
    assert ready.take() == [
        ("/ditto/queued", ("/ditto/render", 5, 0)),
        ("/ditto/progress", (3, 0.25, -1.0, 5)),
        ("/ditto/take", (3, 1, order.wav, 4800, 48_000, 1.0, 5)),
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
    assert not Path(old.wav).exists() and ready.desk.slots[0].version == 0


def test_cancel_tells_who_asked(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    ready.take()
    assert ready.desk.cancel(0) is True
    assert [values[:3] for _, values in ready.take()] == [("/ditto/render", 5, "cancelled")]
    assert ready.desk.cancel(0) is False


def test_a_killed_engine_fails_its_job_and_no_other(ready: Bench) -> None:
    ready.desk.submit(0, ASKER)
    ready.desk.submit(1, Asker((SENDER,), "/ditto/render", 6))
    ready.take()
    ready.desk.on_event(Died("was killed by signal 9"))
    ((address, values),) = ready.take()
    assert (address, values[:3]) == ("/ditto/fail", ("/ditto/render", 5, "engine_died"))
    assert "killed by signal 9" in values[3]
    assert ready.desk.state == "loading"
    ready.get_ready()
    assert ready.rendering().slot == 1


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
    monkeypatch.setattr("daemon.desk.time.monotonic", lambda: clock[0])
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
    assert others[0][1][:2] == (0, 1) and len(others[0][1]) == 6


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
