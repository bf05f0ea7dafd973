"""`make soak` in short: a busy set for some seconds; an hour of it is for a quiet machine."""

import csv
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from daemon.bench.process import environment
from tests.jack_server import need_jack
from tests.source_tree import ROOT


def test_a_busy_set_for_some_seconds(tmp_path: Path) -> None:
    need_jack()
    words = ["bench", "soak", "--minutes", "0.4", "--every", "1", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "daemon", *words],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=ROOT,
        env=environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "it finds gross leaks" in done.stdout
    rows = list(csv.DictReader((tmp_path / "soak.csv").open()))
    assert {row["process"] for row in rows} == {"control", "engine", "audio", "reserve"}
    assert all(int(row["rss_bytes"]) > 2**20 for row in rows)
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")
    assert "Traceback" not in (tmp_path / "soak.log").read_text()


def test_one_that_is_ended_leaves_nothing_behind(tmp_path: Path) -> None:
    need_jack()
    words = ["bench", "soak", "--minutes", "5", "--out", str(tmp_path)]
    bench = psutil.Popen([sys.executable, "-m", "daemon", *words], cwd=ROOT, env=environment())
    started: list[psutil.Process] = []
    try:
        until_s = time.monotonic() + 60.0
        # The last that is started is the player in reserve.
        while sum("daemon.audio" in _words(each) for each in started) < 2:
            assert time.monotonic() < until_s and bench.poll() is None
            time.sleep(0.2)
            started = bench.children(recursive=True)
        assert any("jackd" in _words(each) for each in started)
        bench.terminate()
        _, alive = psutil.wait_procs([bench, *started], timeout=20.0)
        assert [_words(each) for each in alive] == []
    finally:
        for each in (bench, *started):
            with suppress(psutil.NoSuchProcess):
                each.kill()


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""
