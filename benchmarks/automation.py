"""Live automation: a flood of it survives, and what is drawn is heard before and after its take.

Run: python -m benchmarks.automation. The real daemon plays into JACK's dummy driver and is asked
over OSC like by any client. First a loop plays with and without 5,000 automation messages a second
beside twenty discrete commands a second, each of which must be answered; the last message must
count. Then a take of the built-in model plays, a curve is streamed along it, and each pass that
comes out of JACK is measured by `ditto_rt.measure` against the curve: ridden, and after the
engine's takes. At each hand-over the largest sample step is held against the largest of that pass.
"""

import shutil
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.ndimage import uniform_filter1d

from daemon.bench.hall import Hall, launch_of, open_hall
from daemon.bench.jack import RATE_HZ
from daemon.bench.process import Peer
from ditto_rt.measure import HOP_S, SMOOTH_S, loudness_db

ADDRESS = "/ditto/automation"
CALLBACK = "ditto_audio_callback_quantile_seconds"
ALONE = "[automation]\nmost_per_minute = 0\n"
SEARCH = "[render]\nsearch_steps = 2\niterations = {}\n"
BEATS, BPM = 8.0, 120.0
DISCRETE_PAUSE_S = 0.05
LAST_BEAT, LAST_DB = 2.0, -33.25
# Of a second around a hand-over, in which a step would be.
EDGE = RATE_HZ // 20

Audio = NDArray[np.float32]
Curve = NDArray[np.float64]

console = Console()


@dataclass
class Flood:
    """What came of one minute."""

    sent: int = 0
    asked: int = 0
    answers_ms: list[float] = field(default_factory=list)
    wrong: int = 0


def stream(peer: Peer, flood: Flood, rate: int, seconds: float) -> None:
    """Send automation at a steady rate: a sweep along the loop, four passes a second."""
    began_s = time.monotonic()
    while (passed_s := time.monotonic() - began_s) < seconds:
        while flood.sent < rate * passed_s:
            at = 4 * flood.sent / rate % 1
            peer.send(ADDRESS, 0, at * BEATS, -30.0 - 10 * at)
            flood.sent += 1
        time.sleep(0.002)
    peer.send(ADDRESS, 0, LAST_BEAT, LAST_DB)
    flood.sent += 1


def ask_beside(peer: Peer, flood: Flood, until_s: float) -> None:
    """Send discrete commands, each with a number of its own, and wait for its answer."""
    while time.monotonic() < until_s:
        began_s = time.monotonic()
        flood.asked += 1
        address, values = peer.ask("/ditto/gain", 1 + flood.asked % 3, -6.0, flood.asked)
        flood.wrong += address != "/ditto/done" or values[1] != flood.asked
        flood.answers_ms.append(1e3 * (time.monotonic() - began_s))
        time.sleep(max(0.0, began_s + DISCRETE_PAUSE_S - time.monotonic()))


def metrics(hall: Hall) -> dict[str, float]:
    """Return /metrics by name and labels."""
    with urllib.request.urlopen(hall.daemon.url("metrics"), timeout=5) as page:
        lines = page.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def lost(port: int) -> int:
    """Return how many datagrams the system had no room for, of those for a port (Linux tells)."""
    rows = (line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:])
    return sum(int(row[-1]) for row in rows if int(row[1].split(":")[1], 16) == port)


def flooded(seconds: float, rate: int) -> dict[str, str]:
    """Play for so long, with so many automation messages a second; return a column of figures."""
    flood = Flood()
    with tempfile.TemporaryDirectory() as name, open_hall(Path(name), more=ALONE) as hall:
        hall.daemon.wait_ready()
        hall.peer.drain()
        for slot in range(4):
            hall.play(slot)
        hall.peer.ask("/ditto/slot/tempo", 0, BPM, BEATS)
        sender = threading.Thread(target=stream, args=(hall.daemon.peer(), flood, rate, seconds))
        if rate:
            sender.start()
        ask_beside(hall.daemon.peer(), flood, time.monotonic() + seconds)
        if rate:
            sender.join()
        # Answered after all that came before it; this client hears the answers of others, too.
        hall.peer.send("/ditto/sync", 1)
        hall.peer.until("/ditto/synced")
        status, found = hall.daemon.status(), metrics(hall)
        overflown = lost(hall.daemon.osc_port)
    asked = next(slot["asked"] for slot in status["slots"] if slot["slot"] == 0)
    points = {p["beat"]: p["db"] for p in asked.get("intensity", {}).get("points", [])}
    carried = found.get(f'ditto_osc_messages_total{{command="{ADDRESS}"}}', 0)
    p50, p99, longest = np.percentile(flood.answers_ms, [50, 99, 100])
    callback = (
        found[f'ditto_audio_callback_quantile_seconds{{quantile="{q}"}}'] for q in ("0.5", "0.99")
    )
    return {
        "automation sent, carried out": f"{flood.sent}, {carried:.0f}",
        "the last value counts": str(points.get(LAST_BEAT) == LAST_DB) if rate else "",
        "discrete commands asked, answered wrongly or not": f"{flood.asked}, {flood.wrong}",
        "command to answer, p50, p99, longest": f"{p50:.1f}, {p99:.1f}, {longest:.1f} ms",
        "datagrams dropped, by the system too": f"{status['dropped']}, {overflown}",
        "callback, p50 and p99": "{:.3f} and {:.3f} ms".format(*(1e3 * each for each in callback)),
        "underruns told by PortAudio": f"{status['audio']['underruns']}",
    }


def wanted_db(points: list[float], frames: int) -> Curve:
    """Return the curve every 10 ms of a loop, smoothed round it as the measure smooths."""
    beats = np.arange(round(frames / RATE_HZ / HOP_S)) * HOP_S * BPM / 60
    drawn = np.interp(beats, points[::2], points[1::2])
    return np.asarray(uniform_filter1d(drawn, round(SMOOTH_S / HOP_S), mode="wrap"), np.float64)


def pass_db(one: Audio) -> Curve:
    """Return the loudness of a pass every 10 ms, as it is in a loop."""
    level = loudness_db(np.tile(one, 3), RATE_HZ)
    hops = round(len(one) / RATE_HZ / HOP_S)
    return np.asarray(level[hops : 2 * hops], np.float64)


def collect(peer: Peer, folder: Path, takes: dict[int, Path], stop: threading.Event) -> None:
    """Copy each version that is told of: the daemon keeps the sounds of drafts for a while only."""
    while not stop.is_set():
        reply = peer.receive(0.2)
        if reply and reply[0] == "/ditto/take" and reply[1][1] not in takes:
            path = folder / f"{reply[1][1]}.wav"
            shutil.copyfile(reply[1][2], path)
            takes[reply[1][1]] = path


def version_of(one: Audio, takes: dict[int, Audio]) -> int:
    """Return which take a pass is: the ride changes its level and not its waveform."""
    return max(
        takes,
        key=lambda version: float(np.dot(one, takes[version]) / np.linalg.norm(takes[version])),
    )


def follow(passes: int, iterations: int) -> tuple[Audio, dict[int, Audio], list[float]]:
    """Play a take of the model, stream a curve along it; return what was heard from its launch."""
    curve = [0.0, -34.0, 3.0, -20.0, 5.0, -28.0, 8.0, -34.0]
    with tempfile.TemporaryDirectory() as name:
        folder, takes, stop = Path(name), dict[int, Path](), threading.Event()
        with open_hall(folder, more=SEARCH.format(iterations), beats={}) as hall:
            hall.daemon.wait_ready()
            hall.peer.drain()
            hall.peer.ask("/ditto/slot/tags", 0, "dark techno")
            hall.peer.ask("/ditto/slot/tempo", 0, BPM, BEATS)
            hearing = hall.daemon.peer()
            hearing.ask("/ditto/notify", 1)
            listener = threading.Thread(target=collect, args=(hearing, folder, takes, stop))
            listener.start()
            render(hall.peer)
            block = hall.quiet()
            first = int(str(hall.play(0)[1]))
            loop = round(BEATS * 60 / BPM * RATE_HZ)
            hall.heard.wait(2 * loop)
            for beat in np.arange(0, BEATS, 0.01):
                db = np.interp(beat, curve[::2], curve[1::2])
                hall.peer.send(ADDRESS, 0, float(beat), float(db))
            hall.heard.wait(passes * loop, limit_s=600)
            stop.set()
            listener.join()
            read = {
                number: soundfile.read(path, dtype="float32")[0] for number, path in takes.items()
            }
            audio = hall.heard.audio(block)
    return audio[launch_of(audio, read[first]) :], read, curve


def render(peer: Peer) -> None:
    """Make the first take and wait for its last version."""
    peer.send("/ditto/render", 0)
    while True:
        address, values = peer.until("/ditto/done", "/ditto/fail")[-1]
        if values[0] == "/ditto/render":
            if address == "/ditto/fail":
                raise RuntimeError(f"no take: {values}")
            return


def step(audio: Audio, boundary: int) -> float:
    """Return the largest sample step around a frame."""
    return float(np.abs(np.diff(audio[boundary - EDGE : boundary + EDGE].astype(np.float64))).max())


def followed(passes: int, iterations: int) -> Table:
    """Measure pass by pass."""
    audio, takes, curve = follow(passes, iterations)
    loop = len(takes[min(takes)])
    wanted = wanted_db(curve, loop)
    table = Table(
        "pass", "take", "off the curve, dB RMS", "at most, dB", "step where it begins", "elsewhere"
    )
    before: Any = None
    for number in range(len(audio) // loop):
        one = audio[number * loop : (number + 1) * loop]
        version = version_of(one, takes)
        off = pass_db(one) - wanted
        edge = step(audio, number * loop) if number else 0.0
        inside = float(np.abs(np.diff(one[EDGE:-EDGE].astype(np.float64))).max())
        mark = " *" if before not in (None, version) else ""
        table.add_row(
            f"{number}", f"{version}{mark}", f"{np.sqrt(np.mean(off**2)):.2f}",
            f"{np.abs(off).max():.2f}", f"{edge:.4f}", f"{inside:.4f}",
        )  # fmt: skip
        before = version
    return table


def main(
    seconds: Annotated[float, typer.Option(help="Length of the flood.")] = 60.0,
    rate: Annotated[int, typer.Option(help="Automation messages a second.")] = 5000,
    passes: Annotated[int, typer.Option(help="Passes of the loop after the curve.")] = 12,
    iterations: Annotated[int, typer.Option(help="Of each search.")] = 30,
) -> None:
    """Print both tables."""
    columns = {"without": flooded(seconds, 0), f"{rate} a second": flooded(seconds, rate)}
    table = Table(f"{seconds:g} s of automation", *columns)
    for name in next(iter(columns.values())):
        table.add_row(name, *(column[name] for column in columns.values()))
    console.print(table)
    console.print(followed(passes, iterations))
    console.print("* a new take begins; passes 0 and 1 come before the curve.")


if __name__ == "__main__":
    typer.run(main)
