"""Damaged datagrams against a real daemon: does it live, answer, and stay as large as it was?

Run: python -m benchmarks.fuzz_daemon --packets 50000. Starts a daemon of its own on free ports of
127.0.0.1, with the built-in model, and sends only there.
"""

import random
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

from daemon.bench.process import Daemon, Peer, running
from tests.osc_bytes import bundle, message, random_packet

# Between two questions; so many fit the socket's buffer, and none is lost on its way.
BURST = 250
WARM_UP = 5_000
QUIT = b"/ditto/quit"

# One good message for each command. Not quit: it would be obeyed. Nor notify: replies would go to
# ports of other programs.
GOOD = (
    message("/ditto/ping", "ifs", 1, 0.5, "x"),
    message("/ditto/version", "i", 1),
    message("/ditto/status", "i", 2),
    message("/ditto/help", "s", "/ditto/render"),
    message("/ditto/sync", "i", 5),
    message("/ditto/slot/tags", "is", 0, "dark techno"),
    message("/ditto/slot/tempo", "iffi", 0, 120.0, 2.0, 4),
    message("/ditto/slot/seed", "ii", 0, 7),
    message("/ditto/slot/region", "isffs", 0, "~/none.wav", 0.0, 1.0, "vary"),
    message("/ditto/slot/region_beats", "isfffs", 0, "~/none.wav", 0.0, 1.0, 120.0, "vary"),
    message("/ditto/slot/intensity", "iffff", 0, 0.0, -30.0, 2.0, -12.0),
    message("/ditto/slot/melody", "iiffiff", 0, 60, 0.0, 1.0, 62, 1.0, 1.0),
    message("/ditto/slot/melody_file", "is", 0, "~/none.mid"),
    message("/ditto/slot/structure", "is", 0, "ABBA"),
    message("/ditto/slot/loop", "if", 0, 0.5),
    message("/ditto/slot/quality", "iii", 0, 2, 0),
    message("/ditto/slot/guidance", "if", 0, 2.0),
    message("/ditto/slot/clear", "is", 0, "all"),
    message("/ditto/slot/get", "i", 0),
    message("/ditto/slot/last", "i", 0),
    message("/ditto/render", "i", 0),
    message("/ditto/cancel", "i", 0),
    message("/ditto/{status,version}", "i", 3),
    bundle(message("/ditto/ping"), bundle(message("/ditto/status"))),
)

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


def hostile(seed: int) -> Iterator[bytes]:
    """Yield random and damaged packets without end; none asks the daemon to stop."""
    chance = random.Random(seed)
    while True:
        packet = random_packet(GOOD, chance)
        if QUIT not in packet:
            yield packet


def resident_kib(pid: int) -> int:
    """Return the resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1])


def attack(daemon: Daemon, packets: int, seed: int) -> Outcome:
    """Send packets in bursts, each followed by a ping whose answer is waited for."""
    source, asker = daemon.peer(), daemon.peer()
    stream = hostile(seed)
    replies, worst_ms, seconds = 0, 0.0, 0.0
    _send(stream, source, asker, min(packets, WARM_UP))
    before_kib = resident_kib(daemon.process.pid)
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
        resident_kib(daemon.process.pid),
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
