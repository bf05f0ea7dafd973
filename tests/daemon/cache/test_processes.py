"""Several real processes on one cache: writers that are killed at any moment, writers at once.

Run as a program, this file is those processes: it forks writers that keep entries until SIGKILL.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemon.cache.blob import pack
from daemon.cache.store import Cache
from tests.cache_entries import entry
from tests.source_tree import ROOT

PLENTY = 2**30
KILLS = 150
ENTRIES = 60
TIGHT = 20 * len(pack(entry(100)))

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def _write_for_ever(folder: Path, most_bytes: int, told: int, first: int) -> None:
    cache = Cache(folder, most_bytes)
    number = first
    while True:
        cache.keep(entry(number))
        os.write(told, b"%d\n" % number)
        cache.find(entry(number - 1).request)
        number += 1


def _killed_writer(folder: Path, most_bytes: int, first: int, pause_s: float) -> list[int]:
    """Fork a writer, kill it after a pause, return the entries that it said it had kept."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            _write_for_ever(folder, most_bytes, write, first)
        finally:
            os._exit(1)
    os.close(write)
    time.sleep(pause_s)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, f"the writer ended by itself: {status}"
    with os.fdopen(read, "rb") as told:
        return [int(line) for line in told]


def _kill_many(folder: Path, seed: int) -> None:
    # All of it is kept here, so that a loss cannot hide behind an eviction.
    draw, kept, begun = random.Random(seed), set[int](), 1000
    for _ in range(KILLS):
        told = _killed_writer(folder, PLENTY, begun, draw.uniform(0.001, 0.05))
        kept.update(told)
        begun += len(told) + 2
        cache = Cache(folder, PLENTY)
        rows = {row.key for row in cache.entries()}
        assert {entry(number).request.key for number in told} <= rows
        cache.close()
        if draw.random() < 0.2:
            _check(folder, PLENTY)
    cache = _check(folder, PLENTY)
    assert {row.made_s for row in cache.entries()} >= kept
    sys.stdout.write(f"{len(kept)} entries outlived {KILLS} kills\n")


def _check(folder: Path, most_bytes: int) -> Cache:
    """Open the cache and hold it to its promises: every row whole, no file without a row."""
    cache = Cache(folder, most_bytes)
    rows = cache.entries()
    files = sorted(path.name for path in (folder / "blobs").iterdir())
    assert files == sorted(f"{row.key}.safetensors" for row in rows)
    assert all(cache.load(row.key) for row in rows)
    assert sum(row.bytes for row in rows) <= most_bytes
    return cache


def _kill_while_evicting(folder: Path, seed: int) -> None:
    draw, begun = random.Random(seed), 1000
    for _ in range(KILLS // 3):
        told = _killed_writer(folder, TIGHT, begun, draw.uniform(0.001, 0.1))
        begun += len(told) + 2
        rows = {row.key for row in _check(folder, TIGHT).entries()}
        assert {entry(number).request.key for number in told[-15:]} <= rows


def _write_some(folder: Path, first: int) -> None:
    cache = Cache(folder, PLENTY)
    for number in range(first, first + ENTRIES):
        cache.keep(entry(number))
        assert cache.find(entry(number).request)


MODES = {"kill": _kill_many, "evict": _kill_while_evicting, "write": _write_some}


def start(mode: str, folder: Path, number: int) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, mode, str(folder), str(number)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("mode", ["kill", "evict"])
def test_a_writer_killed_at_any_moment_loses_at_most_what_it_was_writing(
    tmp_path: Path, mode: str
) -> None:
    process = start(mode, tmp_path / "cache", 7)
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert mode == "evict" or int(output.split()[0]) > KILLS


def test_two_writers_and_a_reader_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    writers = [start("write", folder, first) for first in (1000, 2000)]
    seen = [0]
    while any(writer.poll() is None for writer in writers):
        cache = Cache(folder, PLENTY)
        rows = cache.entries()
        assert len(rows) >= seen[-1] and all(cache.load(row.key) for row in rows[:3])
        seen.append(len(rows))
        cache.close()
    for writer in writers:
        _, errors = writer.communicate()
        assert writer.returncode == 0, errors
    assert len(_check(folder, PLENTY).entries()) == 2 * ENTRIES


if __name__ == "__main__":
    MODES[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
