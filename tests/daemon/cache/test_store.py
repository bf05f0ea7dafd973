"""The cache: what is found, what is near, what goes first, and what a damaged disk costs."""

import dataclasses
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from daemon.cache.blob import Entry, pack
from daemon.cache.store import Cache
from ditto_rt.spec import Job, Melody, Note
from tests.cache_entries import SHAPE, entry, request, rising

PLENTY = 2**30
SIZE = len(pack(entry(100)))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    opened = Cache(tmp_path / "cache", PLENTY)
    yield opened
    opened.close()


def seeds(cache: Cache) -> set[int]:
    return {number for number in range(100, 200) if cache.load(entry(number).request.key)}


def blob(folder: Path, kept: Entry) -> Path:
    return folder / "cache" / "blobs" / f"{kept.request.key}.safetensors"


def small(folder: Path, entries: float) -> Cache:
    return Cache(folder / "small", int(SIZE * entries))


def test_what_is_kept_is_found_bit_for_bit(cache: Cache, tmp_path: Path) -> None:
    kept = entry(100)
    assert cache.find(kept.request) is None
    cache.keep(kept)
    reopened = Cache(tmp_path / "cache", PLENTY)
    for each in (cache, reopened):
        found = each.find(request(Job(seed=100)))
        assert found is not None and pack(found) == pack(kept)
    assert cache.find(request(Job(seed=101))) is None
    (row,) = reopened.entries()
    assert (row.key, row.loss, row.bytes, row.pinned) == (kept.request.key, 3.0, SIZE, False)
    reopened.close()


def test_the_nearest_of_its_kind_is_chosen(cache: Cache) -> None:
    for number, level_db in enumerate((-12, -18, -28)):
        cache.keep(entry(number, Job(intensity=rising(level_db))))
    for level_db, number in ((-11, 0), (-16, 1), (-19, 1), (-30, 2)):
        near = cache.nearest(request(Job(intensity=rising(level_db))), SHAPE)
        assert near is not None and near.entry.made_s == number
    exact = cache.nearest(request(Job(intensity=rising(-18))), SHAPE)
    assert exact is not None and exact.distance == 0


def test_what_is_far_or_of_another_kind_is_not_near(cache: Cache) -> None:
    cache.keep(entry(0, Job(intensity=rising(-12))))
    for other in (
        Job(intensity=rising(-12), seed=1),
        Job(intensity=rising(-12), bpm=121),
        Job(intensity=rising(-12), beats=16),
        Job(intensity=rising(-80)),
    ):
        assert cache.nearest(request(other), SHAPE) is None
    assert cache.nearest(request(Job(intensity=rising(-13)), weights="v"), SHAPE) is None
    assert cache.nearest(request(Job(intensity=rising(-13))), (1, 4, 1, 9)) is None
    tune = Melody(notes=(Note(pitch=60, beat=0, beats=8),))
    assert cache.nearest(request(Job(intensity=rising(-13), melody=tune)), SHAPE) is not None


def test_a_damaged_neighbour_gives_way_to_the_next(cache: Cache, tmp_path: Path) -> None:
    near, next_one = (entry(n, Job(intensity=rising(db))) for n, db in enumerate((-12, -15)))
    cache.keep(near)
    cache.keep(next_one)
    blob(tmp_path, near).write_bytes(b"noise")
    found = cache.nearest(request(Job(intensity=rising(-12.5))), SHAPE)
    assert found is not None and found.entry.made_s == 1
    assert not blob(tmp_path, near).exists() and len(cache.entries()) == 1


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = small(tmp_path, 3.5)
    for number in (100, 101, 102):
        cache.keep(entry(number))
    assert cache.find(entry(100).request)
    cache.keep(entry(103))
    assert seeds(cache) == {100, 102, 103}
    cache.keep(entry(104))
    assert seeds(cache) == {100, 103, 104}
    assert len(list((tmp_path / "small" / "blobs").iterdir())) == 3
    cache.close()


def test_pinned_entries_stay_and_give_way_once_unpinned(tmp_path: Path) -> None:
    cache = small(tmp_path, 2.5)
    for number in (100, 101):
        cache.keep(entry(number))
    cache.pin([entry(100).request.key], True)
    for number in range(102, 110):
        cache.keep(entry(number))
    assert seeds(cache) == {100, 109}
    # Written again, as by a second engine, it is still pinned.
    cache.keep(entry(100))
    assert [row.pinned for row in cache.entries()] == [True, False]
    cache.pin([entry(100).request.key], False)
    for number in (110, 111):
        cache.keep(entry(number))
    assert seeds(cache) == {110, 111}
    cache.close()


def test_a_smaller_limit_holds_from_the_next_start(tmp_path: Path) -> None:
    cache = small(tmp_path, 5.5)
    for number in range(100, 105):
        cache.keep(entry(number))
    cache.close()
    smaller = small(tmp_path, 2.5)
    assert seeds(smaller) == {103, 104}
    smaller.close()


def test_a_take_larger_than_the_cache_is_not_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = small(tmp_path, 0.5)
    cache.keep(entry(100))
    assert cache.entries() == [] and "larger than the whole cache" in caplog.text
    cache.close()


def test_clear_leaves_the_pinned_unless_asked(cache: Cache, tmp_path: Path) -> None:
    for number in (100, 101, 102):
        cache.keep(entry(number))
    cache.pin([entry(101).request.key], True)
    assert cache.clear(pinned=False) == 2 and seeds(cache) == {101}
    assert cache.clear(pinned=True) == 1 and seeds(cache) == set()
    assert list((tmp_path / "cache" / "blobs").iterdir()) == []


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "gone", "other"])
def test_a_damaged_blob_is_dropped_with_a_message(
    cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    kept, other = entry(100), entry(101)
    cache.keep(kept)
    cache.keep(other)
    path, data = blob(tmp_path, kept), bytearray(pack(kept))
    data[-10] ^= 1
    wrong = {"flip": bytes(data), "cut": pack(kept)[:-1], "empty": b"", "other": pack(other)}
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(wrong[harm])
    with caplog.at_level(logging.WARNING):
        assert cache.find(kept.request) is None
    assert f"cache entry {kept.request.key[:12]} is damaged and dropped" in caplog.text
    assert seeds(cache) == {101} and not path.exists()
    cache.keep(kept)
    assert cache.find(kept.request)


def test_what_a_killed_process_left_is_put_right(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", PLENTY)
    for number in (100, 101):
        cache.keep(entry(number))
    cache.close()
    half = blob(tmp_path, entry(102)).with_name(f".{entry(102).request.key}.safetensors.part")
    half.write_bytes(pack(entry(102))[:100])
    # Renamed, but killed before its row.
    blob(tmp_path, entry(103)).write_bytes(pack(entry(103)))
    blob(tmp_path, entry(104)).write_bytes(pack(entry(104))[:100])
    blob(tmp_path, entry(101)).unlink()
    reopened = Cache(tmp_path / "cache", PLENTY)
    assert seeds(reopened) == {100, 103}
    assert len(list((tmp_path / "cache" / "blobs").iterdir())) == 2
    reopened.close()


@pytest.mark.parametrize("harm", ["noise", "middle", "gone"])
def test_a_damaged_index_is_made_again_from_the_blobs(tmp_path: Path, harm: str) -> None:
    cache = Cache(tmp_path / "cache", PLENTY)
    for number in range(100, 110):
        cache.keep(entry(number))
    cache.close()
    path = tmp_path / "cache" / "index.sqlite"
    data = bytearray(path.read_bytes())
    if harm == "gone":
        path.unlink()
    else:
        data[(0 if harm == "noise" else 4096) :] = os.urandom(8192)
        path.write_bytes(data)
    reopened = Cache(tmp_path / "cache", PLENTY)
    assert seeds(reopened) == set(range(100, 110))
    reopened.close()


def test_an_index_of_another_version_is_made_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", PLENTY)
    cache.keep(entry(100))
    cache.close()
    db = sqlite3.connect(tmp_path / "cache" / "index.sqlite")
    db.executescript("DROP TABLE entries; CREATE TABLE entries (x); PRAGMA user_version = 77")
    db.close()
    reopened = Cache(tmp_path / "cache", PLENTY)
    assert seeds(reopened) == {100}
    reopened.close()


def test_a_vector_of_an_older_layout_is_passed_over(cache: Cache, tmp_path: Path) -> None:
    cache.keep(entry(0, Job(intensity=rising(-12))))
    db = sqlite3.connect(tmp_path / "cache" / "index.sqlite")
    db.execute("UPDATE entries SET vector = ?", (np.zeros(3, np.float32).tobytes(),))
    db.commit()
    db.close()
    assert cache.nearest(request(Job(intensity=rising(-12))), SHAPE) is None


def test_a_disk_that_refuses_is_told_and_leaves_the_cache_as_it_was(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.keep(entry(100))

    def refuse(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", refuse)
        with pytest.raises(OSError, match="No space"):
            cache.keep(entry(101))
    assert seeds(cache) == {100}
    cache.keep(dataclasses.replace(entry(101)))
    assert seeds(cache) == {100, 101}
