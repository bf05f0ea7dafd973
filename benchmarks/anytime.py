"""How soon a render is heard, how its versions come nearer, and whether deadlines are kept.

Run: python -m benchmarks.anytime --takes 20. The real daemon with the built-in model, asked over
OSC like any client; the cache is off, so that every request is new. "First" is from the datagram
sent to /ditto/take received: the file is then whole and the player has been told of it. The issue's
figure: at most 1 s on 2 cores once the model is loaded. The parts of it are measured in this
process, one after another.
"""

import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from rich.console import Console
from rich.table import Table

from daemon.bench.process import Peer, running
from daemon.engine.produce import load_model, warm_up
from daemon.files import write_wav
from daemon.takes.shelf import place
from ditto_rt.render import Progress, Take, render
from ditto_rt.spec import Intensity, Job, Point
from ditto_rt.tags import GENRES, MOODS

RATE_HZ = 48_000
BPM = 120.0
LIMIT_S = 1.0
NOTES = (60, 63, 67, 70, 72, 67, 63, 60)

console = Console()


@dataclass(frozen=True)
class Heard:
    """One render: when its versions came, and how far each was from what was asked."""

    kind: str
    at_s: list[float]
    figures: list[float]
    done: list[Any]


def ask(peer: Peer, kind: str, beats: float, source: Path, draw: random.Random) -> None:
    """Set one slot to something that nobody asked for before."""
    peer.ask("/ditto/slot/clear", 0, "all")
    peer.ask("/ditto/slot/tags", 0, f"{draw.choice(MOODS)} {draw.choice(GENRES)}")
    peer.ask("/ditto/slot/tempo", 0, BPM, beats)
    peer.ask("/ditto/slot/seed", 0, draw.randrange(2**31))
    if kind == "curve":
        curve = [v for at in range(0, 9, 2) for v in (at / 8 * beats, draw.uniform(-30, -12))]
        peer.ask("/ditto/slot/intensity", 0, *curve)
    elif kind == "melody":
        pitches = draw.sample(NOTES, len(NOTES))
        each = beats / len(pitches)
        notes = [v for n, pitch in enumerate(pitches) for v in (pitch, n * each, each)]
        peer.ask("/ditto/slot/melody", 0, *notes)
    else:
        start_s = draw.uniform(0, 4)
        peer.ask("/ditto/slot/region", 0, str(source), start_s, start_s + 2, "outpaint")


def listen(peer: Peer, kind: str, command: str, *values: object) -> Heard:
    """Send a render and collect its versions."""
    began_s, at_s, figures = time.monotonic(), list[float](), list[float]()
    peer.send(command, 0, *values)
    while True:
        address, found = peer.until("/ditto/take", "/ditto/done", "/ditto/fail")[-1]
        if address == "/ditto/take":
            at_s.append(time.monotonic() - began_s)
            figures.append({"curve": found[7], "melody": found[8]}.get(kind, 0.0))
        elif found[0] == command:
            assert address == "/ditto/done", found
            return Heard(kind, at_s, figures, found)


def parts(beats: float, threads: int) -> dict[str, float]:
    """Return what the first version's parts cost in milliseconds, the median of five."""
    model = load_model("cpu", threads)
    warm_up(model)
    points = (Point(beat=0, db=-30), Point(beat=beats, db=-12))
    costs: dict[str, list[float]] = {"sample, decode, measure": [], "write": []}

    def timed(name: str, what: Callable[..., Any], *values: object) -> Any:
        began_s = time.perf_counter()
        made = what(*values)
        costs[name].append(1000 * (time.perf_counter() - began_s))
        return made

    for seed in range(5):
        job = Job(bpm=BPM, beats=beats, seed=seed, intensity=Intensity(points=points))
        first = next(render(job, model, RATE_HZ))
        assert isinstance(first, Progress) and first.draft
        take: Take = timed("sample, decode, measure", first.draft.take)
        with tempfile.TemporaryDirectory(dir=place()) as folder:
            timed("write", write_wav, take.audio_N, RATE_HZ, Path(folder, "take.wav"))
    return {name: statistics.median(each) for name, each in costs.items()}


def _row(name: str, values: list[float], form: str = ".2f") -> tuple[str, ...]:
    return name, *(f"{v:{form}}" for v in (statistics.median(values), max(values)))


def _table(runs: list[Heard], promised: list[Heard]) -> Table:
    table = Table("figure", "median", "worst", title=f"{len(runs)} renders")
    for kind in sorted({run.kind for run in runs}):
        mine = [run for run in runs if run.kind == kind]
        table.add_row(*_row(f"{kind}: first version, s", [run.at_s[0] for run in mine]))
        table.add_row(*_row(f"{kind}: versions", [float(len(run.at_s)) for run in mine], "g"))
        table.add_row(*_row(f"{kind}: last version, s", [run.at_s[-1] for run in mine]))
        if kind != "region":
            for name, which in (("first", 0), ("last", -1)):
                distances = [run.figures[which] for run in mine]
                table.add_row(*_row(f"{kind}: distance of the {name}", distances))
    if promised:
        kept = sum(bool(run.done[4]) for run in promised)
        table.add_row("deadlines kept", f"{kept} of {len(promised)}", "")
        distances = [run.figures[-1] for run in promised]
        table.add_row(*_row("curve: distance at the deadline", distances))
    return table


def main(
    takes: int = 20,
    beats: float = 8.0,
    deadline_beats: float = 16.0,
    threads: int = 2,
    out: Annotated[Path | None, typer.Option(help="Every record, as JSON.")] = None,
) -> None:
    """Print the table; exit with 1 where a first version took longer than a second."""
    costs = parts(beats, threads)
    more = f"[cache]\nenabled = false\n[engine]\nthreads = {threads}\n"
    with tempfile.TemporaryDirectory() as folder:
        source, draw = Path(folder, "source.wav"), random.Random("anytime")
        noise_N = np.random.default_rng(0).normal(0, 0.1, 6 * RATE_HZ).astype(np.float32)
        soundfile.write(source, noise_N, RATE_HZ)
        with running(Path(folder), more) as daemon:
            daemon.wait_ready()
            peer, runs, promised = daemon.peer(), list[Heard](), list[Heard]()
            # The first one of an engine still waits for what its libraries compile.
            listen(peer, "region", "/ditto/render")
            for number in range(takes):
                kind = ("curve", "melody", "region")[number % 3]
                ask(peer, kind, beats, source, draw)
                # Not to its end: what is measured is the beginning and what is reached.
                peer.ask("/ditto/slot/quality", 0, 20, 30)
                runs.append(listen(peer, kind, "/ditto/render"))
            for _ in range(takes // 3):
                ask(peer, "curve", beats, source, draw)
                promised.append(listen(peer, "curve", "/ditto/render_by", deadline_beats))
    console.print(_table(runs, promised))
    console.print({name: f"{cost:.0f} ms" for name, cost in costs.items()})
    if out:
        records = [vars(run) for run in (*runs, *promised)]
        out.write_text(json.dumps({"parts_ms": costs, "runs": records}, indent=1) + "\n")
    if max(run.at_s[0] for run in runs) > LIMIT_S:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
