"""Rides in the player's core against plain numpy: gains along the loop, glides between them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from daemon.audio.layout import PANIC, RIDE, RIDE_POINTS
from tests.player_rig import BLOCK, FADE, LENGTH, RAMP, Rig, looped, take

Curve = NDArray[np.float64]


def curve(seed: int, low: float = 0.0, high: float = 1.0) -> Curve:
    drawn = np.random.default_rng(seed).uniform(low, high, RIDE_POINTS).astype(np.float32)
    return drawn.astype(np.float64)


def along(gains_R: Curve, place_N: NDArray[np.float64]) -> Curve:
    """Return the gains at places of a loop, where 1 is a whole pass."""
    points = np.arange(RIDE_POINTS + 1) / RIDE_POINTS
    return np.interp(place_N % 1, points, np.append(gains_R, gains_R[0]))


def expected(rides: list[tuple[int, Curve]], frames_N: NDArray[np.int64], period: float) -> Curve:
    """Return the gain at frames of a loop that began on frame FADE; a ride for each time."""
    now, heard_N = rides[0][1], np.empty(len(frames_N))
    for number, (at, gains) in enumerate(rides):
        until = rides[number + 1][0] if number + 1 < len(rides) else frames_N[-1] + 1
        old, part_N = now, np.clip((frames_N - at) / RAMP, 0, 1)
        place_N = (frames_N - FADE) / period
        mixed_N = along(old, place_N) * (1 - part_N) + along(gains, place_N) * part_N
        here = (frames_N >= at) & (frames_N < until)
        heard_N[here] = mixed_N[here]
        now = old + (gains - old) * min((until - at) / RAMP, 1.0)
    return heard_N


def test_a_ride_follows_the_loop_sample_by_sample() -> None:
    rig, audio, gains = Rig(), take(), curve(1)
    rig.start(audio, FADE, ridden=1, ride=gains)
    heard = rig.play(20_000)[FADE:]
    frames = np.arange(FADE, 20_000)
    wanted = looped(audio, FADE, len(frames), FADE) * along(gains, (frames - FADE) / LENGTH)
    np.testing.assert_allclose(heard, wanted, atol=1e-7)


def test_the_points_lie_evenly_on_a_loop_of_a_broken_length() -> None:
    period = Fraction(4 * 60 * 480, 127)
    length, gains = round(period), curve(2)
    rig = Rig()
    parts = {"period": period.numerator, "parts": period.denominator}
    rig.start(np.ones(length, np.float32), FADE, ridden=1, ride=gains, **parts)
    heard = rig.play(FADE + 200 * length)[FADE:]
    starts = np.array([round(number * period) for number in range(202)])
    frames = np.arange(200 * length)
    here = frames - starts[np.searchsorted(starts, frames, side="right") - 1]
    np.testing.assert_allclose(heard, along(gains, here / float(period)), atol=1e-6)


def test_no_ride_and_a_ride_of_nothing_are_the_take_bit_for_bit() -> None:
    audio = take()
    for more in ({}, {"ridden": 1, "ride": 1.0}):
        rig = Rig()
        rig.start(audio, FADE, **more)
        assert np.array_equal(rig.play(9000)[FADE:], looped(audio, FADE, 9000 - FADE, FADE))


def test_a_ride_that_is_taken_back_leaves_the_take_bit_for_bit() -> None:
    rig, audio = Rig(), take()
    rig.start(audio, FADE)
    rig.do(RIDE, at=1000, ride=curve(3))
    rig.play(3000)
    rig.do(RIDE, at=4000, ride=1.0)
    heard = rig.play(9000)
    assert np.array_equal(heard[1000 + RAMP :], looped(audio, 4000 + RAMP, 8000 - RAMP, FADE))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(300, 3000), min_size=1, max_size=5), st.integers(1, 700))
def test_glides_are_what_numpy_says_whatever_the_block(gaps: list[int], block: int) -> None:
    # A new ride comes before the glide to the last one is over, too.
    rig = Rig()
    rig.start(np.ones(LENGTH, np.float32), FADE, ridden=1, ride=curve(0))
    rides, heard = [(0, curve(0))], []
    for number, gap in enumerate(gaps):
        at = rig.frame() + gap
        rides.append((at, curve(number + 1)))
        rig.do(RIDE, at=at, ride=rides[-1][1])
        heard.append(rig.play(gap + 1, block))
    heard.append(rig.play(3000, block))
    joined = np.concatenate(heard)[FADE:]
    frames = np.arange(FADE, FADE + len(joined))
    np.testing.assert_allclose(joined, expected(rides, frames, LENGTH), atol=3e-7)


def test_blocks_of_any_length_give_the_same_bits() -> None:
    def heard(block: int) -> NDArray[np.float32]:
        rig = Rig()
        rig.start(take(), FADE)
        for at in (700, 1200, 4000):
            rig.do(RIDE, at=at, ride=curve(at))
            rig.play(500, block)
        return rig.play(6000, block)

    assert all(np.array_equal(heard(block), heard(6000)) for block in (1, 33, 256, 1000))


def test_a_ride_that_waits_for_a_later_voice_is_there_when_it_begins() -> None:
    rig, audio, gains = Rig(), take(), curve(4)
    rig.start(audio, 8000)
    rig.do(RIDE, at=600, ride=gains)
    heard = rig.play(9000)
    wanted = audio[:1000] * along(gains, np.arange(1000) / LENGTH)
    np.testing.assert_allclose(heard[8000:], wanted, atol=1e-7)


def test_a_voice_that_is_used_again_forgets_its_ride() -> None:
    rig, audio = Rig(), take()
    rig.start(audio, FADE, ridden=1, ride=curve(5))
    rig.play(2000)
    rig.do(PANIC)
    rig.play(1000)
    rig.start(audio, 4000)
    assert np.array_equal(rig.play(3000)[1000:], audio[:2000])


def test_a_late_ride_glides_from_the_next_block_on() -> None:
    rig = Rig()
    rig.start(np.ones(LENGTH, np.float32), FADE)
    rig.play(4 * BLOCK)
    rig.do(RIDE, at=10, ride=0.25)
    heard = rig.play(3000)
    wanted = 1 - 0.75 * np.clip(np.arange(3000) / RAMP, 0, 1)
    np.testing.assert_allclose(heard, wanted, atol=1e-6)
    assert rig.late() == 0, "a ride has no beat to be late for"


@pytest.mark.parametrize("every", [5, 37, 500])
def test_a_flood_of_rides_never_steps_and_ends_at_the_last(every: int) -> None:
    rig, heard = Rig(), []
    rig.start(np.ones(LENGTH, np.float32), FADE)
    rig.play(FADE)
    levels = np.random.default_rng(6).uniform(0, 1, 200)
    for level in levels:
        rig.do(RIDE, at=rig.frame() + 400, ride=level)
        heard.append(rig.play(every))
    heard.append(rig.play(3 * RAMP))
    joined = np.concatenate(heard)
    assert np.abs(np.diff(joined.astype(np.float64))).max() <= 1.0001 / RAMP
    assert joined[-1] == np.float32(levels[-1])
    if every > 5:
        assert np.ptp(joined[1000:]) > 0.1, "they take effect while the flood goes on"
