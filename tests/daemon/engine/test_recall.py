"""Rendering with a memory, around a small search that says what it was given."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from daemon.cache.store import Cache
from daemon.config import Cache as Settings
from daemon.engine.produce import Found, Held
from daemon.engine.recall import Recall, gentler, on_shell, renderer
from ditto_rt.model import Model
from ditto_rt.render import Progress, Take
from ditto_rt.spec import Job, Quality, Region
from tests.cache_entries import SAMPLES, entry, rising

PLENTY = 2**30
JOB = Job(bpm=120, beats=8, seed=5, intensity=rising(-12))


@dataclass
class Sizes:
    """As much of a model as the layout asks."""

    name: str = "m"
    sample_rate_hz: int = 44_100

    def latent_shape(self, samples: int) -> tuple[int, int, int]:
        return (4, 1, -(-samples // 2048))


MODEL = cast(Model, Sizes())
WIDTH = -(-round(4.1 * 44_100) // 2048)


@dataclass
class Search:
    """Yields a take made of the seed; remembers what it was asked."""

    asked: list[tuple[Job, Any]] = field(default_factory=list)
    losses: dict[int, float] = field(default_factory=dict)
    on_step: Any = None
    growth: float = 1.0
    last: Any = None

    def __call__(
        self, job: Job, model: Model, output_rate_hz: int, start: Any = None
    ) -> Iterator[Progress | Take]:
        self.asked.append((job, start))
        yield Progress(0.5, self.losses.get(job.seed, 1.0))
        if self.on_step:
            self.on_step()
        rng = np.random.default_rng(job.seed)
        drawn = rng.normal(size=(1, 4, 1, WIDTH)).astype(np.float32)
        x_T = self.last = self.growth * (drawn if start is None else start)
        audio_N = rng.normal(size=SAMPLES).astype(np.float32)
        yield Take(audio_N, output_rate_hz, entry(job.seed).report, x_T)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    opened = Cache(tmp_path / "cache", PLENTY)
    yield opened
    opened.close()


def made(recall: Recall, job: Job = JOB, rate_hz: int = 48_000) -> tuple[str, Take]:
    found, *between, take = recall(job, MODEL, rate_hz)
    assert isinstance(found, Found) and isinstance(take, Take)
    assert all(isinstance(step, Progress) for step in between)
    assert len(between) == (0 if found.hit == "exact" else 1)
    return found.hit, take


def test_an_identical_request_is_not_rendered_again(cache: Cache) -> None:
    search = Search()
    recall = Recall(cache, "w", search=search)
    (first_hit, first), (second_hit, second) = made(recall), made(recall)
    assert (first_hit, second_hit, len(search.asked)) == ("none", "exact", 1)
    np.testing.assert_array_equal(first.audio_N, second.audio_N)
    np.testing.assert_array_equal(first.x_T, second.x_T)
    assert second.rate_hz == 48_000 and second.report.wall_s < 1.0
    report = first.report.model_copy(update={"wall_s": second.report.wall_s})
    assert second.report.model_dump_json() == report.model_dump_json()
    assert made(recall, rate_hz=44_100)[0] == "near"
    assert made(Recall(cache, "other weights", search=search))[0] == "none"


def test_a_moved_curve_begins_from_the_nearest_latent(cache: Cache) -> None:
    search = Search()
    recall = Recall(cache, "w", search=search)
    _, first = made(recall)
    hit, _ = made(recall, JOB.model_copy(update={"intensity": rising(-13)}))
    job, start = search.asked[-1]
    assert hit == "near" and job.intensity == rising(-13)
    # In the same direction, and of the size of noise.
    np.testing.assert_allclose(start / start[0, 0, 0, 0], first.x_T / first.x_T[0, 0, 0, 0], 1e-4)
    assert np.sqrt(np.mean(start**2)) == pytest.approx(1.0)
    assert 0.2 * JOB.quality.rate < job.quality.rate < 0.4 * JOB.quality.rate


def test_the_rate_grows_with_the_way_to_go() -> None:
    shares = [gentler(JOB, away).quality.rate / JOB.quality.rate for away in (0, 0.25, 1, 1.2)]
    assert shares == pytest.approx([0.2, 0.4, 1, 1])


def test_a_latent_of_zeros_stays_one() -> None:
    assert not on_shell(np.zeros((1, 2, 1, 3), np.float32)).any()


def test_takes_that_grow_from_takes_keep_their_size(cache: Cache) -> None:
    search = Search(growth=1.15)
    recall = Recall(cache, "w", search=search)
    for step in range(12):
        made(recall, JOB.model_copy(update={"intensity": rising(-12 - step)}))
    assert [start is None for _, start in search.asked] == [True] + [False] * 11
    assert search.last is not None and np.sqrt(np.mean(search.last**2)) < 1.2


def test_another_seed_begins_from_its_own_noise(cache: Cache) -> None:
    search = Search()
    recall = Recall(cache, "w", search=search)
    made(recall)
    assert made(recall, JOB.model_copy(update={"seed": 6}))[0] == "none"
    assert search.asked[-1][1] is None


def test_without_a_search_the_seed_alone_decides(cache: Cache) -> None:
    search = Search()
    recall = Recall(cache, "w", first_of=4, search=search)
    made(recall)
    searched = len(search.asked)
    assert made(recall, JOB.model_copy(update={"intensity": None}))[0] == "none"
    assert search.asked[searched:] == [(JOB.model_copy(update={"intensity": None}), None)]


def test_a_latent_of_another_length_is_no_start(cache: Cache) -> None:
    search = Search()
    recall = Recall(cache, "w", search=search)
    made(recall)
    made(recall, JOB.model_copy(update={"beats": 9.0}))
    # A lead as long as the overlap makes the latent wider than the one that is kept.
    looping = Job.model_validate({**JOB.model_dump(), "loop": {"overlap_s": 1.0}})
    assert made(recall, looping)[0] == "none"


def test_a_new_search_begins_from_the_best_of_some_noises(cache: Cache) -> None:
    search = Search()
    seeds = [5, 5 + 7919, 5 + 2 * 7919]
    search.losses = dict(zip(seeds, (3.0, 1.0, 2.0), strict=True))
    recall = Recall(cache, "w", first_of=3, search=search)
    hit, take = made(recall)
    assert hit == "none" and [job.seed for job, _ in search.asked] == [*seeds, seeds[1]]
    assert all(job.quality.search_steps == 1 for job, _ in search.asked[:3])
    assert search.asked[3][0].quality == JOB.quality
    # It is the take of the seed that was asked for.
    assert made(recall)[0] == "exact" and len(search.asked) == 4


def test_a_cancelled_take_is_not_kept(cache: Cache) -> None:
    steps = Recall(cache, "w", search=Search())(JOB, MODEL, 48_000)
    next(steps)
    next(steps)
    del steps
    assert cache.entries() == []


def test_a_region_that_changes_meanwhile_is_not_kept(
    cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(b"one")
    region = Region(path=str(path), start_s=0, end_s=1, mode="vary")
    job = Job(bpm=120, beats=8, region=region)
    search = Search(on_step=lambda: path.write_bytes(b"two"))
    assert made(Recall(cache, "w", search=search), job)[0] == "none"
    assert cache.entries() == [] and "in.wav changed" in caplog.text
    search.on_step = None
    recall = Recall(cache, "w", search=search)
    assert [made(recall, job)[0] for _ in range(2)] == ["none", "exact"]


def test_a_missing_region_is_for_the_renderer_to_tell(cache: Cache, tmp_path: Path) -> None:
    region = Region(path=str(tmp_path / "none.wav"), start_s=0, end_s=1, mode="vary")
    hit, _ = made(Recall(cache, "w", search=Search()), Job(beats=8, region=region))
    assert hit == "none" and cache.entries() == []


def test_a_cache_in_trouble_costs_a_warning_and_no_take(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def locked(*_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(cache, "keep", full)
    monkeypatch.setattr(cache, "find", locked)
    monkeypatch.setattr(cache, "nearest", locked)
    assert made(Recall(cache, "w", search=Search()))[0] == "none"
    assert "No space left" in caplog.text and "locked" in caplog.text


def test_a_cache_that_is_not_wanted_or_cannot_be_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    off = renderer(Settings(enabled=False, folder=str(tmp_path / "a")))
    assert isinstance(off, Recall) and off._cache is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    broken = renderer(Settings(folder=str(tmp_path / "file" / "b")))
    assert isinstance(broken, Recall) and broken._cache is None
    assert "cannot be used" in caplog.text
    assert isinstance(renderer(Settings(folder=str(tmp_path / "c"))), Recall)


def test_quality_is_part_of_what_was_asked(cache: Cache) -> None:
    recall = Recall(cache, "w", search=Search())
    made(recall)
    assert made(recall, JOB.model_copy(update={"quality": Quality(steps=3)}))[0] == "near"


def test_the_slots_own_noise_comes_before_the_cache_and_needs_none(cache: Cache) -> None:
    moved = JOB.model_copy(update={"intensity": rising(-13)})
    for memory in (cache, None):
        search = Search()
        recall = Recall(memory, "w", search=search)
        first = list(recall(JOB, MODEL, 48_000))[-1]
        assert isinstance(first, Take)
        held = Held(JOB, 2 * first.x_T, 0.0)
        found, *_ = recall(moved, MODEL, 48_000, held)
        assert isinstance(found, Found) and found.hit == "running" and 0 < found.distance < 0.3
        list(recall(moved.model_copy(update={"seed": 6}), MODEL, 48_000, held))
        assert search.asked[-1][1] is None, "another seed asks for another take"


def test_a_search_that_was_far_from_its_end_goes_on_as_fast(cache: Cache) -> None:
    search = Search()
    recall = Recall(None, "w", search=search)
    x_T = np.ones((1, 4, 1, WIDTH), np.float32)
    for left, share in ((0.0, 0.2), (1.0, 1.0)):
        found = next(iter(list(recall(JOB, MODEL, 48_000, Held(JOB, x_T, left)))))
        assert isinstance(found, Found) and found.distance == left
        assert search.asked[-1][0].quality.rate == pytest.approx(share * JOB.quality.rate)
    far = JOB.model_copy(update={"intensity": rising(-80)})
    list(recall(far, MODEL, 48_000, Held(JOB, x_T, 0.0)))
    assert search.asked[-1][1] is None
