"""Endless slots: what is asked for when, under which controls, and what is planned of it."""

import time
from fractions import Fraction
from pathlib import Path

import pytest

from daemon.audio.wire import Clock, Hold, Load, Opened, Play
from daemon.bench.osc_bytes import message
from daemon.engine.wire import RenderOrder, Stopped, Unready
from daemon.live.endless import RETRY_S, horizon, segment
from daemon.osc.outbox import Asker
from daemon.playing.timeline import Change, Loop, Timeline
from daemon.processes.child import Died
from daemon.takes.slots import Slot
from daemon.takes.take import file_name, open_name
from ditto_rt.spec import Intensity, Point, Quality
from tests.daemon_office import RATE_HZ, SENDER, Bench, report
from tests.scene_parts import write_sound

BEAT = RATE_HZ // 2
PASS = 4 * BEAT
LOOKAHEAD = 8 * RATE_HZ


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return an office at beat 5 in which slot 3 plays a take of four beats since beat 4."""
    made = Bench(tmp_path / "desk")
    made.get_ready()
    made.stage.on_event(Opened("card", RATE_HZ, 2, 0.01))
    at(made, 0)
    made.send(message("/ditto/slot/tempo", "iff", 3, 120.0, 4.0))
    made.desk.submit(3, Asker((), "/ditto/render"))
    publish(made, final=True)
    made.send(message("/ditto/play", "if", 3, 4.0))
    at(made, 5 * BEAT)
    made.orders.clear()
    made.played.clear()
    return made


def at(bench: Bench, frame: int) -> None:
    bench.stage.clock = Clock(frame, time.monotonic_ns(), 512, 0, 0)


def publish(bench: Bench, final: bool, version: int | None = None) -> RenderOrder:
    """Let the engine publish the newest render, with its open file where it continues."""
    from daemon.engine.wire import Finished, Published

    order = bench.rendering()
    number = order.version if version is None else version
    folders = (Path(order.shelf), Path(order.takes)) if final else (Path(order.shelf),)
    for folder in folders:
        write_sound(folder / file_name(order.slot, number), number)
    if order.job.region and order.job.region.mode == "continue":
        write_sound(Path(order.shelf, open_name(order.slot, number)), number)
    frames = round(order.job.seconds * RATE_HZ)
    made = report().model_copy(update={"final": final, "frames": frames})
    bench.desk.on_event(Published(id=order.id, version=number, report=made))
    if final:
        bench.desk.on_event(Finished(id=order.id))
    return order


def turn(bench: Bench, on: int) -> list[tuple[str, tuple[object, ...]]]:
    return bench.send(message("/ditto/endless", "ii", 3, on))


def renders(bench: Bench) -> list[RenderOrder]:
    return [order for order in bench.orders if isinstance(order, RenderOrder)]


def look(bench: Bench, after_s: float = 0.0) -> None:
    bench.endless.look(time.monotonic() + after_s)


def plays(bench: Bench) -> list[Play]:
    return [order for order in bench.played if isinstance(order, Play)]


def test_a_segment_continues_what_plays_under_what_is_set_now(bench: Bench) -> None:
    assert turn(bench, 1) == [("/ditto/done", ("/ditto/endless", -1, 3, 1))]
    bench.send(message("/ditto/slot/tags", "is", 3, "house"))
    look(bench)
    (order,) = renders(bench)
    region = order.job.region
    assert region and region.mode == "continue" and region.path == str(bench.desk.takes.sound(3, 1))
    assert (region.start_s, region.end_s) == (0.0, 2.0)
    assert (order.job.genre, order.job.beats, order.job.seed) == ("house", 4.0, 1)
    assert order.deadline and order.deadline.beat == 8.0
    look(bench)
    assert len(renders(bench)) == 1, "one at a time"


def test_a_version_is_planned_at_the_end_of_the_pass_and_gives_way_to_a_better_one(
    bench: Bench,
) -> None:
    turn(bench, 1)
    look(bench)
    publish(bench, final=False)
    (order,) = plays(bench)
    assert Load(order.path) in bench.played
    assert Path(order.path).name == open_name(3, 2) and order.frames == PASS
    assert (order.at, order.origin) == (8 * BEAT, 8 * BEAT)
    assert bench.stage.state(3) == (3, 1, 1, 2, 8.0)
    publish(bench, final=True, version=3)
    assert (plays(bench)[-1].at, Path(plays(bench)[-1].path).name) == (8 * BEAT, open_name(3, 3))
    assert bench.stage.state(3) == (3, 1, 1, 3, 8.0)
    assert bench.endless.state(3) == (3, 1, 1, 0)


def test_segments_follow_each_other_each_from_the_own_end_of_the_one_before(bench: Bench) -> None:
    turn(bench, 1)
    seeds, regions = [], []
    for number in range(1, 5):
        at(bench, (1 + 4 * number) * BEAT)
        look(bench)
        order = publish(bench, final=True)
        assert order.job.region
        seeds.append(order.job.seed)
        regions.append((Path(order.job.region.path).name, order.job.region.start_s))
        assert order.deadline and order.deadline.beat == 4.0 + 4 * number
    assert seeds == [1, 2, 3, 4]
    assert regions[0] == (file_name(3, 1), 0.0)
    assert regions[1:] == [(open_name(3, version), 0.03) for version in (2, 3, 4)]
    assert [play.at for play in plays(bench)] == [4 * BEAT + PASS * n for n in range(1, 5)]


def test_no_more_is_planned_than_the_player_has_voices_for(bench: Bench) -> None:
    turn(bench, 1)
    for _ in range(2):
        look(bench)
        publish(bench, final=True)
    look(bench)
    assert len(renders(bench)) == 2, "8 s are four passes, but two wait already"
    at(bench, 8 * BEAT)
    look(bench)
    assert len(renders(bench)) == 3


def test_files_of_what_was_played_go(bench: Bench) -> None:
    turn(bench, 1)
    for number in range(1, 40):
        at(bench, (2 + 4 * number) * BEAT)
        bench.stage.next_change()
        look(bench)
        publish(bench, final=True)
    takes = [path.name for path in bench.folder.glob("slot*.wav")]
    shelf = list(bench.desk.takes.shelf.folder.glob("slot*"))
    assert len(takes) <= 3 + 6 and len(shelf) <= 2 * 7
    assert len(list(bench.desk.takes.all())) <= 3 + 6
    assert len(bench.stage.plans[3].changes) <= 7


def test_when_the_engine_is_late_the_last_bars_repeat_and_it_is_said(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.clients.register(SENDER, SENDER[1], "", 0.0)
    turn(bench, 1)
    look(bench)
    publish(bench, final=True)
    at(bench, 9 * BEAT)
    look(bench)
    bench.take()
    at(bench, 13 * BEAT)
    look(bench)
    look(bench)
    at(bench, 17 * BEAT)
    look(bench)
    behind = [values for address, values in bench.take() if address == "/ditto/slot/endless"]
    assert behind == [(3, 1, 1, 1), (3, 1, 1, 2)]
    assert caplog.text.count("falls behind; its last 4 beats repeat") == 1
    assert bench.stage.state(3)[1:3] == (1, 2)
    publish(bench, final=True)
    assert plays(bench)[-1].at == 20 * BEAT, "behind the pass that plays"
    assert bench.endless.state(3) == (3, 1, 2, 0)


def test_a_version_that_comes_when_its_segment_plays_is_not_planned(bench: Bench) -> None:
    turn(bench, 1)
    look(bench)
    publish(bench, final=False)
    at(bench, 8 * BEAT)
    before = len(plays(bench))
    publish(bench, final=True, version=3)
    assert len(plays(bench)) == before and bench.stage.state(3) == (3, 1, 2, -1, -1.0)
    look(bench)
    region = renders(bench)[-1].job.region
    assert region and Path(region.path).name == open_name(3, 2), "what is heard is continued"
    assert Path(region.path).exists()


def test_turned_off_what_plays_repeats(bench: Bench) -> None:
    turn(bench, 1)
    look(bench)
    publish(bench, final=True)
    look(bench)
    bench.played.clear()
    turn(bench, 0)
    assert bench.desk.line.of(3) is None
    assert [type(order) for order in bench.played] == [Hold]
    assert bench.stage.state(3) == (3, 1, 1, -1, -1.0)
    look(bench)
    assert len(renders(bench)) == 2
    assert bench.endless.state(3) == (3, 0, 0, 0)
    assert turn(bench, 0)[0][0] == "/ditto/done"


def test_a_silent_slot_waits_and_a_stopped_one_is_left_alone(bench: Bench) -> None:
    bench.send(message("/ditto/stop", "if", 3, 4.0))
    turn(bench, 1)
    look(bench)
    assert renders(bench) == []
    bench.send(message("/ditto/play", "if", 3, 4.0))
    look(bench)
    assert len(renders(bench)) == 1
    bench.send(message("/ditto/stop", "if", 3, 0.0))
    count = len(plays(bench))
    publish(bench, final=True)
    assert len(plays(bench)) == count
    assert bench.stage.plans[3].changes[-1].loop is None


def test_a_render_of_ones_own_is_swapped_in_and_continued(bench: Bench) -> None:
    turn(bench, 1)
    look(bench)
    bench.send(message("/ditto/render", "i", 3))
    bench.desk.on_event(Stopped(id=renders(bench)[0].id, code="cancelled", text=""))
    publish(bench, final=True)
    at(bench, 8 * BEAT)
    look(bench)
    region = renders(bench)[-1].job.region
    assert region and region.path == str(bench.desk.takes.sound(3, 2))


def test_a_slot_without_a_take_is_refused(bench: Bench) -> None:
    ((_, values),) = bench.send(message("/ditto/endless", "ii", 4, 1))
    assert values[2] == "no_take" and not bench.endless.is_on(4)
    ((_, values),) = bench.send(message("/ditto/endless", "ii", 3, 2))
    assert values[2] == "out_of_range"


def test_a_segment_that_fails_is_asked_for_again_after_a_while(bench: Bench) -> None:
    turn(bench, 1)
    look(bench)
    bench.desk.on_event(Stopped(id=renders(bench)[0].id, code="bad_target", text="no note"))
    for _ in range(5):
        look(bench)
    assert len(renders(bench)) == 1
    look(bench, RETRY_S + 0.1)
    assert [order.job.seed for order in renders(bench)] == [1, 2]


def test_without_an_engine_it_is_said_once_and_goes_on_when_there_is_one(bench: Bench) -> None:
    turn(bench, 1)
    bench.desk.on_event(Unready(code="no_model", text="no weights"))
    for seconds in range(0, 20, 3):
        look(bench, float(seconds))
    fails = [values for address, values in bench.take() if address == "/ditto/fail"]
    assert [values[0] for values in fails] == ["/ditto/endless"] and fails[0][2] == "no_model"
    bench.get_ready()
    look(bench, 30.0)
    assert len(renders(bench)) == 1


def test_an_engine_that_dies_is_waited_for(bench: Bench) -> None:
    turn(bench, 1)
    look(bench)
    bench.desk.on_event(Died("was killed by signal 9"))
    at(bench, 9 * BEAT)
    look(bench)
    assert bench.stage.state(3)[1:3] == (1, 1)
    bench.get_ready()
    publish(bench, final=True)
    assert plays(bench)[-1].at == 12 * BEAT


def test_a_scene_brings_it_back(bench: Bench) -> None:
    turn(bench, 1)
    bench.send(message("/ditto/scene/save", "s", "on"))
    turn(bench, 0)
    bench.send(message("/ditto/scene/save", "s", "off"))
    bench.send(message("/ditto/scene/recall", "sf", "on", 4.0))
    assert bench.endless.is_on(3)
    look(bench)
    region = renders(bench)[-1].job.region
    assert region and Path(region.path).parent.name == "audio", "it continues the scene's take"
    bench.send(message("/ditto/scene/recall", "sf", "off", 4.0))
    assert not bench.endless.is_on(3) and bench.desk.line.of(3) is None


def test_curves_repeat_and_a_seamless_loop_is_not_asked_for() -> None:
    slot = Slot(
        intensity=Intensity(points=(Point(beat=0, db=-20),)),
        quality=Quality(steps=20, search_steps=4),
        seed=2**31 - 1,
    )
    job = segment(
        slot, Loop(1, "/a.wav", Fraction(120), Fraction(192_000), frames=192_000), 48_000, 1
    )
    assert job.intensity == slot.intensity and job.loop is None
    assert job.seed == 0 and job.quality.steps == 4


def test_the_horizon_is_the_end_of_the_pass_that_is_planned_last() -> None:
    loop = Loop(1, "/a.wav", Fraction(120), Fraction(1000))
    plan = Timeline((Change(500, loop, 500), Change(2500, loop, 2500)))
    for soon, end in ((0, 3500), (3500, 3500), (3501, 4500), (9000, 9500)):
        found = horizon(plan, soon)
        assert found is not None and found.end == end
    assert horizon(Timeline(), 0) is None
    assert horizon(plan.put(Change(3000, None)), 0) is None
