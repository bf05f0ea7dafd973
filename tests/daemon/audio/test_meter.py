"""The callback's clock and its counts."""

import time

import numpy as np
import pytest
from numba import njit

from daemon.audio.layout import BIN_COUNT, BUSY, METER_WORDS, PERIOD, SHARE
from daemon.audio.meter import bin_of, counts, now_ns, record

clock = njit(lambda: now_ns())


def test_its_clock_is_the_systems() -> None:
    before, seen, after = time.monotonic_ns(), clock(), time.monotonic_ns()
    assert before <= seen <= after


@pytest.mark.parametrize("duration_ns", [8, 9, 15, 16, 17, 999, 1_000_000, 12_345_678, 10**10])
def test_a_bin_holds_what_is_at_most_an_eighth_wider(duration_ns: int) -> None:
    octave, share = divmod(bin_of(duration_ns), SHARE)
    low, high = 2**octave * (SHARE + share), 2**octave * (SHARE + share + 1)
    assert low <= duration_ns < high


def test_what_is_outside_lands_in_the_first_and_the_last_bin() -> None:
    assert bin_of(-5) == bin_of(0) == bin_of(7) == 0
    assert bin_of(2**62) == BIN_COUNT - 1


def test_calls_are_counted_with_how_long_they_took_and_how_far_apart_they_are() -> None:
    meter = np.zeros(METER_WORDS, np.int64)
    for began_ns, ended_ns in ((1000, 1100), (6000, 6050), (12_000, 12_100)):
        record(meter, began_ns, ended_ns)
    busy, period = counts(meter, BUSY), counts(meter, PERIOD)
    assert busy == (250, 100, ((bin_of(50), 1), (bin_of(100), 2)))
    assert period == (11_000, 6000, ((bin_of(5000), 1), (bin_of(6000), 1)))
