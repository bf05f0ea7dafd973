"""The player's core, block by block, against plain numpy: every launch on its exact sample."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from daemon.audio.layout import COMMANDS, END, GAIN, PANIC
from tests.player_rig import BLOCK, FADE, LENGTH, RAMP, Audio, Rig, looped, take


def rise(fade: int) -> NDArray[np.float64]:
    return np.sin(np.pi / 2 * np.arange(fade) / fade)


def test_an_empty_player_is_silent() -> None:
    assert np.array_equal(Rig(2).block(), np.zeros((BLOCK, 2)))


def test_a_launch_is_on_its_exact_sample_and_loops_without_end() -> None:
    rig, audio = Rig(), take()
    rig.start(audio, 1000)
    heard = rig.play(40_000)
    assert not heard[: 1000 - FADE].any()
    assert np.array_equal(heard[1000:], looped(audio, 1000, 39_000, 1000))
    expected = looped(audio, 1000 - FADE, FADE, 1000) * rise(FADE)
    np.testing.assert_allclose(heard[1000 - FADE : 1000], expected, atol=1e-7)
    assert rig.late() == 0


def test_frames_beyond_full_scale_are_counted_and_stay_as_they_are() -> None:
    rig, audio = Rig(2), np.full(LENGTH, 0.6, np.float32)
    rig.start(audio, 300)
    rig.play(2000)
    assert rig.memory.state["clipped"][0] == 0
    rig.start(-audio, 2500, slot=1)
    rig.play(1000)
    assert rig.memory.state["clipped"][0] == 0
    rig.start(audio, 3500, slot=2)
    rig.start(audio, 3500, slot=3)
    # 0.6 - 0.6 + 0.6 + 0.6 from frame 3500 on, and a little before, where both come in.
    heard = rig.play(1000)
    assert heard[-1] == np.float32(1.2)
    assert rig.memory.state["clipped"][0] == np.count_nonzero(heard > 1) > 500


@settings(max_examples=40, deadline=None)
@given(at=st.integers(FADE, 3000), block=st.integers(1, 700), length=st.integers(300, 2000))
def test_blocks_of_any_length_give_the_same(at: int, block: int, length: int) -> None:
    rig, audio = Rig(), take(length)
    rig.start(audio, at)
    heard = rig.play(6000, block)
    assert np.array_equal(heard[at:], looped(audio, at, 6000 - at, at))
    assert not heard[: at - FADE].any()


def test_every_channel_has_the_same() -> None:
    rig = Rig(3)
    rig.start(take(), FADE)
    rig.block()
    out_NC = rig.block()
    assert out_NC[:, 0].any()
    assert np.array_equal(out_NC, np.repeat(out_NC[:, :1], 3, axis=1))


def test_a_loop_of_a_broken_length_does_not_drift() -> None:
    # 4 beats at 127 bpm: 90708 + 84/127 frames, played here a hundred times smaller.
    period = Fraction(4 * 60 * 480, 127)
    length = round(period)
    rig, audio = Rig(), take(length)
    rig.start(audio, 300, period=period.numerator, parts=period.denominator)
    heard = rig.play(300 * length)
    for number in (1, 2, 3, 50, 126, 127, 253, 290):
        begin = 300 + round(number * period)
        assert np.array_equal(heard[begin : begin + length - 1], audio[: length - 1]), number
    # Where a pass is one frame longer than the take, its last sample is held.
    gap = {round((n + 1) * period) - round(n * period) - length for n in range(290)}
    assert gap <= {-1, 0, 1} and len(gap) == 2


def test_a_swap_crosses_at_equal_power_and_is_over_at_its_frame() -> None:
    rig, old, new = Rig(), take(seed=1), take(seed=2)
    fade, at = 960, FADE + 2 * LENGTH
    rig.start(old, FADE)
    rig.start(new, at, voice=1, fade=fade)
    rig.do(END, voice=0, at=at, fade=fade)
    heard = rig.play(at + LENGTH)
    assert np.array_equal(heard[FADE : at - fade], looped(old, FADE, at - fade - FADE, FADE))
    assert np.array_equal(heard[at:], new)
    up = rise(fade)
    down = np.cos(np.pi / 2 * np.arange(fade) / fade)
    np.testing.assert_allclose(up**2 + down**2, 1)
    expected = looped(old, at - fade, fade, FADE) * down + looped(new, at - fade, fade, at) * up
    np.testing.assert_allclose(heard[at - fade : at], expected, atol=1e-6)


def test_a_stop_fades_and_is_silent_from_its_frame() -> None:
    rig, audio = Rig(), np.full(LENGTH, 0.5, np.float32)
    rig.start(audio, FADE)
    rig.do(END, at=3000, fade=FADE)
    heard = rig.play(4000)
    assert not heard[3000:].any()
    assert np.array_equal(heard[FADE : 3000 - FADE], audio[: 3000 - 2 * FADE])
    assert abs(np.diff(heard)).max() < 0.5 * np.pi / 2 / FADE * 1.01


def test_a_late_launch_comes_at_once_in_its_phase_and_is_counted() -> None:
    rig, audio = Rig(), take()
    rig.play(5 * BLOCK)
    rig.start(audio, 5 * BLOCK + 10, origin=7)
    heard = rig.play(2000)
    first = 5 * BLOCK + FADE
    assert np.array_equal(heard[FADE:], looped(audio, first, 2000 - FADE, 7))
    assert rig.late() == 1
    rig.start(audio, -1, voice=1, origin=7)
    rig.block()
    assert rig.late() == 1


def test_a_change_that_was_cancelled_is_never_heard() -> None:
    rig = Rig()
    rig.start(take(), 2000)
    rig.block()
    rig.do(END, at=1900, fade=FADE)
    assert not rig.play(6000).any()


def steps(heard: Audio) -> float:
    return float(abs(np.diff(heard.astype(np.float64))).max())


def test_ending_sooner_inside_a_fade_makes_no_step() -> None:
    for sooner in (END, PANIC):
        rig = Rig()
        rig.start(np.full(LENGTH, 0.5, np.float32), FADE)
        rig.play(1000)
        rig.do(END, at=2400, fade=1200)
        heard = rig.play(800)
        rig.do(sooner, at=1900, fade=FADE)
        heard = np.concatenate([heard, rig.play(1000)])
        assert not heard[-300:].any()
        assert steps(heard) < 0.5 * np.pi / 2 / FADE * 1.05


def test_gain_moves_without_a_step_and_arrives() -> None:
    rig = Rig()
    rig.start(np.ones(LENGTH, np.float32), FADE)
    rig.play(512)
    rig.do(GAIN, at=700, gain=0.25)
    heard = rig.play(3000)
    frames = np.arange(512, 3512)
    expected = 1 - 0.75 * np.clip((frames - 700) / RAMP, 0, 1)
    np.testing.assert_allclose(heard, expected, atol=1e-6)


def test_a_flood_of_gains_never_steps_and_ends_at_the_last() -> None:
    rig = Rig()
    rig.start(np.ones(LENGTH, np.float32), FADE)
    values = np.random.default_rng(3).uniform(0, 1, 300)
    rig.play(FADE)
    heard = []
    for value in values:
        rig.do(GAIN, at=rig.frame() + 400, gain=value)
        heard.append(rig.play(37))
    heard.append(rig.play(3 * RAMP))
    joined = np.concatenate(heard)
    assert steps(joined) <= 1.0001 / RAMP
    assert joined[-1] == np.float32(values[-1])
    assert np.ptp(joined[2000:8000]) > 0.3, "they take effect while the flood goes on"


@pytest.mark.parametrize("block", [64, 1024])
def test_panic_is_silence_after_one_block(block: int) -> None:
    rig = Rig()
    for slot in range(16):
        rig.start(np.full(LENGTH, 0.05, np.float32), FADE, slot=slot)
        rig.start(take(), 4000, slot=slot, voice=1)
    before = rig.play(1024, block)
    rig.do(PANIC)
    heard = rig.block(block)[:, 0]
    assert abs(heard[0] - before[-1]) < 0.05
    assert steps(heard) < 0.8 * np.pi / 2 / min(block, FADE) * 1.05
    assert not rig.play(10_000, block).any()


def test_sixteen_slots_add_up() -> None:
    rig = Rig()
    audio = [take(300 + 17 * slot, seed=slot) for slot in range(16)]
    expected = np.zeros(8000, np.float32)
    for slot, each in enumerate(audio):
        at = 1000 + 7 * slot
        rig.start(each, at, slot=slot, fade=100)
        expected[1105:] += looped(each, 1105, 8000 - 1105, at)
    heard = rig.play(8000)
    assert np.array_equal(heard[1105:], expected[1105:])


def test_a_full_ring_refuses() -> None:
    rig = Rig()
    assert all(rig.do(GAIN, gain=1.0) for _ in range(COMMANDS))
    assert not rig.do(GAIN, gain=0.5)
    rig.block()
    assert rig.do(GAIN, gain=0.5)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_comes_the_sound_never_steps(data: st.DataObject) -> None:
    rig, ends = Rig(), st.integers(0, 6000)
    flat = np.full(LENGTH, 0.1, np.float32)
    for voice in range(4):
        rig.memory.takes_SVN[:, voice, :LENGTH] = flat
    heard = []
    deeds: list[Callable[[int], object]] = [
        lambda at: rig.do(END, voice=data.draw(st.integers(0, 3)), at=at, fade=FADE),
        lambda at: rig.do(GAIN, at=at, gain=data.draw(st.floats(0, 1, allow_subnormal=False))),
        lambda at: rig.do(PANIC),
    ]
    for voice in range(4):
        rig.start(flat, data.draw(ends), voice=voice)
        for deed in data.draw(st.lists(st.sampled_from(deeds), max_size=3)):
            deed(data.draw(ends))
            heard.append(rig.play(64 * data.draw(st.integers(1, 24)), 64))
    heard.append(rig.play(7040, 64))
    # Four voices at 0.1, each with two fades of 64 frames at the shortest, and the gain's ramp.
    assert steps(np.concatenate(heard)) < 4 * 0.1 * (np.pi / 64 + 1 / RAMP)
