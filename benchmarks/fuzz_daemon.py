"""Damaged datagrams against a real daemon: does it live, answer, and stay as large as it was?

Run: python -m benchmarks.fuzz_daemon --packets 50000. Starts a daemon of its own on free ports of
127.0.0.1, with the built-in model, and sends only there.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from daemon.bench.hostile import GOOD, hostile
from daemon.bench.process import Daemon, Peer, running
from daemon.metrics import resident_bytes

# Between two questions; so many fit the socket's buffer, and none is lost on its way.
BURST = 250
WARM_UP = 5_000

console = Console()


@dataclass(frozen=True)
class Outcome:
    """What a run showed; KiB are resident memory of the control process."""

    packets: int
    replies: int
    seconds: float
    worst_ms: float
    before_kib: int
    after_kib: int
    dropped: int


def attack(daemon: Daemon, packets: int, seed: int) -> Outcome:
    """Send packets in bursts, each followed by a ping whose answer is waited for."""
    source, asker = daemon.peer(), daemon.peer()
    stream = hostile(seed)
    replies, worst_ms, seconds = 0, 0.0, 0.0
    _send(stream, source, asker, min(packets, WARM_UP))
    before_kib = resident_bytes(daemon.process.pid) // 1024
    for start in range(0, packets, BURST):
        started_s = time.perf_counter()
        answered_ms = _send(stream, source, asker, min(BURST, packets - start))
        seconds += time.perf_counter() - started_s
        worst_ms = max(worst_ms, answered_ms)
        replies += source.drain()
    return Outcome(
        packets,
        replies,
        seconds,
        worst_ms,
        before_kib,
        resident_bytes(daemon.process.pid) // 1024,
        asker.ask("/ditto/status")[1][5],
    )


def _send(stream: Iterator[bytes], source: Peer, asker: Peer, count: int) -> float:
    for number, packet in enumerate(islice(stream, count), 1):
        source.raw(packet)
        if number % BURST == 0 and number < count:
            # A reply that nobody reads is lost in the peer's buffer and harms nobody.
            asker.ask("/ditto/ping", number, limit_s=10)
    started_s = time.perf_counter()
    assert asker.ask("/ditto/ping", "still there", limit_s=10) == ("/ditto/pong", ["still there"])
    return 1000 * (time.perf_counter() - started_s)


def good_ones_are_answered(daemon: Daemon) -> None:
    """Send every good message to the daemon; raises AssertionError where one has no answer."""
    peer = daemon.peer()
    for slot in range(16):
        peer.ask("/ditto/cancel", slot)
        peer.ask("/ditto/slot/clear", slot, "all")
    for packet in GOOD:
        peer.drain()
        peer.raw(packet)
        reply = peer.receive(10)
        assert reply is not None, packet
    peer.ask("/ditto/cancel", 0)


def main(
    packets: Annotated[int, typer.Option(help="How many.")] = 50_000,
    seed: Annotated[int, typer.Option(help="Of the packets.")] = 1,
) -> None:
    """Attack a daemon and print what it took."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as daemon:
        daemon.wait_ready()
        engine = daemon.engine_pid()
        outcome = attack(daemon, packets, seed)
        good_ones_are_answered(daemon)
        same_engine = daemon.engine_pid() == engine
    table = Table("datagrams", "per s", "replies", "dropped", "worst pong", "memory", "engine")
    table.add_row(
        f"{outcome.packets}",
        f"{outcome.packets / outcome.seconds:.0f}",
        f"{outcome.replies}",
        f"{outcome.dropped}",
        f"{outcome.worst_ms:.1f} ms",
        f"{outcome.before_kib / 1024:.1f} to {outcome.after_kib / 1024:.1f} MiB",
        "the same" if same_engine else "ANOTHER",
    )
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
