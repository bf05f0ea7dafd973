"""Loops that drift are begun anew on their beat; launches keep their grid over a jump."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.playing.aligning import (
    AHEAD_PARTS,
    ALIGN_PARTS,
    Shift,
    realigned,
    replanned,
    requantised,
)
from daemon.playing.following import SLACK, Heading, placed
from daemon.playing.timeline import Change, Loop, Timeline
from daemon.playing.transport import Transport

RATE_HZ = 48_000
BEAT = RATE_HZ // 2
OFF, AHEAD = RATE_HZ // ALIGN_PARTS, RATE_HZ // AHEAD_PARTS
LOOP = Loop(1, "1.wav", Fraction(120), Fraction(8 * BEAT), Fraction(8))
LED = replace(Transport(RATE_HZ), slack=SLACK)


def playing(start: int = 4) -> Timeline:
    at = start * BEAT
    return Timeline().put(Change(at, LOOP, at, Fraction(start), Fraction(4), Fraction(start)))


def shifted(frames: int) -> Transport:
    """Return a transport whose beats are later by so many frames."""
    return replace(LED, frame=frames)


def test_a_loop_that_is_in_time_is_left_alone() -> None:
    for soon in range(5 * BEAT, 30 * BEAT, 1000):
        assert realigned(playing(), LED, soon) == ()
        assert realigned(playing(), shifted(OFF), soon) == ()


@given(st.integers(-RATE_HZ // 20, RATE_HZ // 20), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_a_loop_that_is_off_begins_anew_on_its_beat(off: int, passes: int) -> None:
    transport, boundary = shifted(off), (4 + 8 * passes) * BEAT
    changes = [
        realigned(playing(), transport, soon)
        for soon in (boundary - 2 * AHEAD, boundary - AHEAD + 100)
    ]
    assert changes[0] == (), "that is too soon to know"
    if abs(off) <= OFF:
        assert changes[1] == ()
        return
    (change,) = changes[1]
    assert change.at == change.origin == boundary + off
    assert change.start == change.beat == 4 + 8 * passes
    # It is done once.
    plan = playing().put(change)
    assert realigned(plan, transport, boundary - AHEAD + 200) == ()
    assert realigned(plan, transport, boundary + 8 * BEAT - AHEAD + 100) == ()


def test_after_a_jump_a_loop_takes_its_place_in_the_bar() -> None:
    heading = Heading(10 * BEAT, Fraction("29.25"), Fraction(120))
    transport = placed(LED, heading, 10 * BEAT)
    boundary = 12 * BEAT
    (change,) = realigned(playing(), transport, boundary - 1000)
    assert change.beat is not None
    assert change.beat % 8 == 4 and change.at == transport.frame_of(change.beat)
    assert boundary - 1000 <= change.at < boundary - 1000 + 8 * BEAT


def test_what_must_not_be_aligned_is_not() -> None:
    soon, transport = 12 * BEAT - 1000, shifted(2000)
    other = replace(LOOP, bpm=Fraction(125))
    own_way = Timeline().put(Change(4 * BEAT, other, 4 * BEAT, start=Fraction(4)))
    unknown = Timeline().put(Change(4 * BEAT, LOOP, 4 * BEAT))
    stops = playing().put(Change(12 * BEAT, None, 12 * BEAT, Fraction(12)))
    for plan in (own_way, unknown, stops, Timeline(), Timeline().put(Change(0, None))):
        assert realigned(plan, transport, soon) == ()
    assert realigned(playing(), transport.stopped(soon), soon) == ()
    assert realigned(playing(), transport, soon)


def test_a_swapped_take_keeps_its_place() -> None:
    newer = replace(LOOP, version=2)
    plan, (fresh,) = playing().swap(newer, 21 * BEAT)
    assert (fresh.at, fresh.beat, fresh.start) == (28 * BEAT, None, 28)
    (change,) = realigned(plan, shifted(1000), 36 * BEAT - 500)
    assert change.loop == newer and change.at == 36 * BEAT + 1000


@given(st.sampled_from([1, 2, 4, 8]), st.fractions(0, 500, max_denominator=97))
@settings(max_examples=60, deadline=None)
def test_a_launch_goes_to_its_grid_after_a_jump(quantum: int, beat: Fraction) -> None:
    transport = placed(LED, Heading(0, beat, Fraction(120)), 0)
    change = Change(9 * BEAT, LOOP, 9 * BEAT, Fraction(9), Fraction(quantum), Fraction(9))
    moved = requantised(change, transport, 1000)
    assert moved.beat is not None and moved.beat % quantum == 0 and moved.start == moved.beat
    assert 9 * BEAT <= moved.at < (9 + quantum) * BEAT + 1
    assert moved.at == moved.origin == transport.frame_of(moved.beat)


def test_what_waits_for_no_beat_is_left_where_it_is() -> None:
    swap = Change(9 * BEAT, LOOP, 9 * BEAT, start=Fraction(9))
    assert requantised(swap, shifted(777), 0) == swap
    at_once = Change(9 * BEAT, LOOP, 9 * BEAT, Fraction(9), Fraction(0), Fraction(9))
    assert requantised(at_once, shifted(777), 0).at == 9 * BEAT


def test_what_comes_later_is_told_again_behind_an_aligned_loop() -> None:
    stop = Change(30 * BEAT, None, 30 * BEAT, Fraction(30))
    found = realigned(playing().put(stop), shifted(2000), 12 * BEAT - 1000)
    assert [change.at for change in found] == [12 * BEAT + 2000, 30 * BEAT]


def test_a_launch_is_moved_only_as_far_as_it_matters() -> None:
    plan = playing().put(Change(40 * BEAT, None, 40 * BEAT, Fraction(40)))
    for soon, off, is_moved in (
        (39 * BEAT, 100, False),
        (39 * BEAT, 300, True),
        (10 * BEAT, 300, False),
        (10 * BEAT, 8000, True),
        (40 * BEAT - 200, 30, True),
    ):
        moved = replanned(plan, shifted(off), soon, Shift.FOLLOWS)
        assert (moved is not None) == is_moved, (soon, off)
        exact = replanned(plan, shifted(off), soon, Shift.SET)
        assert exact and exact[0].at == 40 * BEAT + off
    assert replanned(plan, LED, 10 * BEAT, Shift.SET) is None
    assert replanned(playing(), shifted(9), 10 * BEAT, Shift.JUMPS) is None
