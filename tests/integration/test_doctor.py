"""`ditto-rt doctor` on this machine: all topics are there, and the port's holder is named."""

import json
import socket
import subprocess
import sys
from pathlib import Path

from daemon.bench.process import environment, free_port, write_config
from tests.source_tree import ROOT


def test_it_measures_and_names_who_holds_a_port(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        config = write_config(tmp_path, held.getsockname()[1], free_port(socket.SOCK_STREAM))
        done = subprocess.run(
            [sys.executable, "-m", "daemon", "doctor", "--json", "--config", str(config)],
            capture_output=True,
            text=True,
            timeout=280,
            cwd=ROOT,
            env=environment(),
        )
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    topics = {each["topic"] for each in found}
    seen = "torch disk cache port sound OSC start search"
    assert {*seen.split(), "first version"} <= topics
    (port,) = [each for each in found if each["topic"] == "port" and each["level"] == "bad"]
    assert "python" in port["text"] and "choose another osc.port" in port["change"]
    (search,) = [each for each in found if each["topic"] == "search"]
    assert " ms on cpu" in search["text"]
