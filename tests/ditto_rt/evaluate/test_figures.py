from dataclasses import replace

import numpy as np
import pytest

from ditto_rt.evaluate.figures import all_figures, set_figures
from ditto_rt.evaluate.markdown import page
from ditto_rt.evaluate.records import Record
from ditto_rt.evaluate.sets import OTHER, REAL
from ditto_rt.tags import GENRES


def _records(seed: int, count: int = 60) -> list[Record]:
    rng = np.random.default_rng(seed)
    return [
        Record(
            seed=number,
            genre=GENRES[number % 10],
            mood="dark",
            bpm=120.0,
            heard_genre=GENRES[number % 10],
            heard_mood="dark",
            heard_bpm=120.0,
            found_bpm=120.0,
            first_beat_ms=2.0,
            embedding=tuple(rng.normal(size=4)),
        )
        for number in range(count)
    ]


def test_shares_count_what_was_found() -> None:
    records = _records(0)
    # A third are heard as something else; half are off the beat; ambient has neither.
    worse = [
        replace(
            r,
            heard_genre="dub" if r.seed % 3 == 0 and r.genre != "dub" else r.genre,
            found_bpm=120.6 if r.seed < 30 else 119.6,
            first_beat_ms=21.0 if r.seed < 30 else -19.0,
        )
        for r in records
    ]
    found = set_figures(worse, _records(1))
    wrong = sum(r.seed % 3 == 0 and r.genre != "dub" for r in records)
    assert found["genre"] == pytest.approx(1 - wrong / 60)
    assert (found["tempo"], found["first_beat"]) == (0.5, 0.5)


def test_every_table_is_drawn_from_what_there_is() -> None:
    sets = {REAL: _records(0), OTHER: _records(1), "1 step": _records(2)}
    followed = [
        replace(
            r,
            figures={
                "mse_db2": 2.0,
                "correlation": 1.0,
                "iterations": 5.0,
                "wall_s": 1.0,
                "own_loss": 2.5,
            },
        )
        for r in _records(3)
    ]
    report = all_figures(sets | {"intensity": followed})
    text = page(report)
    assert "| 1 step | 60 |" in text and "| intensity | 60 | 2.000 |" in text
    assert text.count("|---|") >= 3
    # Nothing was measured: nothing is claimed.
    assert page(all_figures({})).strip() == ""


def test_means_are_of_figures_and_leave_out_a_curve_among_them() -> None:
    curve = [-20.0, -18.0]
    followed = [
        replace(r, figures={"mse_db2": float(r.seed), "level_db": curve})  # type: ignore[dict-item]
        for r in _records(0, 4)
    ]
    found = all_figures({"intensity": followed})["controls"]["intensity"]  # type: ignore[index]
    assert found["mse_db2"] == 1.5
    assert "level_db" not in found
