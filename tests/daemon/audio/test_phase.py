"""Which frame a stream begins with, and which block it believes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.audio.layout import NS_PER_S, Memory, allocate
from daemon.audio.phase import FILLING_BLOCKS, SETTLING_NS, is_heard, note

RATE_HZ = 48_000
LONG_AGO_NS = 4 * 10**15
A_DAY = 86_400


def settling(ref_frame: int, ref_ns: int) -> Memory:
    memory = allocate(RATE_HZ, 1, 10)
    memory.state["settling"] = 1
    memory.state["ref_frame"], memory.state["ref_ns"] = ref_frame, ref_ns
    return memory


@settings(deadline=None)
@given(
    block=st.sampled_from((64, 256, 1024)),
    lates_us=st.lists(st.integers(0, 9000), min_size=120, max_size=120),
    punctual=st.integers(FILLING_BLOCKS, FILLING_BLOCKS + 4),
    phase_ns=st.integers(0, 10**8),
    gap_s=st.sampled_from((0, 1, A_DAY)),
)
def test_a_stream_begins_in_its_phase_whatever_its_first_block_was(
    block: int, lates_us: list[int], punctual: int, phase_ns: int, gap_s: int
) -> None:
    ref_frame, began_ns = 123_456_789, LONG_AGO_NS + gap_s * NS_PER_S + phase_ns
    memory = settling(ref_frame, LONG_AGO_NS)
    lates_us[punctual] = 0
    for number, late_us in enumerate(lates_us):
        due_ns = began_ns + number * block * NS_PER_S // RATE_HZ
        if is_heard(memory.state, due_ns + 1000 * late_us, block):
            due = ref_frame + (due_ns - LONG_AGO_NS) * RATE_HZ / NS_PER_S
            assert abs(int(memory.state["frame"][0]) - due) <= 1
            assert due_ns + 1000 * late_us - began_ns >= SETTLING_NS
            assert memory.state["settling"][0] == 0
            return
    raise AssertionError("it is silent for ever")


def test_blocks_that_fill_a_device_tell_no_time() -> None:
    memory = settling(0, LONG_AGO_NS)
    for _ in range(FILLING_BLOCKS):
        # All at once, and so ahead of all that follow.
        assert not is_heard(memory.state, LONG_AGO_NS, 1024)
    number = 0
    while not is_heard(memory.state, LONG_AGO_NS + number * 1024 * NS_PER_S // RATE_HZ, 1024):
        number += 1
    assert abs(int(memory.state["frame"][0]) - number * 1024) <= 1


def test_the_least_late_block_since_the_last_report_counts() -> None:
    memory = allocate(RATE_HZ, 1, 10)
    state = memory.state
    state["frame"] = 10**12
    lates_us = (500, 20, 900, 400, 300)
    times_ns = [
        LONG_AGO_NS + number * 10**7 + 1000 * late_us for number, late_us in enumerate(lates_us)
    ]
    for number, at_ns in enumerate(times_ns):
        if number == 3:
            assert (state["best_frame"][0], state["best_ns"][0]) == (10**12 + 480, times_ns[1])
            state["reported"] += 1
        note(state, np.int64(at_ns))
        state["frame"] += 480
    assert (state["best_frame"][0], state["best_ns"][0]) == (10**12 + 4 * 480, times_ns[4])
