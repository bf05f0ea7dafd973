"""Both helper processes killed while a loop plays: how long is it silent, what becomes of jobs?"""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from daemon.bench.figures import Figure, Plan
from daemon.bench.hall import Audio, Hall, looped, open_hall
from daemon.bench.jack import PERIOD, RATE_HZ
from daemon.bench.process import Peer

# A millisecond: far below what is heard as early or late.
MOST_BESIDE = RATE_HZ // 1000
# How long an engine that was killed may be away.
BACK_S, AWAY_S = 10.0, 120.0
JOB_SLOT, REQUEST = 15, 77
# Renders that are killed last longer than it takes to kill them.
SETTINGS = "[render]\nsteps = 4\nsearch_steps = 2\niterations = 60\n"


def silence_s(hall: Hall, first_block: int) -> float:
    """Return how long it was silent since a block."""
    quiet = [start for start, heard in hall.heard.blocks[first_block:] if not heard.any()]
    return (max(quiet) - min(quiet) + PERIOD) / RATE_HZ if quiet else 0.0


def first_heard(hall: Hall, first_block: int) -> int:
    """Return a block soon after the silence since a block, when the fade out of it is over."""
    blocks = hall.heard.blocks
    silent = [at for at in range(first_block, len(blocks)) if not blocks[at][1].any()]
    return min(max(silent, default=first_block) + 3, len(blocks) - 1)


def underruns_of(hall: Hall) -> int:
    """Return what the device has told so far; asked over HTTP, which no other client hears."""
    return int(hall.daemon.status()["audio"]["underruns"])


def phase_of(block: tuple[int, Audio], take: Audio) -> int:
    """Return where in the take JACK's frame 0 would be, from one block of it."""
    frame, probe = block[0], block[1][:256]
    start = int(np.argmax(np.correlate(np.concatenate([take, take[:256]]), probe, "valid")))
    if not np.allclose(probe, looped(take, 256, start), atol=1e-6):
        raise ValueError("what is heard is not the take")
    return (start - frame) % len(take)


def engine(plan: Plan) -> list[Figure]:
    """Kill the engine while it renders and a loop plays."""
    gaps, back_s, ended_s, ends, underruns = [], [], [], [], 0
    with tempfile.TemporaryDirectory() as name, open_hall(Path(name), True, SETTINGS) as hall:
        hall.peer.ask("/ditto/slot/tempo", JOB_SLOT, 120.0, 4.0)
        hall.peer.ask("/ditto/slot/intensity", JOB_SLOT, 0.0, -30.0, 4.0, -12.0)
        # A client of its own, so that the job's replies stay where they are.
        watcher = hall.daemon.peer()
        for number in range(plan.engine_kills):
            # An engine that is killed while it loads comes back more and more slowly.
            hall.daemon.wait_ready()
            hall.peer.drain()
            hall.quiet()
            hall.play(0)
            hall.heard.wait(2 * RATE_HZ)
            hall.peer.ask("/ditto/slot/seed", JOB_SLOT, number)
            hall.peer.send("/ditto/render", JOB_SLOT, REQUEST + number)
            hall.peer.until("/ditto/progress")
            told = underruns_of(hall)
            block = len(hall.heard.blocks)
            os.kill(hall.daemon.child("daemon.engine"), signal.SIGKILL)
            killed_s = time.monotonic()
            _wait_for(watcher, loading=True)
            _wait_for(watcher, loading=False)
            back_s.append(time.monotonic() - killed_s)
            ends.append(_end_of(hall, REQUEST + number))
            ended_s.append(time.monotonic() - killed_s)
            hall.heard.wait(RATE_HZ)
            gaps.append(silence_s(hall, block))
            underruns += underruns_of(hall) - told
    kills = f"SIGKILL of the engine {plan.engine_kills} times"
    return [
        Figure(f"{kills}: silence at most", max(gaps), "s", 0),
        Figure(f"{kills}: underruns", underruns, "", 0),
        Figure(f"{kills}: jobs that were not made after all", ends.count(False), "", 0),
        Figure(f"{kills}: back after, at most", max(back_s), "s", BACK_S),
        Figure(f"{kills}: kill to the job's end, at most", max(ended_s), "s"),
    ]


def _wait_for(peer: Peer, loading: bool) -> None:
    until_s = time.monotonic() + AWAY_S
    while ((state := peer.ask("/ditto/status")[1][0]) == "loading") != loading:
        if time.monotonic() > until_s or state == "failed":
            raise TimeoutError(f"the engine is {state}, {AWAY_S:g} s after it was killed")
        time.sleep(0.02)


def _end_of(hall: Hall, request: int) -> bool:
    while True:
        address, values = hall.peer.until("/ditto/done", "/ditto/fail")[-1]
        if values[1] == request:
            return address == "/ditto/done"


def audio(plan: Plan) -> list[Figure]:
    """Kill the audio process while a loop plays: how long until it sounds, and in which phase."""
    gaps, shifts = [], []
    with tempfile.TemporaryDirectory() as name, open_hall(Path(name), waits=False) as hall:
        take = hall.takes[0, 2]
        # JACK stands still for seconds when a client is killed, unless it waits for none of them.
        hall.daemon.wait_ready()
        hall.peer.drain()
        for _ in range(plan.audio_kills):
            hall.quiet()
            hall.play(0)
            hall.heard.wait(6 * RATE_HZ)
            block = len(hall.heard.blocks)
            os.kill(hall.daemon.child("daemon.audio"), signal.SIGKILL)
            hall.heard.wait_gone()
            hall.heard.follow()
            hall.heard.wait(4 * RATE_HZ)
            back = first_heard(hall, block)
            before, after = (phase_of(hall.heard.blocks[at], take) for at in (block - 20, back))
            shift = (after - before + len(take) // 2) % len(take) - len(take) // 2
            gaps.append(silence_s(hall, block - 4))
            shifts.append(shift)
    kills = f"SIGKILL of the audio process {plan.audio_kills} times"
    return [
        Figure(f"{kills}: silence at most", max(gaps), "s", 2),
        Figure(f"{kills}: silence, median", float(np.median(gaps)), "s"),
        Figure(f"{kills}: beside its phase at most", max(map(abs, shifts)), "samples", MOST_BESIDE),
        Figure(f"{kills}: beside its phase, median", float(np.median(np.abs(shifts))), "samples"),
    ]


PARTS: dict[str, Callable[[Plan], list[Figure]]] = {"engine": engine, "audio": audio}
