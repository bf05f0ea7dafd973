"""A long set through real JACK: launches, stops and swaps while the engine renders beside it.

What comes out is compared, sample for sample, with what numpy says should come out: the takes, at
the beats that the daemon's answers named, with fades that end there. One number then stands for
launches on their exact sample, gaps, clicks and drift: the largest difference anywhere. After the
set both helper processes are killed in turn while a loop plays. Prints a table.

    python -m benchmarks.live [--bars 64] [--changes 200] [--kills 3] [--seed 0]
"""

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.bench.hall import Hall, launch_of, open_hall
from daemon.bench.jack import PERIOD, RATE_HZ, Capture
from daemon.bench.process import Peer

SLOTS, VERSIONS, BEAT = 8, 6, RATE_HZ // 2
CROSS, FADE = RATE_HZ // 50, RATE_HZ // 200
LENGTHS_BEATS = (2.0, 4.0)
RENDERED_SLOT, REQUEST = 15, 4711
SAME = 2e-6
SETTINGS = "[render]\nsteps = 4\nsearch_steps = 2\niterations = 20\n[takes]\nkeep_per_slot = 16\n"

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Planned:
    """From `at` on, frames after the first launch, this take or silence; the fade before it."""

    at: int
    take: tuple[int, int] | None
    fade: int


@dataclass
class Set:
    """What was asked and what the daemon promised."""

    plans: dict[int, list[Planned]] = field(default_factory=dict)
    busy_until: dict[int, float] = field(default_factory=dict)
    version: dict[int, int] = field(default_factory=dict)
    answers_ms: list[float] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def playing(self, slot: int) -> bool:
        """Return whether the slot plays after all that was planned."""
        plans = self.plans.get(slot)
        return bool(plans) and plans is not None and plans[-1].take is not None


KINDS = ("play", "stop", "rollback")


def ask(live: Set, peer: Peer, kind: str, slot: int, first_beat: float | None) -> float:
    """Send one command and note what was promised; return its beat."""
    began = time.perf_counter()
    quantum = () if kind == "rollback" else (slot, 1.0)
    address, values = peer.ask(f"/ditto/{kind}", *(quantum or (slot,)))
    live.answers_ms.append(1e3 * (time.perf_counter() - began))
    assert address == "/ditto/done", values
    beat = float(values[4] if kind != "stop" else values[3])
    at = round((beat - (beat if first_beat is None else first_beat)) * BEAT)
    take = None if kind == "stop" else (slot, int(values[3]))
    fade = CROSS if take and live.playing(slot) else FADE
    live.plans.setdefault(slot, []).append(Planned(at, take, fade))
    if take:
        live.version[slot] = take[1]
    live.counts[kind] += 1
    return beat


def choose(live: Set, dice: random.Random, beat: float) -> tuple[str, int] | None:
    """Return a command for a slot whose last one has come about, and time for its loop too."""
    free = [slot for slot in range(SLOTS) if live.busy_until.get(slot, -1.0) < beat]
    if not free:
        return None
    slot = dice.choice(free)
    if not live.playing(slot):
        return "play", slot
    kinds = ["play", "stop", *["rollback"] * (2 if live.version[slot] > 1 else 0)]
    return dice.choice(kinds), slot


def perform(hall: Hall, bars: int, changes: int, seed: int) -> tuple[Set, float]:
    """Play the set; return what was promised, and the beat of the first launch."""
    live, dice = Set(), random.Random(seed)
    first = ask(live, hall.peer, "play", 0, None)
    began_s = time.monotonic()
    for number in range(1, changes):
        due_s = began_s + number * bars * 2.0 / changes
        time.sleep(max(0.0, due_s - time.monotonic()))
        beat = first + 2 * (time.monotonic() - began_s)
        if choice := choose(live, dice, beat):
            kind, slot = choice
            live.busy_until[slot] = 1.0 + ask(live, hall.peer, kind, slot, first)
    time.sleep(max(0.0, began_s + bars * 2.0 - time.monotonic()))
    return live, first


def expected(live: Set, takes: dict[tuple[int, int], Audio], frames: int) -> NDArray[np.float64]:
    """Return what should be heard from the first launch on."""
    total = np.zeros(frames)
    for plans in live.plans.values():
        for this, following in zip(plans, [*plans[1:], None], strict=True):
            if this.take is None:
                continue
            end = frames if following is None else min(following.at, frames)
            begin = this.at - this.fade
            time_N = np.arange(begin, end)
            envelope = np.sin(np.pi / 2 * np.clip((time_N - begin) / this.fade, 0, 1))
            if following is not None:
                left = (following.at - time_N) / following.fade
                envelope = envelope * np.sin(np.pi / 2 * np.clip(left, 0, 1))
            take = takes[this.take]
            part = take[(time_N - this.at) % len(take)] * envelope
            low = max(0, -begin)
            total[max(begin, 0) : end] += part[low:]
    return total


def keep_rendering(peer: Peer, stop: threading.Event) -> None:
    """Let the engine be busy until told to stop: searches on a slot that nobody hears."""
    peer.ask("/ditto/notify", 1)
    peer.ask("/ditto/slot/tempo", RENDERED_SLOT, 120.0, 8.0)
    peer.ask("/ditto/slot/loop", RENDERED_SLOT, 0.5)
    for seed in itertools.count():
        peer.ask("/ditto/slot/seed", RENDERED_SLOT, seed)
        peer.send("/ditto/render", RENDERED_SLOT, REQUEST)
        while peer.until("/ditto/done", "/ditto/fail")[-1][1][1] != REQUEST:
            pass
        if stop.is_set():
            return


def gaps_after_kills(hall: Hall, module: str, kills: int) -> list[float]:
    """Kill a process while a loop plays; return how many seconds of silence each kill cost."""
    gaps = []
    for _ in range(kills):
        # An engine that is killed while it loads comes back more and more slowly.
        hall.daemon.wait_ready()
        hall.peer.drain()
        hall.quiet()
        hall.play(0)
        hall.heard.wait(6 * RATE_HZ)
        began = len(hall.heard.blocks)
        os.kill(hall.daemon.child(module), signal.SIGKILL)
        if module == "daemon.audio":
            hall.heard.wait_gone()
            hall.heard.follow()
        hall.heard.wait(4 * RATE_HZ)
        quiet = [start for start, heard in hall.heard.blocks[began - 4 :] if not heard.any()]
        gaps.append((max(quiet) - min(quiet) + PERIOD) / RATE_HZ if quiet else 0.0)
    return gaps


def table(live: Set, audio: Audio, wanted: NDArray[np.float64], heard: Capture, peer: Peer) -> None:
    """Print the figures of the set."""
    off = np.abs(audio - wanted)
    status = peer.ask("/ditto/audio")[1]
    answers = np.percentile(live.answers_ms, [50, 99])
    rows = {
        "captured": f"{len(audio) / RATE_HZ:.1f} s",
        "launches, stops, swaps": ", ".join(str(live.counts[kind]) for kind in KINDS),
        "largest difference from what numpy expects": f"{off.max():.1e}",
        "samples off by more than 2e-6 (gaps, clicks, drift)": f"{int((off > SAME).sum())}",
        "underruns told by PortAudio": f"{status[5]}",
        "changes that came late": f"{status[6]}",
        "JACK's own xruns": f"{heard.xruns}",
        "command to answer, p50 and p99": f"{answers[0]:.1f} and {answers[1]:.1f} ms",
    }
    write("| figure | value |\n| --- | --- |")
    for name, value in rows.items():
        write(f"| {name} | {value} |")


def perform_and_compare(hall: Hall, options: argparse.Namespace) -> None:
    """Play the set while the engine works, and compare."""
    hall.daemon.wait_ready()
    hall.peer.drain()
    stop = threading.Event()
    work = threading.Thread(target=keep_rendering, args=(hall.daemon.peer(), stop))
    work.start()
    block = hall.quiet()
    try:
        live, _ = perform(hall, options.bars, options.changes, options.seed)
    finally:
        stop.set()
    audio = hall.heard.audio(block)
    audio = audio[launch_of(audio, hall.takes[live.plans[0][0].take or (0, 0)]) :]
    write(f"Takes rendered beside it: {hall.daemon.status()['jobs_done']}\n")
    table(live, audio, expected(live, hall.takes, len(audio)), hall.heard, hall.peer)
    work.join()


def main(options: argparse.Namespace) -> None:
    """Play the set, then kill each helper process a few times."""
    lengths = {slot: LENGTHS_BEATS[slot % 2] for slot in range(SLOTS)}
    with tempfile.TemporaryDirectory() as name:
        with open_hall(Path(name), True, SETTINGS, lengths, VERSIONS) as hall:
            perform_and_compare(hall, options)
    # JACK stands still for seconds when a client is killed, unless it waits for none of them.
    for module, waits in (("daemon.engine", True), ("daemon.audio", False)):
        with tempfile.TemporaryDirectory() as name, open_hall(Path(name), waits) as hall:
            gaps = gaps_after_kills(hall, module, options.kills)
            row = f"SIGKILL of {module} {options.kills} times, silence"
            write(f"| {row} | {max(gaps):.2f} s at most |")


def write(text: str) -> None:
    """Put a line on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=64)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args())
