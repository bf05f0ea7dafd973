"""How well MIDI clock is followed: the estimator and the steering, with jitter and drift. Pure.

A master's clocks come late by random times, the device's clock is 50 ppm fast, and what the device
says of its clock is up to 2 ms late; ten times a second the transport is steered, as the daemon
does it. Errors are the transport's against the master's true beat, on the same frame.
Usage: python -m benchmarks.midi_clock [SEEDS]
"""

import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from daemon.audio.wire import Clock
from daemon.playing.following import JUMP_S, Heading, error_s, grain, placed, plain_bpm, steered
from daemon.playing.timebase import Timebase
from daemon.playing.transport import Transport
from daemon.sources.song import Song

RATE_HZ = 48_000
DRIFT = 1 + 50e-6
CLOCK_LATE_S = 0.002
STEP_S = 0.1
STEP_AT_S, END_S, SETTLED_S = 60.0, 80.0, 10.0
LOCKED_MS = 5.0

Jitter = Callable[[random.Random], float]


@dataclass(frozen=True)
class Run:
    """What one run showed: errors in ms by time in s, tempos, jumps."""

    at_s: np.ndarray
    line_ms: np.ndarray
    transport_ms: np.ndarray
    bpm: np.ndarray
    jumps: int


def uniform(width_ms: float) -> Jitter:
    """Return a jitter that is spread evenly over +-width_ms."""
    return lambda chance: chance.uniform(-width_ms, width_ms) / 1000


def normal(deviation_ms: float) -> Jitter:
    """Return a jitter that is normally distributed."""
    return lambda chance: chance.gauss(0, deviation_ms) / 1000


def clocks(before: float, after: float, jitter: Jitter, chance: random.Random) -> Iterator[float]:
    """Yield when each clock comes: in one tempo, and from STEP_AT_S on in another."""
    due_s = 0.0
    while due_s < END_S:
        yield due_s + jitter(chance)
        due_s += 60 / (before if due_s < STEP_AT_S else after) / 24


def true_beat(at_s: float, before: float, after: float) -> float:
    """Return the master's beat."""
    ticks = np.ceil(STEP_AT_S * before / 60 * 24 - 1e-9) / 24
    step_s = ticks * 60 / before
    return at_s * before / 60 if at_s < step_s else ticks + (at_s - step_s) * after / 60


def due_now(timebase: Timebase, now_s: float, late_s: float) -> int:
    """Return the frame that is due, as the daemon knows it by a device whose words come late."""
    said = Clock(round((now_s - late_s) * DRIFT * RATE_HZ), round(now_s * 1e9), 256, 0, 0)
    clock = timebase.steadied(said)
    return clock.frame + (said.at_ns - clock.at_ns) * RATE_HZ // 10**9


def run(before: float, after: float, jitter: Jitter, seed: int) -> Run:
    """Follow one master."""
    chance = random.Random(seed)
    song = Song().with_message("start", 0.0)
    transport, rows, jumps, timebase = Transport(RATE_HZ), [], 0, Timebase(RATE_HZ)
    coming = sorted(clocks(before, after, jitter, chance))
    at = 0
    for number in range(1, round(END_S / STEP_S)):
        now_s = number * STEP_S
        while at < len(coming) and coming[at] <= now_s:
            song = song.with_message("clock", coming[at])
            at += 1
        reading = song.reading(round(now_s * 1e9), "x")
        if not reading.is_live:
            continue
        seen = due_now(timebase, now_s, chance.uniform(0, CLOCK_LATE_S))
        bpm = plain_bpm(reading.bpm, reading.bpm_error, transport.bpm)
        heading = Heading(seen, grain(reading.beat), bpm)
        if abs(error_s(transport, heading)) > JUMP_S:
            transport, jumps = placed(transport, heading, seen), jumps + 1
        else:
            transport = steered(transport, heading)
        true = true_beat(now_s, before, after)
        frame = round(now_s * DRIFT * RATE_HZ)
        scale = 60_000 / (before if now_s < STEP_AT_S else after)
        on_frame = float(transport.beat_at(frame))
        rows.append((now_s, (reading.beat - true) * scale, (on_frame - true) * scale, bpm))
    found = np.array([[float(value) for value in row] for row in rows])
    return Run(found[:, 0], found[:, 1], found[:, 2], found[:, 3], jumps)


def locked_s(found: Run, after: float) -> float:
    """Return how long after the step tempo and phase are right for good: 0.5 %, LOCKED_MS."""
    later = found.at_s > STEP_AT_S
    wrong = (abs(found.transport_ms) > LOCKED_MS) | (abs(found.bpm / after - 1) > 0.005)
    bad = found.at_s[later & wrong]
    return float(bad.max() - STEP_AT_S + STEP_S) if len(bad) else 0.0


def row(name: str, before: float, after: float, jitter: Jitter, seeds: int) -> str:
    """Return a line of the table."""
    runs = [run(before, after, jitter, seed) for seed in range(seeds)]
    steady = [(r.at_s > SETTLED_S) & (r.at_s < STEP_AT_S) for r in runs]
    line = np.concatenate([abs(r.line_ms[s]) for r, s in zip(runs, steady, strict=True)])
    heard = np.concatenate([abs(r.transport_ms[s]) for r, s in zip(runs, steady, strict=True)])
    tempo = np.concatenate([abs(r.bpm[s] - before) for r, s in zip(runs, steady, strict=True)])
    locks = [locked_s(r, after) for r in runs]
    jumps = sum(r.jumps for r in runs) / seeds
    parts = [
        name,
        f"{before:g} to {after:g}",
        *(f"{np.percentile(line, p):.2f}" for p in (50, 99)),
        *(f"{np.percentile(heard, p):.2f}" for p in (50, 99)),
        f"{np.percentile(tempo, 99):.2f}",
        f"{np.median(locks):.1f}",
        f"{max(locks):.1f}",
        f"{jumps:.1f}",
    ]
    return f"| {' | '.join(parts)} |"


def main(seeds: int) -> None:
    """Print the table."""
    head = (
        "jitter of a clock",
        "bpm",
        *("estimate p50, ms", "p99"),
        *("transport p50, ms", "p99"),
        "tempo p99, bpm",
        *("lock after the step, median s", "longest"),
        "jumps",
    )
    sys.stdout.write(f"| {' | '.join(head)} |\n| {' | '.join('---' for _ in head)} |\n")
    cases = [(f"+-{width} ms, even", 120.0, 126.0, uniform(width)) for width in (1, 2, 3)]
    cases += [(f"{width} ms, normal", 120.0, 126.0, normal(width)) for width in (1, 2, 3)]
    cases += [("2 ms, normal", 120.0, after, normal(2)) for after in (60.0, 90.0, 121.0, 180.0)]
    for case in cases:
        sys.stdout.write(row(*case, seeds) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
