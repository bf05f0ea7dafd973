"""A JACK server without hardware, and what is played into it, sample for sample."""

import ctypes.util
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

RATE_HZ, PERIOD = 48_000, 1024
SERVER = "JACK_DEFAULT_SERVER"

Audio = NDArray[np.float32]


def need_jack() -> None:
    """Skip where jackd or PortAudio is missing; fail where REQUIRE_CLIENTS=1 asks for them."""
    if shutil.which("jackd") and ctypes.util.find_library("portaudio"):
        return
    if os.environ.get("REQUIRE_CLIENTS") == "1":
        pytest.fail("jackd or PortAudio is missing, and REQUIRE_CLIENTS=1 asks for them")
    pytest.skip("jackd or PortAudio is not installed")


@dataclass
class Capture:
    """All that came in, in blocks with the server's frame of their first sample."""

    client: Any
    blocks: list[tuple[int, Audio]] = field(default_factory=list)
    xruns: int = 0

    def follow(self, limit_s: float = 10.0) -> None:
        """Connect what PortAudio plays, as soon as it is there."""
        until_s = time.monotonic() + limit_s
        while time.monotonic() < until_s:
            outs = self.client.get_ports("PortAudio.*:out_0", is_output=True)
            if outs:
                self.client.connect(outs[0], self.client.inports[0])
                return
            time.sleep(0.02)
        raise AssertionError(f"nothing plays into JACK within {limit_s} s")

    def wait_gone(self) -> None:
        """Wait until JACK has seen that the player is gone."""
        import jack

        while True:
            try:
                if not self.client.get_ports("PortAudio.*:out_0", is_output=True):
                    return
            except jack.JackError:
                # It went while its name was looked up.
                return
            time.sleep(0.005)

    def frames(self) -> int:
        """Return how many frames have come in."""
        return len(self.blocks) * PERIOD

    def wait(self, frames: int, limit_s: float = 60.0) -> None:
        """Wait for so many more frames."""
        until, until_s = self.frames() + frames, time.monotonic() + limit_s
        while self.frames() < until:
            assert time.monotonic() < until_s, "JACK has stopped"
            time.sleep(0.02)

    def audio(self, first_block: int = 0) -> Audio:
        """Return the samples since a block. Fails where the server itself left frames out."""
        blocks = self.blocks[first_block:]
        starts = np.array([start for start, _ in blocks])
        assert (np.diff(starts) == PERIOD).all(), np.unique(np.diff(starts))
        return np.concatenate([block for _, block in blocks])


@contextmanager
def server(folder: Path, waits: bool = True) -> Iterator[str]:
    """Start a JACK server whose clock is the dummy driver's; PortAudio finds it by environment.

    One that waits for its clients (-S) loses no sample on a busy machine, but stands still for five
    seconds when a client is killed; one that does not may lose some, and goes on.
    """
    name = f"ditto{os.getpid()}{'s' * waits}"
    mode = "-S" * waits
    words = f"jackd -r -n {name} {mode} -d dummy -r {RATE_HZ} -p {PERIOD} -C 2 -P 2".split()
    before = {key: os.environ.get(key) for key in (SERVER, "JACK_NO_START_SERVER")}
    os.environ.update({SERVER: name, "JACK_NO_START_SERVER": "1"})
    with (folder / "jackd").open("w") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output)
    try:
        yield name
    finally:
        process.terminate()
        process.wait(10)
        for key, value in before.items():
            if value is None:
                os.environ.pop(key)
            else:
                os.environ[key] = value


@contextmanager
def capture(name: str) -> Iterator[Capture]:
    """Listen to a server with one input."""
    import jack

    # libjack prints each try; the server may need a second.
    jack.set_error_function(lambda _: None)
    until_s = time.monotonic() + 15
    while True:
        try:
            client = jack.Client("capture", servername=name, no_start_server=True)
            break
        except jack.JackOpenError:
            assert time.monotonic() < until_s, "jackd did not start"
            time.sleep(0.1)
    client.inports.register("in")
    heard = Capture(client)

    @client.set_process_callback  # type: ignore[untyped-decorator]
    def _(_: int) -> None:
        heard.blocks.append((client.last_frame_time, client.inports[0].get_array().copy()))

    @client.set_xrun_callback  # type: ignore[untyped-decorator]
    def _(_: float) -> None:
        heard.xruns += 1

    with client:
        yield heard
