"""A stream becomes a slot's curve, the player follows it at once; nobody else's work is undone."""

import asyncio
import time
from pathlib import Path

import pytest

from daemon import config
from daemon.audio.wire import HERE_AND_NOW, Aim, Gain, Opened, Play
from daemon.bench.osc_bytes import message
from daemon.commands.dispatch import STREAM_PAUSE_S
from daemon.engine.wire import RenderOrder, Stopped, Unready
from daemon.live.automation import Automation
from daemon.osc.outbox import Asker
from daemon.processes.child import Died
from tests.daemon_office import OTHER, RATE_HZ, SENDER, Bench

ADDRESS = "/ditto/automation"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return an office with an engine, a device, and one take in slot 3."""
    bench = Bench(tmp_path)
    bench.get_ready()
    bench.desk.submit(3, Asker((SENDER,), "/ditto/render"))
    bench.finish(bench.rendering())
    bench.stage.on_event(Opened("card", RATE_HZ, 2, 0.01))
    bench.take()
    bench.played.clear()
    return bench


def stream(bench: Bench, beat: float, value: float, slot: int = 3) -> None:
    assert bench.send(message(ADDRESS, "iff", slot, beat, value)) == []


def curve(bench: Bench, slot: int = 3) -> list[tuple[float, float]]:
    held = bench.desk.slots[slot].intensity
    return [(point.beat, point.db) for point in held.points] if held else []


def aims(bench: Bench) -> list[Aim]:
    found = [order for order in bench.played if isinstance(order, Aim)]
    bench.played.clear()
    return found


def test_the_last_value_counts_and_is_heard_at_once(bench: Bench) -> None:
    for value in range(60):
        stream(bench, 2.0, -float(value))
    assert curve(bench) == [], "the handler leaves the work to the task"
    bench.automation.tick(time.monotonic())
    assert curve(bench) == [(0.0, -59.0), (7.9375, -59.0)]
    (aim,) = aims(bench)
    assert (aim.slot, aim.wanted) == (3, tuple(curve(bench)))
    assert aim.at >= bench.stage.now()
    bench.automation.tick(time.monotonic())
    assert aims(bench) == []


def test_with_a_request_id_it_says_where_it_was_laid(bench: Bench) -> None:
    answer = bench.send(message(ADDRESS, "iffi", 3, 8 + 1.01, -20.0, 77))
    assert answer == [("/ditto/done", (ADDRESS, 77, 3, 1.0))]


def test_wrong_values_are_refused_but_not_each_of_a_thousand(bench: Bench) -> None:
    wrong = message(ADDRESS, "iff", 3, 1.0, 5.0)
    (answer,) = bench.send(wrong)
    assert answer[1][2] == "out_of_range" and "value is 5" in answer[1][3]
    began_s = time.monotonic()
    answers = sum(len(bench.send(wrong)) for _ in range(200))
    assert answers <= 1 + (time.monotonic() - began_s) / STREAM_PAUSE_S
    assert len(bench.send(message(ADDRESS, "iffi", 3, 1.0, 5.0, 9))) == 1, "it asked to be told"
    bench.automation.tick(time.monotonic())
    assert curve(bench) == []


def test_another_clients_mistake_is_told_to_it(bench: Bench) -> None:
    wrong = message(ADDRESS, "iff", 3, 1.0, 5.0)
    bench.send(wrong)
    asyncio.run(bench.dispatcher.carry_out(wrong, OTHER))
    assert [(target, values[2]) for target, _, values in bench.sent] == [(OTHER, "out_of_range")]


def test_what_comes_after_it_finds_the_curve(bench: Bench) -> None:
    stream(bench, 0.0, -20.0)
    bench.send(message("/ditto/render", "i", 3))
    asked = bench.rendering().job.intensity
    assert asked and asked.points[0].db == -20.0


def test_a_drawn_curve_is_kept_below_and_comes_back(bench: Bench) -> None:
    bench.send(message("/ditto/slot/intensity", "iffff", 3, 0.0, -40.0, 8.0, -20.0))
    stream(bench, 4.0, -6.0)
    bench.automation.tick(time.monotonic())
    written = dict(curve(bench))
    assert written[4.0] == -6.0 and written[0.0] == -40.0
    assert bench.automation.is_automated(3)
    (answer,) = bench.send(message("/ditto/automation/clear", "i", 3))
    assert answer[1][2:] == (3, 2)
    assert curve(bench) == [(0.0, -40.0), (8.0, -20.0)]
    assert not bench.automation.is_automated(3)


def test_without_one_nothing_is_ridden_after_a_clear(bench: Bench) -> None:
    stream(bench, 4.0, -6.0)
    bench.automation.tick(time.monotonic())
    (answer,) = bench.send(message("/ditto/automation/clear", "i", 3))
    assert answer[1][2:] == (3, 0)
    bench.automation.tick(time.monotonic())
    assert [aim.wanted for aim in aims(bench)] == [((0.0, -6.0), (7.9375, -6.0)), ()]


@pytest.mark.parametrize("clear", [True, False])
def test_what_somebody_sets_meanwhile_wins(bench: Bench, clear: bool) -> None:
    stream(bench, 4.0, -6.0)
    bench.automation.tick(time.monotonic())
    stream(bench, 5.0, -7.0)
    if clear:
        bench.send(message("/ditto/slot/clear", "is", 3, "intensity"))
    else:
        bench.send(message("/ditto/slot/intensity", "iff", 3, 0.0, -33.0))
    bench.automation.tick(time.monotonic())
    assert curve(bench) == ([] if clear else [(0.0, -33.0)])
    stream(bench, 1.0, -9.0)
    bench.automation.tick(time.monotonic())
    assert dict(curve(bench))[1.0 if not clear else 0.0] == -9.0


def test_another_length_keeps_what_fits(bench: Bench) -> None:
    stream(bench, 0.0, -30.0)
    stream(bench, 4.0, -10.0)
    bench.send(message("/ditto/slot/tempo", "iff", 3, 120.0, 4.0))
    assert bench.send(message(ADDRESS, "iffi", 3, 5.0, -20.0, 1))[0][1][3] == 1.0
    bench.automation.tick(time.monotonic())
    held = dict(curve(bench))
    assert held[0.0] == -30.0 and held[1.0] == -20.0 and max(held) < 4.0


def test_a_drawn_curve_is_ridden_too_and_each_slot_by_itself(bench: Bench) -> None:
    bench.send(message("/ditto/slot/intensity", "iff", 5, 0.0, -33.0))
    stream(bench, 1.0, -9.0, slot=6)
    bench.automation.tick(time.monotonic())
    assert [(aim.slot, aim.wanted[0][1]) for aim in aims(bench)] == [(5, -33.0), (6, -9.0)]


def test_a_player_may_be_told_to_leave_takes_as_they_are(bench: Bench) -> None:
    still = Automation(bench.desk, bench.stage, bench.outbox, config.Automation(ride=False))
    still.write(3, 1.0, -9.0, Asker((SENDER,), ADDRESS))
    still.tick(time.monotonic())
    assert aims(bench) == [] and curve(bench) != []


def test_a_new_audio_process_is_told_what_is_wanted_before_what_plays(bench: Bench) -> None:
    stream(bench, 1.0, -9.0)
    bench.automation.tick(time.monotonic())
    bench.send(message("/ditto/play", "if", 3, 1.0))
    bench.stage.on_event(Died("was killed by signal 9"))
    bench.played.clear()
    bench.stage.on_event(Opened("card", RATE_HZ, 2, 0.01))
    mine = [order for order in bench.played if getattr(order, "slot", None) == 3]
    assert [type(order) for order in mine] == [Gain, Aim, Play]
    assert mine[1] == Aim(3, tuple(curve(bench)), HERE_AND_NOW)


def test_a_take_says_what_it_was_asked(bench: Bench) -> None:
    stream(bench, 0.0, -21.0)
    bench.send(message("/ditto/render", "i", 3))
    bench.finish(bench.rendering())
    bench.send(message("/ditto/play", "if", 3, 1.0))
    (play,) = [order for order in bench.played if isinstance(order, Play)]
    assert play.asked == ((0.0, -21.0), (7.9375, -21.0))
    assert play.beats == pytest.approx(0.2), "what it is long, not what it was asked to be"


# Takes of the bench have 0.2 beats, so that a loop of 8 beats lies far beyond them.
def rendered(bench: Bench) -> list[RenderOrder]:
    found = [order for order in bench.orders if isinstance(order, RenderOrder)]
    bench.orders.clear()
    return found


def test_a_curve_that_moves_far_enough_is_rendered_from_where_the_search_is(bench: Bench) -> None:
    rendered(bench)
    stream(bench, 0.0, -20.0)
    bench.automation.tick(100.0)
    (order,) = rendered(bench)
    assert order.warm and order.job.intensity == bench.desk.slots[3].intensity
    # 1.4 dB are not worth it, and what is is not asked for twice.
    stream(bench, 0.0, -21.4)
    for now_s in (110.0, 120.0):
        bench.automation.tick(now_s)
    assert rendered(bench) == []
    stream(bench, 0.0, -22.0)
    bench.automation.tick(130.0)
    assert [type(order).__name__ for order in bench.orders] == ["CancelOrder"]
    bench.desk.on_event(Stopped(id=order.id, code="cancelled", text=""))
    assert rendered(bench)[0].job.intensity == bench.desk.slots[3].intensity
    assert bench.take() == [], "a stream is not told of each render that replaces another"


def test_renders_have_a_pause_between_them_and_the_last_value_counts(bench: Bench) -> None:
    rendered(bench)
    for number in range(100):
        stream(bench, 0.0, -10.0 - number / 2)
        bench.automation.tick(100.0 + number / 30)
        for order in rendered(bench):
            bench.finish(order)
    bench.automation.tick(200.0)
    asked = rendered(bench)[-1].job.intensity
    assert asked and asked.points[0].db == -59.5
    # 3.3 s at 20 a minute: at once, after three seconds, and the last.
    assert bench.desk.slots[3].version == 1 + 2


def test_a_render_that_somebody_waits_for_is_not_replaced(bench: Bench) -> None:
    bench.send(message("/ditto/render", "i", 3))
    (order,) = rendered(bench)[-1:]
    stream(bench, 0.0, -20.0)
    bench.automation.tick(100.0)
    assert rendered(bench) == []
    bench.finish(order)
    bench.automation.tick(100.1)
    assert rendered(bench)[0].warm


def test_nothing_else_is_rendered_with_it(bench: Bench) -> None:
    rendered(bench)
    bench.send(message("/ditto/slot/tags", "is", 3, "dark techno"))
    stream(bench, 0.0, -20.0)
    bench.automation.tick(100.0)
    (order,) = rendered(bench)
    assert order.job.genre is None, "tags wait for a /ditto/render"


def test_a_slot_without_a_take_is_left_alone(bench: Bench) -> None:
    rendered(bench)
    stream(bench, 0.0, -20.0, slot=5)
    bench.automation.tick(100.0)
    assert rendered(bench) == []


def test_a_clear_brings_the_drawn_curve_back_in_sound_too(bench: Bench) -> None:
    bench.send(message("/ditto/slot/intensity", "iff", 3, 0.0, -40.0))
    stream(bench, 0.0, -20.0)
    bench.automation.tick(100.0)
    bench.finish(rendered(bench)[-1])
    bench.send(message("/ditto/automation/clear", "i", 3))
    bench.automation.tick(200.0)
    asked = rendered(bench)[-1].job.intensity
    assert asked and asked.points[0].db == -40.0


def test_an_engine_that_cannot_render_is_told_once_and_the_ride_goes_on(bench: Bench) -> None:
    bench.desk.on_event(Unready(code="no_model", text="no weights"))
    told = []
    for number in range(10):
        told += bench.send(message(ADDRESS, "iff", 3, 0.0, -20.0 - number))
        bench.automation.tick(100.0 + number / 10)
    assert len(aims(bench)) == 10
    assert told == [("/ditto/fail", (ADDRESS, -1, "no_model", "no weights"))]


def test_a_curve_that_comes_with_a_launch_waits_for_it(bench: Bench) -> None:
    # As a scene's does, which is recalled now and heard on its beat.
    bench.send(message("/ditto/slot/intensity", "iff", 3, 0.0, -40.0))
    (answer,) = bench.send(message("/ditto/play", "if", 3, 16.0))
    bench.automation.tick(100.0)
    (play,) = [order for order in bench.played if isinstance(order, Play)]
    assert [aim.at for aim in aims(bench)] == [play.at]
    stream(bench, 0.0, -20.0)
    bench.automation.tick(101.0)
    assert aims(bench)[0].at < play.at
