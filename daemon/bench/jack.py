"""A JACK server without hardware, and what is played into it, sample for sample."""

import ctypes.util
import fcntl
import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from daemon.bench.ear import ANSWER, BLOCK, XRUN
from daemon.bench.process import ROOT, inherited

RATE_HZ, PERIOD = 48_000, 1024
SERVER = "JACK_DEFAULT_SERVER"
START_S = 20.0
NAMES = 4
# A second: a clock that drifts by 50 ppm is off by 2 samples within it.
NEAR_BLOCKS = RATE_HZ // PERIOD

Audio = NDArray[np.float32]


def missing() -> str:
    """Return what cannot be found of what a capture needs and how to get it; '' for nothing."""
    lacks = {
        "jackd": not shutil.which("jackd"),
        "libportaudio2": not ctypes.util.find_library("portaudio"),
        "JACK-Client": not importlib.util.find_spec("jack"),
    }
    absent = [name for name, lacking in lacks.items() if lacking]
    if not absent:
        return ""
    return (
        f"the capture needs {', '.join(absent)}; install jackd2 and libportaudio2 with the "
        "system's packages (apt-get install jackd2 libportaudio2), JACK-Client with "
        "pip install -e '.[dev]'"
    )


@dataclass
class Capture:
    """All that came in, in blocks with the server's frame of their first sample.

    A thread of this process owns `blocks`, `times_ns` (when each came in, by the monotonic clock)
    and `xruns` and only adds to them.
    """

    process: "subprocess.Popen[bytes]"
    keeps: bool = True
    blocks: list[tuple[int, Audio]] = field(default_factory=list)
    times_ns: list[int] = field(default_factory=list)
    xruns: int = 0
    _answers: "SimpleQueue[int]" = field(default_factory=SimpleQueue)

    def follow(self, limit_s: float = 10.0) -> None:
        """Connect what PortAudio plays, as soon as it is there."""
        if not self._ask("follow", limit_s):
            raise TimeoutError(f"nothing plays into JACK within {limit_s} s")

    def wait_gone(self, limit_s: float = 10.0) -> None:
        """Wait until JACK has seen that the player is gone."""
        if not self._ask("gone", limit_s):
            raise TimeoutError(f"the player is still there after {limit_s} s")

    def frames(self) -> int:
        """Return how many frames have come in."""
        return len(self.blocks) * PERIOD

    def wait(self, frames: int, limit_s: float = 60.0) -> None:
        """Wait for so many more frames."""
        until, until_s = self.frames() + frames, time.monotonic() + limit_s
        while self.frames() < until:
            if time.monotonic() > until_s:
                raise TimeoutError("JACK has stopped")
            time.sleep(0.02)

    def audio(self, first_block: int = 0) -> Audio:
        """Return the samples since a block. Fails where the server itself left frames out."""
        blocks = self.blocks[first_block:]
        steps = np.diff(np.array([start for start, _ in blocks]))
        if not (steps == PERIOD).all():
            raise ValueError(f"JACK left frames out: {np.unique(steps)}")
        return np.concatenate([block for _, block in blocks])

    def time_of(self, block: int, sample: int = 0) -> int:
        """Return when a block's sample was due, in ns of the monotonic clock.

        A busy machine hears of a block late and never early: of the blocks around the least late.
        """
        frame = self.blocks[block][0]
        near = range(max(0, block - NEAR_BLOCKS), min(len(self.blocks), block + NEAR_BLOCKS))
        began_ns = min(
            self.times_ns[at] - (self.blocks[at][0] - frame) * 10**9 // RATE_HZ for at in near
        )
        return began_ns + sample * 10**9 // RATE_HZ

    def read(self, records: BinaryIO) -> None:
        """Keep what the ear hears until it ends. Reader thread only."""
        while kind := records.read(1):
            if kind == XRUN:
                self.xruns += 1
                continue
            (number,) = struct.unpack("<q", records.read(8))
            if kind == ANSWER:
                self._answers.put(number)
            elif kind == BLOCK:
                (at_ns,) = struct.unpack("<q", records.read(8))
                samples = np.frombuffer(records.read(4 * PERIOD), np.float32)
                if self.keeps:
                    self.times_ns.append(at_ns)
                    self.blocks.append((number, samples))

    def wait_open(self) -> None:
        """Wait until the ear is connected to its server."""
        try:
            period = self._answers.get(timeout=START_S)
        except Empty:
            raise TimeoutError("jackd did not start") from None
        assert period == PERIOD, period

    def _ask(self, order: str, limit_s: float) -> bool:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order} {limit_s}\n".encode())
        self.process.stdin.flush()
        return bool(self._answers.get(timeout=limit_s + START_S))


@contextmanager
def server(folder: Path, waits: bool = True) -> Iterator[str]:
    """Start a JACK server whose clock is the dummy driver's; PortAudio finds it by environment.

    One that waits for its clients (-S) loses no sample on a busy machine, but stands still for five
    seconds when a client is killed; one that does not may lose some, and goes on.
    """
    with _name() as name, _served(folder, name, "-S" * waits):
        yield name


@contextmanager
def _name() -> Iterator[str]:
    """Reserve one of a few names.

    A server that was killed leaves its name in a list of JACK's that has room for eight; the same
    name again takes its place.
    """
    for number in range(NAMES):
        with (Path(tempfile.gettempdir()) / f"ditto-rt-jack-{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield f"ditto-rt-{number}"
            return
    raise TimeoutError(f"{NAMES} JACK servers of ditto-rt run already")


@contextmanager
def _served(folder: Path, name: str, mode: str) -> Iterator[None]:
    words = f"jackd -r -n {name} {mode} -d dummy -r {RATE_HZ} -p {PERIOD} -C 2 -P 2".split()
    before = {key: os.environ.get(key) for key in (SERVER, "JACK_NO_START_SERVER")}
    os.environ.update({SERVER: name, "JACK_NO_START_SERVER": "1"})
    with (folder / "jackd").open("w") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for key, value in before.items():
            if value is None:
                os.environ.pop(key)
            else:
                os.environ[key] = value


@contextmanager
def capture(name: str, keeps: bool = True) -> Iterator[Capture]:
    """Listen to a server with one input; keeps: whether what is heard is kept."""
    process = subprocess.Popen(
        [sys.executable, "-m", "daemon.bench.ear", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=inherited(),
    )
    heard = Capture(process, keeps)
    assert process.stdin is not None and process.stdout is not None
    reader = threading.Thread(target=heard.read, args=(process.stdout,), daemon=True)
    reader.start()
    try:
        heard.wait_open()
        yield heard
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
