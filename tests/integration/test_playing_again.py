"""A player that is killed: a JACK server of its own, for libjack knows one at a time."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from daemon.bench.hall import Audio, looped, open_hall
from daemon.bench.jack import PERIOD, RATE_HZ
from daemon.bench.kills import first_heard
from tests.jack_server import need_jack

pytestmark = pytest.mark.xdist_group("jack")

# docs/results.md has what it takes; beside other tests on few cores it takes longer.
BACK_S = 6.0


def test_a_killed_player_is_back_in_its_phase(tmp_path: Path) -> None:
    need_jack()
    with open_hall(tmp_path, waits=False) as hall:
        take, gain = hall.takes[0, 2], np.float32(10 ** (-6 / 20))
        hall.quiet()
        hall.play(0)
        hall.peer.ask("/ditto/gain", 0, -6.0)
        hall.heard.wait(6 * RATE_HZ)
        # Somebody cleans up meanwhile: what plays is in memory.
        for path in (tmp_path / "takes").glob("slot00*"):
            path.unlink()
        killed = len(hall.heard.blocks)
        os.kill(hall.daemon.child("daemon.audio"), signal.SIGKILL)
        hall.heard.wait_gone()
        hall.heard.follow()
        hall.heard.wait(3 * RATE_HZ)
        blocks = hall.heard.blocks
        back = first_heard(hall, killed)
        before, after = (phase_of(blocks[at], take, gain) for at in (killed - 20, back))
        shift = (after - before + len(take) // 2) % len(take) - len(take) // 2
        silent = [start for start, samples in blocks[killed - 4 :] if not samples.any()]
    gap_s = (max(silent) - min(silent) + PERIOD) / RATE_HZ
    assert gap_s < BACK_S
    # JACK leaves a busy client out for a period, which then is in nobody's phase.
    assert abs(shift) < RATE_HZ // 100 or abs(shift) == PERIOD, f"{shift} frames beside its phase"


def phase_of(block: tuple[int, Audio], take: Audio, gain: np.float32) -> int:
    """Return where in the take JACK's frame 0 would be, from one block of it."""
    frame, probe = block[0], block[1][:256]
    start = int(np.argmax(np.correlate(np.concatenate([take, take[:256]]), probe, "valid")))
    np.testing.assert_allclose(probe, looped(take, 256, start) * gain, atol=1e-7)
    return (start - frame) % len(take)
