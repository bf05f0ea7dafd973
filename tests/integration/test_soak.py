"""`make soak` in short: a busy set for some seconds; an hour of it is for a quiet machine."""

import csv
import subprocess
import sys
from pathlib import Path

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
