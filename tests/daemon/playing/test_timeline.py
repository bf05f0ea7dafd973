"""What a slot plays when: plans replace each other from their frame on, swaps wait for the loop."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from daemon.playing.timeline import Change, Loop, Timeline, loop_of, next_change
from daemon.takes.slots import Slot
from daemon.takes.take import Take
from tests.daemon_office import report

PERIOD = Fraction(907_086, 10)


def loop(version: int, period: Fraction = PERIOD) -> Loop:
    return Loop(version, f"{version}.wav", Fraction(120), period)


def playing(at: int = 1000) -> Timeline:
    return Timeline().put(Change(at, loop(1), at))


@given(st.fractions(min_value=300, max_value=10**6, max_denominator=5000), st.integers(0, 10**9))
def test_a_boundary_is_the_first_start_of_a_pass(period: Fraction, frame: int) -> None:
    change = Change(1000, loop(1, period), 1000)
    boundary = change.boundary(frame)
    number = round((boundary - 1000) / period)
    assert boundary == 1000 + round(number * period) >= max(frame, 1000)
    assert number == 0 or 1000 + round((number - 1) * period) < frame


def test_a_change_replaces_what_was_planned_behind_it() -> None:
    line = playing().put(Change(9000, None)).put(Change(5000, loop(2), 5000))
    assert [c.at for c in line.changes] == [1000, 5000]
    assert line.put(Change(9000, None)).after(5000) == (Change(9000, None),)


def test_what_holds_and_what_comes() -> None:
    line = playing().put(Change(9000, None))
    assert line.at(999) is None
    held = line.at(1000)
    assert held and held.loop == loop(1)
    assert line.without_past(9500).changes == (Change(9000, None),)
    assert line.without_past(500) == line
    assert next_change([Timeline(), line], 1000) == 9000
    assert next_change([line], 9000) is None


def test_a_swap_waits_for_the_loop_and_keeps_the_stop() -> None:
    line, fresh = playing().put(Change(400_000, None)).swap(loop(2), 5000)
    boundary = 1000 + round(PERIOD)
    assert fresh == (Change(boundary, loop(2), boundary), Change(400_000, None))
    assert [c.at for c in line.changes] == [1000, boundary, 400_000]


def test_nothing_is_swapped_where_the_slot_stops_first() -> None:
    line = playing().put(Change(6000, None))
    assert line.swap(loop(2), 5000) == (line, ())
    assert Timeline().swap(loop(2), 5000) == (Timeline(), ())


def test_a_launch_that_is_planned_takes_the_newer_take() -> None:
    line, fresh = playing(8000).swap(loop(2), 5000)
    assert fresh == (Change(8000, loop(2), 8000),) and line.changes == fresh


def test_a_relaunch_that_is_planned_takes_it_too() -> None:
    line = playing().put(Change(50_000, loop(1), 50_000))
    line, fresh = line.swap(loop(2), 5000)
    assert fresh == (Change(50_000, loop(2), 50_000),)
    assert [c.loop.version for c in line.changes if c.loop] == [1, 2]


def test_a_take_s_period_is_what_was_asked() -> None:
    asked = Slot(bpm=127.0, beats=4.0).job()
    exact = Fraction(4 * 60 * 48_000, 127)
    made = report().model_copy(update={"frames": round(exact)})
    take = Take(slot=0, version=3, asked=asked, report=made)
    assert loop_of(take, "x").period == exact
    other = take.model_copy(update={"report": report().model_copy(update={"frames": 5000})})
    assert loop_of(other, "x").period == 5000
