"""Endless mode through real JACK: N segments captured, their joins measured, lateness counted.

A loop is rendered and launched, then its slot is turned endless. All that leaves JACK is captured,
and the joins are compared with the other beats of the same sound: spectral change (the mean
difference of a mel of 80 bands in dB from frame to frame, the largest within 30 ms) and the largest
sample step. With --controls an intensity curve is searched for in each segment. With --kill the
engine is killed in the middle. Prints a table; --out keeps the sound.

    python -m benchmarks.endless [--segments 12] [--beats 8] [--controls] [--kill] [--out FILE.wav]
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import librosa
import numpy as np
import soundfile
from numpy.typing import NDArray

from daemon.bench.hall import Hall, open_hall
from daemon.bench.jack import RATE_HZ

BPM, HOP, BANDS, NEAR_S, FADE_S = 120.0, 480, 80, 0.03, 0.02
SETTINGS = "[render]\nsteps = 20\n[takes]\nkeep_per_slot = 4\n"
LIMIT_S = 900.0

Audio = NDArray[np.float32]


def prepare(hall: Hall, options: argparse.Namespace) -> float:
    """Render the first take, launch it, and turn the slot endless; return the launch's beat."""
    peer = hall.peer
    hall.daemon.wait_ready()
    peer.drain()
    peer.ask("/ditto/slot/tags", 0, options.tags)
    peer.ask("/ditto/slot/tempo", 0, BPM, options.beats)
    if options.controls:
        peer.ask("/ditto/slot/intensity", 0, 0.0, -26.0, options.beats / 2, -16.0)
    peer.send("/ditto/render", 0)
    peer.until("/ditto/done", "/ditto/fail", limit_s=LIMIT_S)
    beat = float(peer.ask("/ditto/play", 0, 4.0)[1][4])
    assert peer.ask("/ditto/endless", 0, 1)[0] == "/ditto/done"
    return beat


def collect(hall: Hall, options: argparse.Namespace) -> tuple[list[list[object]], int]:
    """Wait for the segments; return the events of the slot's states, and passes that repeated."""
    states, repeats, segments = [], 0, 0
    until_s, killed = time.monotonic() + LIMIT_S, not options.kill
    while segments < options.segments and time.monotonic() < until_s:
        reply = hall.peer.receive(1.0)
        hall.peer.send("/ditto/ping")
        if reply is None:
            continue
        if reply[0] == "/ditto/slot/state" and reply[1][0] == 0:
            states.append(reply[1])
        if reply[0] == "/ditto/slot/endless":
            segments = int(reply[1][2])
            repeats += bool(reply[1][3])
            if not killed and segments >= options.segments // 2:
                os.kill(hall.daemon.child("daemon.engine"), signal.SIGKILL)
                killed = True
    return states, repeats


def change_db(audio: Audio) -> NDArray[np.float64]:
    """Return the spectral change from frame to frame, mean over the bands, in dB."""
    power = librosa.feature.melspectrogram(
        y=audio, sr=RATE_HZ, n_fft=2048, hop_length=HOP, n_mels=BANDS
    )
    found: NDArray[np.float64] = np.abs(np.diff(10 * np.log10(power + 1e-7), axis=1)).mean(axis=0)
    return found


def largest(values: NDArray[np.float64], at: int, near: int) -> float:
    """Return the largest value within `near` of an index."""
    return float(values[max(0, at - near) : at + near + 1].max())


def compare(audio: Audio, joins: list[int]) -> dict[str, str]:
    """Return the figures of the joins beside those of the other beats of the same sound."""
    change, step = change_db(audio), np.abs(np.diff(audio.astype(np.float64)))
    beat, near = round(60 / BPM * RATE_HZ), round(NEAR_S * RATE_HZ)
    beats = [at for at in range(joins[0] % beat, len(audio) - 2 * near, beat) if at > near]
    others = [at for at in beats if min(abs(at - join) for join in joins) > near]
    rows = {}
    for name, values, scale in (("spectral change, dB", change, HOP), ("sample step", step, 1)):
        here, there = (
            np.array([largest(values, at // scale, near // scale) for at in places])
            for places in (joins, others)
        )
        rows[f"{name}: at {len(joins)} joins, median and largest"] = (
            f"{np.median(here):.3g} and {here.max():.3g}"
        )
        rows[f"{name}: at {len(others)} other beats, median, 90 % and largest"] = (
            f"{np.median(there):.3g}, {np.percentile(there, 90):.3g} and {there.max():.3g}"
        )
    fade = round(FADE_S * RATE_HZ)
    risen = [
        [
            10 * np.log10(np.square(audio[at - fade : at]).mean() + 1e-9)
            - 10 * np.log10(np.square(audio[at - 3 * fade : at - fade]).mean() + 1e-9)
            for at in places
        ]
        for places in (joins, [at for at in others if at > 3 * fade])
    ]
    rows["level of the 20 ms before, risen against the 40 ms before that, medians of both"] = (
        f"{np.median(risen[0]):+.1f} and {np.median(risen[1]):+.1f} dB"
    )
    return rows


def main(options: argparse.Namespace) -> None:
    """Play, capture, compare, print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_hall(folder, True, SETTINGS, {}) as hall:
            first = prepare(hall, options)
            block, began = 0, time.monotonic()
            states, repeats = collect(hall, options)
            hall.heard.wait(round(2 * options.beats * 60 / BPM * RATE_HZ))
            audio = hall.heard.audio(block)
            took_s = time.monotonic() - began
            hall.peer.drain()
            status = hall.peer.ask("/ditto/audio")[1]
            files = len(list((folder / "takes").glob("*.wav")))
    joins = joins_of(audio, states, first, options)
    rows = {
        "captured": f"{len(audio) / RATE_HZ:.1f} s, {took_s:.0f} s of the clock",
        "passes": f"{options.beats:g} beats at {BPM:g} bpm, {60 / BPM * options.beats:g} s",
        "stretches in which the engine was late": f"{repeats}",
        "files left in the takes' folder": f"{files}",
        "underruns told by PortAudio, changes that came late": f"{status[5]}, {status[6]}",
        **compare(audio, joins),
    }
    write("| figure | value |\n| --- | --- |")
    for name, value in rows.items():
        write(f"| {name} | {value} |")
    if options.out:
        soundfile.write(options.out, audio, RATE_HZ, subtype="FLOAT")


def joins_of(
    audio: Audio, states: list[list[object]], first: float, options: argparse.Namespace
) -> list[int]:
    """Return the frames on which versions began: as many beats as they say after the launch.

    The launch is where the silence ends, to within its fade.
    """
    start = int(np.flatnonzero(np.abs(audio) > 1e-5)[0])
    frames = round(options.beats * 60 / BPM * RATE_HZ)
    begun = {float(state[4]) for state in states if state[2] and state[3] > 0}  # type: ignore[arg-type,operator]
    places = sorted(start + round((beat - first) * 60 / BPM * RATE_HZ) for beat in begun)
    return [at for at in places if frames // 2 < at < len(audio) - frames // 2]


def write(text: str) -> None:
    """Put a line on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=12)
    parser.add_argument("--beats", type=float, default=8.0)
    parser.add_argument("--tags", default="dark techno")
    parser.add_argument("--controls", action="store_true")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--out", default="")
    main(parser.parse_args())
