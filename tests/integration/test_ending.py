"""The end while a render runs and a loop plays: soon, and with nothing left of it."""

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


def workers(hall: Hall) -> list[psutil.Process]:
    """Return the engine, the player and the player in reserve, once all are there."""
    until_s = time.monotonic() + 20
    while len(found := psutil.Process(hall.daemon.process.pid).children()) < 3:
        assert time.monotonic() < until_s, found
        time.sleep(0.05)
    return found


def test_the_end_while_a_render_runs_and_a_loop_plays(tmp_path: Path) -> None:
    need_jack()
    with open_hall(tmp_path, waits=False, more=LONG) as hall:
        hall.daemon.wait_ready()
        hall.peer.ask("/ditto/slot/intensity", 5, 0.0, -30.0, 4.0, -12.0)
        hall.peer.send("/ditto/render", 5, 77)
        hall.peer.until("/ditto/progress")
        hall.play(0)
        found = workers(hall)
        began_s = time.monotonic()
        os.kill(hall.daemon.process.pid, signal.SIGTERM)
        assert hall.daemon.process.wait(10) == 0
        _, left = psutil.wait_procs(found, ENDS_S - (time.monotonic() - began_s))
        assert not left and time.monotonic() - began_s < ENDS_S
        # What there is can be read to its end, and no part of a file is left.
        for path in (tmp_path / "takes").iterdir():
            assert path.suffix in (".wav", ".json"), path
            if path.suffix == ".wav":
                assert soundfile.info(path).frames > 0
