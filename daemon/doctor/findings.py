"""Measurements -> sentences: what is good, what is not, which settings would mend it. Pure.

The loop that is judged has 4 bars at 120 BPM, 8 s: can a take of it be refined while it plays once?
"""

from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

from daemon.config import AUTO_ITERATIONS, Config

BPM, BEATS = 120.0, 16.0
LOOP_S = BEATS * 60 / BPM
# What a search for an intensity curve takes, mean over 20 takes (docs/results.md).
USUAL_ITERATIONS = 25
# Fewer iterations than these leave a curve half followed.
LEAST_ITERATIONS = 8
FIRST_GOAL_S, START_GOAL_S, TRIP_GOAL_MS = 1.0, 2.0, 10.0
LEAST_DISK_BYTES = 2 * 10**9
LARGEST_BLOCK_FRAMES = 8192

Level = Literal["good", "note", "bad"]


@dataclass(frozen=True)
class Finding:
    """One line of the table: `level` decides its colour and the exit code."""

    topic: str
    level: Level
    text: str
    change: str = ""


@dataclass(frozen=True)
class Sound:
    """What the output did for some seconds; state as in /ditto/audio."""

    state: str
    text: str = ""
    device: str = ""
    rate_hz: int = 0
    block_frames: int = 0
    underruns: int = 0
    period_p99_s: float = 0.0
    period_longest_s: float = 0.0
    callback_p99_s: float = 0.0


@dataclass(frozen=True)
class Engine:
    """What the engine took: for the model, and for a render of the loop with a curve."""

    device: str
    start_s: float
    load_s: float
    first_s: float
    iteration_s: float
    rest_s: float


def of_sound(sound: Sound, cores: int, threads: int) -> list[Finding]:
    """Return what is to say about the device and its callback."""
    if sound.state == "off":
        return [Finding("sound", "note", "audio.output is off: nothing is played here")]
    if sound.state != "on":
        why = sound.text or "no device opened"
        text = f"no sound: {why}; takes, HTTP and OSC work all the same"
        how = (
            "connect a sound card, or start a JACK or PipeWire server, then look at "
            "`python -m sounddevice` and name one in audio.device"
        )
        return [Finding("sound", "note", text, how)]
    block_s = sound.block_frames / sound.rate_hz
    device = (
        f"{sound.device} at {sound.rate_hz} Hz, {sound.block_frames} frames "
        f"({1000 * block_s:.1f} ms) at a time"
    )
    jitter = (
        f"blocks {1000 * sound.period_p99_s:.1f} ms apart (99 of 100), "
        f"{1000 * sound.period_longest_s:.1f} ms at most; filling one takes "
        f"{1000 * sound.callback_p99_s:.2f} ms; {sound.underruns} underruns"
    )
    steady = sound.underruns == 0 and sound.callback_p99_s < block_s / 2
    change = "" if steady else _calmer(sound.block_frames, cores, threads)
    return [
        Finding("sound", "good", device),
        Finding("callback", "good" if steady else "bad", jitter, change),
    ]


def _calmer(block_frames: int, cores: int, threads: int) -> str:
    larger = min(2 * max(block_frames, 128), LARGEST_BLOCK_FRAMES)
    changes = [f"audio.block_frames = {larger}"]
    if cores > 1 and (threads == 0 or threads >= cores):
        changes.append(f"engine.threads = {cores - 1}, which leaves a core to the sound")
    changes.append("real-time priority for this user, such as Debian's group audio gives")
    return "; ".join(changes)


def of_trip(trip_p50_ms: float, trip_p99_ms: float) -> Finding:
    """Return what is to say about OSC."""
    text = f"a ping is back in {trip_p50_ms:.2f} ms, 99 of 100 within {trip_p99_ms:.2f} ms"
    fine = trip_p99_ms <= TRIP_GOAL_MS
    change = "" if fine else f"more than {TRIP_GOAL_MS:g} ms: end programs that keep the cores busy"
    return Finding("OSC", "good" if fine else "note", text, change)


def of_engine(engine: Engine, config: Config, cores: int) -> list[Finding]:
    """Return what is to say about the model, the first version and the search."""
    started = (
        f"answers {engine.start_s:.1f} s after its start; model there after {engine.load_s:.1f} s"
    )
    early = engine.start_s <= START_GOAL_S
    quick = engine.first_s <= FIRST_GOAL_S
    first = f"a new 4-bar loop can be heard after {engine.first_s:.2f} s (goal {FIRST_GOAL_S:g} s)"
    return [
        Finding("start", "good" if early else "note", started),
        Finding("first version", "good" if quick else "note", first),
        _of_search(engine, config, cores),
    ]


def wanted_iterations(config: Config) -> int:
    """Return how many iterations a curve's search takes as configured."""
    asked = config.render.iterations
    return USUAL_ITERATIONS if asked == AUTO_ITERATIONS else asked


def _of_search(engine: Engine, config: Config, cores: int) -> Finding:
    count = wanted_iterations(config)
    whole_s = engine.rest_s + count * engine.iteration_s
    text = (
        f"an iteration takes {1000 * engine.iteration_s:.0f} ms on {engine.device}; {count} of "
        f"them refine a 4-bar loop at {BPM:g} BPM ({LOOP_S:g} s) in {whole_s:.1f} s"
    )
    if whole_s <= LOOP_S:
        return Finding("search", "good", f"{text}: within its own length")
    changes = _quicker(engine, config, cores, whole_s)
    return Finding("search", "bad", f"{text}: longer than itself", "; ".join(changes))


def _quicker(engine: Engine, config: Config, cores: int, whole_s: float) -> list[str]:
    changes = []
    fitting = floor((LOOP_S - engine.rest_s) / engine.iteration_s) if engine.iteration_s else 0
    if fitting >= LEAST_ITERATIONS:
        changes.append(f"render.iterations = {fitting} fits, and follows a little less closely")
    steps = config.render.search_steps
    count = wanted_iterations(config)
    for fewer in range(steps - 1, 0, -1):
        # An iteration's work is the sampler's steps there and back.
        predicted_s = engine.rest_s + count * engine.iteration_s * fewer / steps
        if predicted_s <= LOOP_S or fewer == 1:
            changes.append(f"render.search_steps = {fewer} would take about {predicted_s:.1f} s")
            break
    if 0 < config.engine.threads < cores:
        changes.append(f"engine.threads = 0 uses all {cores} cores")
    if engine.device == "cpu":
        asks = 'engine.device = "auto" and a' if config.engine.device == "cpu" else "a"
        changes.append(f"{asks} CUDA or Metal device renders many times faster")
    passes = ceil(whole_s / LOOP_S)
    changes.append(
        f"or ask for it {passes} passes ahead: a first version plays meanwhile, and the time grows "
        "with the loop, so shorter loops do not help"
    )
    return changes


def of_disk(free_bytes: int, folder: str) -> Finding:
    """Return what is to say about the disk of the takes."""
    text = f"{free_bytes / 1e9:.1f} GB free at {folder}"
    if free_bytes >= LEAST_DISK_BYTES:
        return Finding("disk", "good", text)
    return Finding("disk", "bad", text, "free some, or move paths.takes_folder: takes need room")
