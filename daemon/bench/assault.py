"""Damaged datagrams by the ten thousand while a loop plays: is anything of it heard?"""

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from daemon.bench.figures import Figure, Plan
from daemon.bench.hall import Hall, launch_of, looped, open_hall
from daemon.bench.hostile import hostile
from daemon.bench.jack import RATE_HZ
from daemon.bench.kills import underruns_of

# Between two questions; so many fit the socket's buffer, and none is lost on its way.
BURST = 250
SLOT = 0
SAME = 1e-6


def assault(plan: Plan) -> list[Figure]:
    """Send datagrams while a loop plays, and compare what is heard with the loop."""
    with tempfile.TemporaryDirectory() as name, open_hall(Path(name)) as hall:
        hall.daemon.wait_ready()
        hall.peer.drain()
        block = hall.quiet()
        told = underruns_of(hall)
        hall.play(SLOT)
        hall.heard.wait(RATE_HZ)
        sent = _send(hall, hostile(plan.seed, silent=True), plan.datagrams)
        hall.heard.wait(RATE_HZ)
        audio, take = hall.heard.audio(block), hall.takes[SLOT, 2]
        at = launch_of(audio, take)
        off = np.abs(audio[at:] - looped(take, len(audio) - at))
        underruns = underruns_of(hall) - told
        dropped = int(hall.daemon.status()["dropped"])
        errors = hall.daemon.output().count("Traceback")
    return [
        Figure("damaged datagrams while a loop plays", sent, ""),
        Figure("of them dropped", dropped, ""),
        Figure("captured meanwhile", len(off) / RATE_HZ, "s"),
        Figure("samples that differ from the loop", int((off > SAME).sum()), "", 0),
        Figure("underruns meanwhile", underruns, "", 0),
        Figure("errors of the daemon's own in its log", errors, "", 0),
    ]


def _send(hall: Hall, packets: Iterator[bytes], count: int) -> int:
    source, asker = hall.daemon.peer(), hall.daemon.peer()
    for number, packet in enumerate(islice(packets, count), 1):
        source.raw(packet)
        if number % BURST == 0:
            asker.ask("/ditto/ping", number, limit_s=20)
    return count
