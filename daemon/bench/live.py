"""A long set through real JACK: launches, stops and swaps while the engine renders beside it.

What comes out is compared, sample for sample, with what numpy says should come out: the takes, at
the beats that the daemon's answers named, with fades that end there. One number then stands for
launches on their exact sample, gaps, clicks and drift: the largest difference anywhere.
"""

import itertools
import random
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.bench.figures import Figure, Plan
from daemon.bench.hall import Hall, launch_of, open_hall
from daemon.bench.jack import RATE_HZ
from daemon.bench.process import Peer

SLOTS, VERSIONS, BEAT = 8, 6, RATE_HZ // 2
CROSS, FADE = RATE_HZ // 50, RATE_HZ // 200
LENGTHS_BEATS = (2.0, 4.0)
RENDERED_SLOT, REQUEST = 15, 4711
SAME = 2e-6
KINDS = ("play", "stop", "rollback")
ENGINE = '[engine]\ndevice = "cpu"\nthreads = 1\n'
SETTINGS = (
    "[render]\nsteps = 4\nsearch_steps = 2\niterations = 20\n[takes]\nkeep_per_slot = 16\n" + ENGINE
)

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


def ask(live: Set, peer: Peer, kind: str, slot: int, first_beat: float | None) -> float:
    """Send one command and note what was promised; return its beat."""
    quantum = () if kind == "rollback" else (slot, 1.0)
    (address, values), answer_ms = peer.timed(f"/ditto/{kind}", *(quantum or (slot,)))
    live.answers_ms.append(answer_ms)
    if address != "/ditto/done":
        raise ValueError(f"{kind} was refused: {values}")
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


def keep_busy(hall: Hall) -> AbstractContextManager[None]:
    """Let the engine render as long as the context lasts."""

    @contextmanager
    def busy() -> Iterator[None]:
        stop = threading.Event()
        work = threading.Thread(target=keep_rendering, args=(hall.daemon.peer(), stop))
        work.start()
        try:
            yield
        finally:
            stop.set()
            work.join()

    return busy()


def differences(
    hall: Hall, live: Set, block: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return how far each sample since `block` is from what numpy expects, and the samples."""
    audio = hall.heard.audio(block)
    audio = audio[launch_of(audio, hall.takes[live.plans[0][0].take or (0, 0)]) :]
    return np.abs(audio - expected(live, hall.takes, len(audio))), audio


def clicks(off: NDArray[np.float64], takes: Iterable[Audio], audio: Audio) -> int:
    """Return the places where a step between samples is larger than all takes' own together.

    off: where nothing differs from what is expected there is no step of the player's own.
    """
    largest = sum(float(np.abs(np.diff(take)).max()) for take in takes)
    steps = np.abs(np.diff(audio)) > largest
    return int((steps & (off[1:] > SAME)).sum())


def launches(plan: Plan) -> list[Figure]:
    """Play the set while the engine works, and compare."""
    lengths = {slot: LENGTHS_BEATS[slot % 2] for slot in range(SLOTS)}
    with (
        tempfile.TemporaryDirectory() as name,
        open_hall(Path(name), True, SETTINGS, lengths, VERSIONS) as hall,
    ):
        hall.daemon.wait_ready()
        hall.peer.drain()
        block = hall.quiet()
        before = hall.daemon.status()["audio"]
        with keep_busy(hall):
            live, _ = perform(hall, plan.bars, plan.changes, plan.seed)
            off, audio = differences(hall, live, block)
            after = hall.daemon.status()["audio"]
            made = hall.daemon.status()["jobs_done"]
    wrong = int((off > SAME).sum())
    takes = [hall.takes[slot, 1] for slot in range(SLOTS)]
    counts = ", ".join(str(live.counts[kind]) for kind in KINDS)
    return [
        Figure("captured", len(audio) / RATE_HZ, "s"),
        Figure(f"changes ({counts} launches, stops, swaps)", sum(live.counts.values()), ""),
        Figure("takes rendered beside it", made, ""),
        Figure("largest difference from what numpy expects", float(off.max()), "", SAME),
        Figure("samples off: gaps, drift, a launch on another sample", wrong, "", 0),
        Figure("clicks: steps larger than in the takes", clicks(off, takes, audio), "", 0),
        Figure("underruns told by PortAudio", after["underruns"] - before["underruns"], "", 0),
        Figure("changes that came late", after["late"] - before["late"], "", 0),
        Figure("command to answer, p50", float(np.percentile(live.answers_ms, 50)), "ms"),
        Figure("command to answer, p99", float(np.percentile(live.answers_ms, 99)), "ms", 10),
    ]
