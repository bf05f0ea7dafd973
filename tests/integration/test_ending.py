"""The end while a loop plays and the engine loads or renders: soon, and with nothing left of it."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
import soundfile

from daemon.bench.hall import Hall, open_hall
from tests.jack_server import need_jack

pytestmark = pytest.mark.xdist_group("jack")

LONG = "[render]\nsteps = 4\nsearch_steps = 2\niterations = 400\n"
ENDS_S = 3.0
# A search that has gone on for so long has left the engine something to take apart.
SEARCHES_S = 1.5


def descendants(hall: Hall) -> list[psutil.Process]:
    """Return all that the daemon started, once engine, player and player in reserve are there."""
    daemon = psutil.Process(hall.daemon.process.pid)
    until_s = time.monotonic() + 20
    while len(daemon.children()) < 3:
        assert time.monotonic() < until_s, daemon.children()
        time.sleep(0.05)
    return daemon.children(recursive=True)


def runs(process: psutil.Process) -> bool:
    """Return whether a process still runs: one that only waits to be counted has ended."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def let_it_search(hall: Hall) -> None:
    """Let the engine be in the middle of a search."""
    hall.daemon.wait_ready()
    hall.peer.ask("/ditto/slot/intensity", 5, 0.0, -30.0, 4.0, -12.0)
    hall.peer.send("/ditto/render", 5, 77)
    hall.peer.until("/ditto/progress")
    time.sleep(SEARCHES_S)


@pytest.mark.parametrize("during", ["load", "render"])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_while_a_loop_plays(tmp_path: Path, sent: signal.Signals, during: str) -> None:
    need_jack()
    with open_hall(tmp_path, waits=False, more=LONG) as hall:
        if during == "render":
            let_it_search(hall)
        hall.play(0)
        found = descendants(hall)
        began_s = time.monotonic()
        os.kill(hall.daemon.process.pid, sent)
        code = hall.daemon.process.wait(10)
        assert code == (0 if sent == signal.SIGTERM else -sent)
        while (left := [each for each in found if runs(each)]) and (
            time.monotonic() - began_s < ENDS_S
        ):
            time.sleep(0.02)
        assert not left and time.monotonic() - began_s < ENDS_S
        assert "Traceback" not in hall.daemon.output()
        # What there is can be read to its end, and no part of a file is left: a killed daemon's
        # engine still ends after its step.
        for path in (tmp_path / "takes").iterdir():
            assert path.suffix in (".wav", ".json"), path
            if path.suffix == ".wav":
                assert soundfile.info(path).frames > 0
