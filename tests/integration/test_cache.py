"""The daemon with its cache and the built-in model: the same again, and something like it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from daemon.bench.process import QUALITY, Daemon, Peer, environment, running
from tests.source_tree import ROOT


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("daemon")
    with running(folder, f'{QUALITY}[cache]\nfolder = "{folder / "{cache}"}"\n') as started:
        started.wait_ready()
        yield started


def rendered(peer: Peer, slot: int) -> Path:
    peer.send("/ditto/render", slot)
    replies = peer.until("/ditto/done", "/ditto/fail")
    assert replies[-1][0] == "/ditto/done", replies
    return Path([values[2] for address, values in replies if address == "/ditto/take"][-1])


def sound(path: Path) -> NDArray[np.float32]:
    # The samples: the file's own header tells the time at which it was written.
    samples_N: NDArray[np.float32] = soundfile.read(path, dtype="float32")[0]
    return samples_N


def set_up(peer: Peer, slot: int, last_db: float) -> None:
    peer.ask("/ditto/slot/tempo", slot, 120.0, 4.0)
    peer.ask("/ditto/slot/intensity", slot, 0.0, -30.0, 4.0, last_db)


def hits(daemon: Daemon) -> tuple[int, ...]:
    found = daemon.status()["cache"]
    return found["exact"], found["near"], found["none"]


def kill_engine(daemon: Daemon) -> None:
    os.kill(daemon.engine_pid(), signal.SIGKILL)
    peer, until_s = daemon.peer(), time.monotonic() + 30
    while peer.ask("/ditto/status")[1][0] == "ready":
        assert time.monotonic() < until_s
        time.sleep(0.01)
    daemon.wait_ready()


def cache_command(daemon: Daemon, *words: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "daemon", "cache", *words, "--config", "config.toml"],
        cwd=daemon.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**environment(), "PYTHONPATH": str(ROOT)},
    )
    return result.stdout


def test_a_set_outlives_the_engine_and_is_carried_by_hand(daemon: Daemon) -> None:
    peer = daemon.peer()
    set_up(peer, 0, -12.0)
    first = rendered(peer, 0)
    assert hits(daemon) == (0, 0, 1)
    # The same in another slot, and after the engine has died.
    set_up(peer, 1, -12.0)
    second = rendered(peer, 1)
    kill_engine(daemon)
    third = rendered(peer, 0)
    assert hits(daemon) == (2, 0, 1)
    assert np.array_equal(sound(first), sound(second)) and np.array_equal(
        sound(first), sound(third)
    )
    # While the daemon runs, another process looks, pins and carries.
    listed = cache_command(daemon, "list")
    assert "1 entries" in listed and "4 beats at 120 bpm, seed 0, intensity" in listed
    assert "1 entries are in" in cache_command(daemon, "export", "set.zip")
    assert "1 entries are gone" in cache_command(daemon, "clear")
    assert "1 entries came in" in cache_command(daemon, "import", "set.zip")
    set_up(peer, 2, -12.0)
    assert np.array_equal(sound(rendered(peer, 2)), sound(first))
    assert hits(daemon) == (3, 0, 1)


def test_a_moved_curve_is_near_and_another_seed_is_not(daemon: Daemon) -> None:
    peer = daemon.peer()
    set_up(peer, 4, -20.0)
    peer.ask("/ditto/slot/seed", 4, 9)
    cold = rendered(peer, 4)
    before = hits(daemon)
    set_up(peer, 4, -21.0)
    warm = rendered(peer, 4)
    assert np.subtract(hits(daemon), before).tolist() == [0, 1, 0]
    peer.ask("/ditto/slot/seed", 4, 10)
    rendered(peer, 4)
    assert np.subtract(hits(daemon), before).tolist() == [0, 1, 1]
    sounds = [sound(path) for path in (cold, warm)]
    assert not np.array_equal(*sounds)
    # It grew from the other's noise, so it is its relative.
    assert np.corrcoef(*sounds)[0, 1] > 0.3


def test_a_full_or_missing_cache_costs_no_take(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with running(tmp_path, f'{QUALITY}[cache]\nfolder = "{tmp_path / "file"}"\n') as daemon:
        daemon.wait_ready()
        peer = daemon.peer()
        set_up(peer, 0, -12.0)
        rendered(peer, 0)
        assert hits(daemon) == (0, 0, 0) and "cache.folder is" in daemon.output()
