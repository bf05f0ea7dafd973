"""Automation is laid along the loop as an overdub lays it: written beats change, others do not."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.live.lane import CELL_BEATS, MOST_CELLS, SLACK_DB, Lane, distance_db, levels, thinned
from ditto_rt.spec import Intensity, Point


def drawn(*points: tuple[float, float]) -> Intensity:
    return Intensity(points=tuple(Point(beat=beat, db=db) for beat, db in points))


def db_at(lane: Lane, *beats: float) -> list[float]:
    return levels(lane.curve(), beats)


def stroke(lane: Lane, first: float, last: float, db: float, now_s: float = 0.0) -> None:
    for beat in np.arange(first, last + 0.01, 0.05):
        lane.write(float(beat), db, now_s + float(beat))


def test_the_first_value_is_the_whole_loop() -> None:
    lane = Lane(8.0, None)
    lane.write(3.0, -20.0, 0.0)
    assert db_at(lane, 0, 3, 7.9) == [-20, -20, -20]
    assert len(lane.curve().points) == 2


def test_a_value_holds_until_the_next_round_the_loop() -> None:
    lane = Lane(8.0, None)
    lane.write(2.0, -30.0, 0.0)
    lane.write(5.0, -10.0, 9.0)
    assert db_at(lane, 2.0, 4.9, 5.0, 7.9, 0.0, 1.9) == [-30, -30, -10, -10, -10, -10]


def test_where_nothing_is_written_what_was_drawn_stays() -> None:
    lane = Lane(8.0, drawn((0, -40), (8, -20)))
    stroke(lane, 3, 5, -6.0)
    assert db_at(lane, 3.0, 4.0, 5.0) == pytest.approx([-6, -6, -6], abs=SLACK_DB)
    outside = [0.0, 1.5, 2.9, 5.1, 7.9]
    expected = [-40 + 20 * beat / 8 for beat in outside]
    assert db_at(lane, *outside) == pytest.approx(expected, abs=2 * SLACK_DB)


def test_a_second_pass_overwrites_the_first_only_where_it_goes() -> None:
    lane = Lane(4.0, None)
    stroke(lane, 0, 4, -30.0)
    stroke(lane, 5, 6, -10.0, 10.0)
    assert db_at(lane, 0.5, 1.5, 2.5) == pytest.approx([-30, -10, -30], abs=SLACK_DB)


def test_beats_beyond_the_loop_go_round() -> None:
    lane = Lane(8.0, drawn((0, -40)))
    assert lane.write(8 * 1000 + 2.5, -10.0, 0.0) == 2.5
    assert db_at(lane, 2.5, 4) == [-10, -40]
    assert lane.write(7.99, -5.0, 5.0) == 7.9375


def test_a_slow_stream_writes_the_line_between_its_values() -> None:
    lane = Lane(8.0, drawn((0, -40)))
    lane.write(7.5, -30.0, 0.0)
    lane.write(8.5, -10.0, 0.9)
    assert db_at(lane, 0.0, 0.25, 0.5, 1.0, 7.5) == pytest.approx([-20, -15, -10, -40, -30])


@pytest.mark.parametrize(("beat", "now_s"), [(2.5, 1.2), (4.0, 0.1), (0.5, 0.1)])
def test_a_pause_or_a_jump_begins_anew(beat: float, now_s: float) -> None:
    lane = Lane(8.0, drawn((0, -40)))
    lane.write(2.0, -10.0, 0.0)
    lane.write(beat, -10.0, now_s)
    assert db_at(lane, min(beat, 2.0) + 0.25) == [-40]


@given(
    st.lists(
        st.tuples(
            st.floats(0, 500, allow_subnormal=False), st.floats(-80, 0, allow_subnormal=False)
        ),
        min_size=1,
        max_size=60,
    ),
    st.floats(0.25, 80, allow_subnormal=False),
    st.booleans(),
)
def test_the_last_value_of_a_place_counts_and_points_are_bounded(
    written: list[tuple[float, float]], beats: float, has_curve: bool
) -> None:
    lane = Lane(beats, drawn((0, -40), (1, -20)) if has_curve else None)
    for number, (beat, db) in enumerate(written):
        place = lane.write(beat, db, 10.0 * number)
        assert 0 <= place < beats
    curve = lane.curve()
    assert len(curve.points) <= MOST_CELLS
    assert db_at(lane, place) == pytest.approx([written[-1][1]], abs=SLACK_DB)
    assert all(-80 <= point.db <= 0 for point in curve.points)


@given(st.lists(st.floats(-80, 0, allow_subnormal=False), min_size=1, max_size=256))
def test_thinning_loses_no_more_than_its_slack(values: list[float]) -> None:
    points = [(number * CELL_BEATS, db) for number, db in enumerate(values)]
    kept = thinned(points)
    assert set(kept) <= set(points) and kept[0] == points[0] and kept[-1] == points[-1]
    made = np.interp([beat for beat, _ in points], *zip(*kept, strict=True))
    assert np.abs(made - np.array(values)).max() <= SLACK_DB * 1.001


def test_a_straight_line_needs_two_points() -> None:
    assert len(thinned([(n / 16, -40 + n / 10) for n in range(200)])) == 2


@given(
    st.lists(
        st.tuples(
            st.floats(0, 20, allow_subnormal=False), st.floats(-80, 0, allow_subnormal=False)
        ),
        min_size=1,
        unique_by=lambda p: p[0],
    )
)
def test_levels_are_what_numpy_interpolates(points: list[tuple[float, float]]) -> None:
    points.sort()
    beats = np.linspace(0, 21, 50)
    wanted = np.interp(beats, *zip(*points, strict=True))
    assert levels(drawn(*points), [*beats]) == pytest.approx(wanted, abs=1e-6)


def test_how_far_curves_are_apart() -> None:
    flat = drawn((0, -20))
    assert distance_db(flat, drawn((0, -23)), 8.0) == pytest.approx(3.0)
    step = drawn((0, -20), (4, -20), (4.001, -26))
    assert distance_db(flat, step, 8.0) == pytest.approx(6 / 2**0.5, rel=0.02)
    assert distance_db(None, flat, 8.0) == inf
    assert distance_db(None, None, 8.0) == 0
