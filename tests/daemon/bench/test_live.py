"""What the long set expects to hear, and the figures' tables."""

import numpy as np

from daemon.bench.figures import Figure, markdown
from daemon.bench.live import Planned, Set, clicks, expected


def test_a_plan_is_the_take_between_fades() -> None:
    take = np.full(50, 0.5, np.float32)
    live = Set(plans={0: [Planned(0, (0, 1), 10), Planned(100, None, 10)]})
    heard = expected(live, {(0, 1): take}, 120)
    assert np.allclose(heard[:90], 0.5) and not heard[100:].any()
    assert (np.diff(heard[90:101]) < 0).all()


def test_a_click_is_a_step_that_no_take_has() -> None:
    take = (np.abs(np.arange(1000) % 100 - 50) / 1024).astype(np.float32)
    torn = take.copy()
    torn[500:] += 0.5
    off = np.abs(torn - take).astype(np.float64)
    assert clicks(off, [take], torn) == 1
    assert clicks(np.zeros(1000), [take], take) == 0


def test_a_missed_goal_shows() -> None:
    good, bad = Figure("gap", 1.5, "s", 2), Figure("gap", 2.5, "s", 2)
    assert good.passed and not bad.passed and Figure("count", 7, "").passed
    assert markdown([good, bad]).splitlines()[2:] == [
        "| gap | 1.5 s | 2 s | met |",
        "| gap | 2.5 s | 2 s | **missed** |",
    ]
