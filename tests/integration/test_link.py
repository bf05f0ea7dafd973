"""Ableton Link between a daemon and another peer: in a network where nobody else can be met."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

from tests.source_tree import ROOT

ALONE = ("unshare", "--map-root-user", "--net", "bash", "-c", 'ip link set lo up; exec "$@"', "-")


def need_a_network_of_its_own() -> None:
    """Skip where none can be made or aalink is missing; fail where REQUIRE_CLIENTS=1 asks."""
    missing = [name for name in ("unshare", "ip") if not shutil.which(name)]
    missing += ["aalink"] * (importlib.util.find_spec("aalink") is None)
    if not missing and subprocess.run([*ALONE, "true"], check=False).returncode:
        # Some containers forbid it; then nothing is missing that could be installed.
        pytest.skip("this system lets nobody make a network")
    if missing and os.environ.get("REQUIRE_CLIENTS") == "1":
        pytest.fail(f"{missing} are missing, and REQUIRE_CLIENTS=1 asks for them")
    if missing:
        pytest.skip(f"{missing} are not installed")


def test_the_daemon_and_another_peer_of_link() -> None:
    need_a_network_of_its_own()
    options = "-m pytest -q -p no:cacheprovider tests/link_session.py".split()
    words = [*ALONE, sys.executable, *options]
    result = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    assert "5 passed" in result.stdout
