"""From /ditto/render_by to the engine's order: which beat it aims at, and what is told."""

import time
from pathlib import Path

import pytest

from daemon.bench.osc_bytes import message
from daemon.engine.wire import Advanced, Deadline, Finished, MoveOrder, Published
from daemon.osc.outbox import Asker
from daemon.rendering.deadlines import FirstVersions, aim, moved
from daemon.takes.take import Promise
from tests.daemon.playing.test_stage import BEAT, at, play, render
from tests.daemon_office import RATE_HZ, Bench, report


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.get_ready()
    at(bench, 0)
    return bench


def render_by(bench: Bench, beats: float, slot: int = 3) -> list[tuple[str, tuple[object, ...]]]:
    return bench.send(message("/ditto/render_by", "ifi", slot, beats, 7))


def test_it_says_which_beat_it_aims_at_and_leaves_the_player_its_time(bench: Bench) -> None:
    at(bench, BEAT)
    queued, (address, (slot, beat, seconds, reqid)) = render_by(bench, 16.0)
    assert queued == ("/ditto/queued", ("/ditto/render_by", 7, 0))
    assert (address, slot, beat, reqid) == ("/ditto/deadline", 3, 16.0, 7)
    assert 7.0 < float(str(seconds)) < 7.5 - 0.04
    deadline = bench.rendering().deadline
    assert deadline and deadline.beat == 16.0
    # A version that is there by then can still be swapped in on the beat.
    ahead_s = bench.stage.soon() / RATE_HZ - time.monotonic()
    assert (deadline.by_s + ahead_s) * RATE_HZ == pytest.approx(16 * BEAT, abs=RATE_HZ / 50)


def test_a_beat_that_is_too_near_for_any_version_is_left_out(bench: Bench) -> None:
    at(bench, round(3.8 * BEAT))
    # The first version of a take of 4 s is expected in 1.2 s, 2.4 beats.
    assert render_by(bench, 1.0)[1][1][1] == 7.0
    assert render_by(bench, 4.0, slot=4)[1][1][1] == 12.0, "it waits until the other is ready"


def test_zero_is_the_end_of_the_loop_that_plays(bench: Bench) -> None:
    render(bench, 3)
    at(bench, 0)
    play(bench, 1.0)
    at(bench, round(2.5 * BEAT))
    # A take of 0.1 s, launched on beat 1.
    deadline = aim(bench.stage, 3, 0.0, 8.0)
    assert (deadline.beat - 1) % 0.2 == pytest.approx(0, abs=1e-6) or (
        (deadline.beat - 1) % 0.2 == pytest.approx(0.2, abs=1e-6)
    )
    assert 2.5 < deadline.beat < 3.0
    # In a silent slot it is the next multiple of the take's own length.
    assert aim(bench.stage, 4, 0.0, 8.0).beat == 8.0


def test_a_transport_that_stands_still_promises_nothing(bench: Bench) -> None:
    bench.send(message("/ditto/transport/stop"))
    ((address, values),) = render_by(bench, 4.0)
    assert address == "/ditto/fail" and "stands still" in str(values[3])


def heard_on(bench: Bench, deadline: Deadline) -> float:
    """Return the beat on which a version sounds that is there at the very last moment."""
    ahead = bench.stage.soon() + (deadline.by_s - time.monotonic()) * RATE_HZ
    return float(bench.stage.transport.beat_at(round(ahead)))


def moves(bench: Bench) -> list[MoveOrder]:
    return [order for order in bench.orders if isinstance(order, MoveOrder)]


def test_a_deadline_follows_its_beat_to_another_tempo(bench: Bench) -> None:
    at(bench, BEAT)
    render_by(bench, 16.0)
    render_by(bench, 16.0, slot=4)
    ((told, values), *_) = bench.send(message("/ditto/transport/tempo", "f", 240.0))
    (order,) = moves(bench)
    assert order.id == bench.rendering().id and order.deadline.beat == 16.0
    assert heard_on(bench, order.deadline) == pytest.approx(16.0, abs=0.1)
    assert (told, values[:2], values[3]) == ("/ditto/deadline", (3, 16.0), 7)
    assert 3.0 < float(str(values[2])) < 3.75 - 0.04
    # The one that waits goes to the engine with what is right by then.
    bench.finish(bench.rendering())
    later = bench.rendering().deadline
    assert bench.rendering().slot == 4 and later
    assert heard_on(bench, later) == pytest.approx(later.beat, abs=0.1)
    bench.send(message("/ditto/transport/beat", "f", 2.0))
    assert heard_on(bench, moves(bench)[-1].deadline) == pytest.approx(later.beat, abs=0.1)


def test_a_beat_that_is_over_gives_way_to_the_next(bench: Bench) -> None:
    at(bench, BEAT)
    render_by(bench, 16.0)
    bench.send(message("/ditto/transport/beat", "f", 33.0))
    assert moves(bench)[-1].deadline.beat == 48.0
    assert heard_on(bench, moves(bench)[-1].deadline) == pytest.approx(48.0, abs=0.1)


def test_a_jump_to_another_clock_takes_the_beat_that_is_next_there(bench: Bench) -> None:
    at(bench, 9 * BEAT)
    render_by(bench, 16.0)
    # Far behind: the beat that was promised would come in a minute.
    bench.stage.follow(bench.stage.transport.moved(9 * BEAT, -103.0), jumps=True)
    assert moves(bench)[-1].deadline.beat == -96.0


def test_what_moves_a_little_all_the_time_is_not_told_all_the_time(bench: Bench) -> None:
    at(bench, BEAT)
    render_by(bench, 16.0)
    for _ in range(20):
        bench.stage.follow(bench.stage.transport.with_bpm(120.002, BEAT))
    assert not moves(bench) and not bench.take()


def test_the_end_of_a_pass_stays_where_it_is(bench: Bench) -> None:
    render(bench, 3)
    at(bench, 0)
    play(bench, 1.0)
    at(bench, round(2.5 * BEAT))
    deadline = aim(bench.stage, 3, 0.0, 8.0)
    bench.stage.set_tempo(60.0)
    assert moved(bench.stage, deadline, jumps=False) == deadline
    promised = aim(bench.stage, 4, 4.0, 8.0)
    bench.stage.halt()
    assert moved(bench.stage, promised, jumps=False) == promised


@pytest.mark.parametrize("kept", [True, False])
def test_whether_it_was_kept_is_told_and_counted(bench: Bench, kept: bool) -> None:
    render_by(bench, 4.0)
    order = bench.rendering()
    bench.desk.on_event(Advanced(id=order.id, fraction=0.5, loss=2.0))
    promise = Promise(beat=4.0, kept=kept, spare_s=0.2 if kept else -0.2)
    bench.desk.on_event(Published(id=order.id, version=1, report=report(), promise=promise))
    bench.take()
    bench.desk.on_event(Finished(id=order.id))
    assert bench.take()[-1] == ("/ditto/done", ("/ditto/render_by", 7, 3, 1, int(kept)))
    assert bench.desk.deadlines == {"kept": int(kept), "missed": int(not kept)}
    take = bench.desk.takes.find(3, 1)
    assert take and take.plain()["deadline"]["kept"] is kept


def test_first_versions_are_learned_from() -> None:
    first = FirstVersions()
    first.learn(4.0, 4.0)
    assert first.expected_s(8.0) == 8.0
    for _ in range(50):
        first.learn(4.0, 0.4)
    assert first.expected_s(8.0) == pytest.approx(0.8, rel=0.01)


def test_what_is_slow_for_a_reason_is_not_learned_from(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("daemon.rendering.desk.time.monotonic", lambda: clock[0])

    def expected_s(took_s: float, warm: bool = False) -> float:
        bench.desk.submit(0, Asker((), ""), warm=warm)
        order = bench.rendering()
        clock[0] += took_s
        bench.finish(order)
        return bench.desk.earliest_s(order.job) - clock[0]

    assert expected_s(50.0) == pytest.approx(1.2), "the engine was still compiling"
    assert expected_s(50.0, warm=True) == pytest.approx(1.2), "it was heard already"
    # A report of 0.1 s, a job of 4 s.
    assert expected_s(1.0) == pytest.approx(40.0)
