"""Beats and frames: exact, continuous where they should be, and without drift."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.playing.transport import Transport

RATES = st.sampled_from([44_100, 48_000, 96_000])
BPMS = st.decimals(20, 300, places=3).map(float)
FRAMES = st.integers(0, 10**10)
BEATS = st.decimals(0, 10_000, places=4).map(float)
QUANTA = st.sampled_from([Fraction(1, 4), Fraction(1), Fraction(3), Fraction(4), Fraction(16)])


@given(RATES, BPMS, FRAMES, BEATS, FRAMES)
def test_frames_and_beats_are_each_other_s_inverse(
    rate: int, bpm: float, anchor: int, beat: float, frame: int
) -> None:
    transport = Transport(rate).with_bpm(bpm, 0).moved(anchor, beat)
    assert transport.frame_of(transport.beat_at(frame)) == frame
    assert transport.beat_at(anchor) == Fraction(str(beat))


@given(RATES, st.lists(st.tuples(BPMS, st.integers(1, 10**7)), min_size=1, max_size=8))
def test_a_change_of_tempo_keeps_the_phase(rate: int, changes: list[tuple[float, int]]) -> None:
    transport, frame = Transport(rate), 0
    for bpm, frames in changes:
        frame += frames
        faster = transport.with_bpm(bpm, frame)
        assert faster.beat_at(frame) == transport.beat_at(frame)
        ahead = faster.beat_at(frame + rate) - faster.beat_at(frame)
        assert ahead == Fraction(str(bpm)) / 60
        transport = faster


@given(RATES, BPMS, QUANTA, FRAMES)
def test_the_next_multiple_is_the_first_that_can_be_reached(
    rate: int, bpm: float, quantum: Fraction, frame: int
) -> None:
    transport = Transport(rate).with_bpm(bpm, 0)
    beat = transport.next_multiple(quantum, frame)
    assert beat % quantum == 0
    assert transport.frame_of(beat) >= frame > transport.frame_of(beat - quantum)


@given(BPMS, FRAMES)
def test_at_once_is_now(bpm: float, frame: int) -> None:
    transport = Transport(48_000).with_bpm(bpm, 0)
    assert transport.frame_of(transport.next_multiple(Fraction(0), frame)) == frame


@given(BPMS, FRAMES, st.integers(0, 10**6))
def test_a_stopped_transport_holds_its_beat(bpm: float, frame: int, pause: int) -> None:
    running = Transport(48_000).with_bpm(bpm, 0)
    held = running.stopped(frame)
    assert held.beat_at(frame + pause) == running.beat_at(frame)
    with pytest.raises(ValueError, match="stands still"):
        held.frame_of(Fraction(4))
    again = held.started(frame + pause)
    assert again.beat_at(frame + pause) == running.beat_at(frame)
    assert held.started(frame, 8.0).beat_at(frame) == 8


def test_64_bars_are_where_they_should_be() -> None:
    transport = Transport(48_000).with_bpm(127.0, 0)
    frames = [transport.frame_of(Fraction(4 * bar)) for bar in range(65)]
    assert frames[64] == round(Fraction(64 * 4 * 60 * 48_000, 127))
    assert {b - a for a, b in zip(frames[:-1], frames[1:], strict=True)} == {90_708, 90_709}
