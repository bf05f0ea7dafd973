"""How quickly a daemon answers: at its start, to a launch, and with a first version."""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from daemon.bench.figures import Figure, Plan
from daemon.bench.hall import open_hall
from daemon.bench.live import SETTINGS, keep_busy
from daemon.bench.process import Peer, running

STARTS, TRIGGERS = 5, 300
TRIGGER_SLOTS = 4
FIRST = '[engine]\ndevice = "auto"\nthreads = 0\n'


def start(_: Plan) -> list[Figure]:
    """Start a daemon a few times: when does it answer?"""
    found = []
    for _number in range(STARTS):
        with tempfile.TemporaryDirectory() as name, running(Path(name)) as daemon:
            found.append(time.monotonic() - daemon.started_s)
    return [Figure(f"start to the first answer, {STARTS} starts, at most", max(found), "s", 2)]


def trigger(_: Plan) -> list[Figure]:
    """Launch takes that are there while the engine renders: OSC in to armed and answered."""
    taken_ms = []
    with (
        tempfile.TemporaryDirectory() as name,
        open_hall(Path(name), True, SETTINGS) as hall,
        ExitStack() as stack,
    ):
        hall.daemon.wait_ready()
        underruns = hall.daemon.status()["audio"]["underruns"]
        stack.enter_context(keep_busy(hall))
        # A client of its own: one that is registered hears the others, too.
        peer = hall.daemon.peer()
        for number in range(TRIGGERS):
            (address, values), answer_ms = peer.timed("/ditto/play", number % TRIGGER_SLOTS, 4.0)
            taken_ms.append(answer_ms)
            if address != "/ditto/done":
                raise ValueError(f"a launch was refused: {values}")
            time.sleep(0.02)
        underruns = hall.daemon.status()["audio"]["underruns"] - underruns
    p50, p99 = np.percentile(taken_ms, [50, 99])
    return [
        Figure(f"OSC in to armed, {TRIGGERS} launches while rendering, p50", float(p50), "ms"),
        Figure("OSC in to armed, p99", float(p99), "ms", 10),
        Figure("underruns told by PortAudio meanwhile", underruns, "", 0),
    ]


def first(plan: Plan) -> list[Figure]:
    """Ask for loops that were never asked before: when can a first version be heard?"""
    taken_s = []
    with tempfile.TemporaryDirectory() as name, running(Path(name), FIRST) as daemon:
        daemon.wait_ready()
        peer = daemon.peer()
        peer.ask("/ditto/notify", 1)
        peer.ask("/ditto/slot/tempo", 0, 120.0, 8.0)
        # The first render of a process loads what torch left for later.
        first_version_s(peer, 0)
        taken_s = [first_version_s(peer, 1 + number) for number in range(plan.repeats)]
    p50, worst = np.percentile(taken_s, [50, 100])
    return [
        Figure(f"first version of {plan.repeats} new 4 s loops, median", float(p50), "s", 1),
        Figure("first version, at most", float(worst), "s"),
    ]


def first_version_s(peer: Peer, seed: int) -> float:
    """Return how long the first version of a render with a curve takes; cancels the rest."""
    peer.ask("/ditto/slot/seed", 0, seed)
    peer.ask("/ditto/slot/intensity", 0, 0.0, -30.0, 8.0, -10.0 - seed % 7)
    began_s = time.perf_counter()
    peer.send("/ditto/render", 0)
    *_, (address, values) = peer.until("/ditto/take", "/ditto/fail")
    taken_s = time.perf_counter() - began_s
    if address != "/ditto/take":
        raise ValueError(f"a render failed: {values}")
    peer.send("/ditto/cancel", 0)
    peer.ask("/ditto/sync", 1)
    peer.drain()
    return taken_s


PARTS: dict[str, Callable[[Plan], list[Figure]]] = {
    "start": start,
    "trigger": trigger,
    "first": first,
}
