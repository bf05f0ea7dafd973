"""A set on its way to another machine: whole, and no stranger's file gets anywhere."""

import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import zips
from daemon.cache import bundle
from daemon.cache.blob import pack
from daemon.cache.bundle import Imported, read_bundle, write_bundle
from daemon.cache.store import Cache
from daemon.errors import Refusal
from tests.cache_entries import entry

PLENTY = 2**30
KEYS = [entry(number).request.key for number in range(100, 104)]
NAME = f"{KEYS[0]}.safetensors"


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    opened = Cache(tmp_path / "cache", PLENTY)
    yield opened
    opened.close()


@pytest.fixture
def sent(cache: Cache, tmp_path: Path) -> Path:
    for number in range(100, 104):
        cache.keep(entry(number))
    assert write_bundle(cache, KEYS[:3], tmp_path / "set.zip") == 3
    cache.clear(pinned=True)
    return tmp_path / "set.zip"


def held(cache: Cache) -> set[str]:
    return {row.key for row in cache.entries()}


def members(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


def test_chosen_entries_travel(cache: Cache, sent: Path) -> None:
    assert read_bundle(cache, sent) == Imported(entries=3, damaged=0)
    assert held(cache) == set(KEYS[:3])
    found = cache.find(entry(101).request)
    assert found is not None and pack(found) == pack(entry(101))
    assert read_bundle(cache, sent) == Imported(entries=3, damaged=0)
    assert len(cache.entries()) == 3


def test_an_entry_that_is_gone_is_left_out(cache: Cache, tmp_path: Path) -> None:
    cache.keep(entry(100))
    assert write_bundle(cache, KEYS, tmp_path / "set.zip") == 1


@pytest.mark.parametrize(
    "name",
    [
        f"../{NAME}",
        f"../../blobs/{NAME}",
        f"/{NAME}",
        f"/tmp/{NAME}",
        f"..\\{NAME}",
        f"C:\\{NAME}",
        f"folder/{NAME}",
        f"{NAME}/",
        f"{NAME}\n",
        f"{NAME}\0.txt",
        NAME.upper(),
        NAME[1:],
        "index.sqlite",
        "../index.sqlite",
        ".." + NAME[2:],
        "",
        "\u0660" + NAME[1:],
    ],
)
def test_a_strange_name_refuses_the_whole_set(cache: Cache, tmp_path: Path, name: str) -> None:
    before = sorted(path for path in tmp_path.rglob("*") if "index" not in path.name)
    path = tmp_path / "set.zip"
    good = f"{KEYS[1]}.safetensors"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(good, pack(entry(101)))
        info = zipfile.ZipInfo("x")
        info.filename = info.orig_filename = name
        made.writestr(info, pack(entry(100)))
    with pytest.raises(Refusal, match="has a member .*allowed: 64 hex digits"):
        read_bundle(cache, path)
    path.unlink()
    assert cache.entries() == []
    assert sorted(path for path in tmp_path.rglob("*") if "index" not in path.name) == before


def test_a_blob_under_another_name_or_damaged_is_left_out(cache: Cache, tmp_path: Path) -> None:
    files = {
        NAME: pack(entry(101)),
        f"{KEYS[2]}.safetensors": pack(entry(102))[:-1],
        f"{KEYS[3]}.safetensors": pack(entry(103)),
    }
    found = read_bundle(cache, members(tmp_path / "set.zip", **files))
    assert found == Imported(entries=1, damaged=2) and held(cache) == {KEYS[3]}


def test_a_member_that_would_fill_the_disk_is_refused(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(NAME, bytes(bundle.MEMBER_BYTES + 1))
    assert path.stat().st_size < 100_000
    with pytest.raises(Refusal, match=f"allowed: {bundle.MEMBER_BYTES} bytes"):
        read_bundle(cache, path)
    monkeypatch.setattr(zips, "MEMBERS", 0)
    with pytest.raises(Refusal, match="has 1 members; allowed: 0"):
        read_bundle(cache, path)


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(cache: Cache, tmp_path: Path, way: int) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w", way) as made:
        made.writestr(NAME, pack(entry(100)))
    with pytest.raises(Refusal, match="compression"):
        read_bundle(cache, tmp_path / "set.zip")


def test_no_mutation_of_a_set_does_harm(cache: Cache, sent: Path, tmp_path: Path) -> None:
    draw, whole = random.Random(3), sent.read_bytes()
    # The list of members stands at the end: that is where mutations bite.
    tail = len(whole) - 600
    before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
    outcomes = {"refused": 0, "read": 0}
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            at = draw.randrange(tail, len(data)) if draw.random() < 0.8 else draw.randrange(tail)
            data[at] = draw.randrange(256)
        if draw.random() < 0.2:
            del data[draw.randrange(len(data)) :]
        sent.write_bytes(data)
        try:
            read_bundle(cache, sent)
            outcomes["read"] += 1
        except (Refusal, OSError):
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 20
    assert held(cache) <= set(KEYS)
    assert all(cache.load(key) for key in held(cache))
    assert {path for path in tmp_path.rglob("*") if "cache" not in path.parts} == before


def test_what_is_no_zip_is_told_in_a_sentence(cache: Cache, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(b"RIFF" * 100)
    with pytest.raises(Refusal, match="is no set of cache entries"):
        read_bundle(cache, path)
    with pytest.raises(OSError):
        read_bundle(cache, tmp_path / "none.zip")
