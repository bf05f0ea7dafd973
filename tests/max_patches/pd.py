"""Pure Data without a screen or a sound card, and a UDP peer made with python-osc for it."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from tests.max_patches.maxfile import FOLDER

RATE_HZ = 48_000
HEADLESS = ["pd", "-nogui", "-noprefs", "-noaudio", "-nomidi", "-stderr"]
PATIENCE_S = 10.0


def free_port() -> int:
    """Return a UDP port that nobody uses at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Client:
    """ditto.pd at work, seen from the daemon's side; `log` is what Pure Data prints."""

    peer: socket.socket
    port: int
    log: Path

    def receive(self, until: str) -> list[tuple[str, list[object]]]:
        """Return the messages that come, up to the first with the address `until`."""
        found: list[tuple[str, list[object]]] = []
        while not found or found[-1][0] != until:
            message = OscMessage(self.peer.recv(65_535))
            found.append((message.address, message.params))
        return found

    def send(self, address: str, *values: int | float | str) -> None:
        """Send a reply to the port that the patch registered."""
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        self.peer.sendto(builder.build().dgram, ("127.0.0.1", self.port))

    def wait_for(self, text: str) -> str:
        """Return all that was printed once `text` is in it; raise TimeoutError after a while."""
        end = time.monotonic() + PATIENCE_S
        while text not in (printed := self.log.read_text("utf-8", errors="replace")):
            if time.monotonic() > end:
                raise TimeoutError(f"{text!r} is not in what pd printed: {printed}")
            time.sleep(0.02)
        return printed


@contextmanager
def client(folder: Path, commands: str, rate_hz: int = RATE_HZ) -> Iterator[Client]:
    """Run ditto.pd with messages to its names, such as "ditto-slot 3; ditto-render bang"."""
    log, port = folder / "pd.log", free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer, log.open("wb") as sink:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(PATIENCE_S)
        there = f"ditto-listen {port}; ditto-connect 127.0.0.1 {peer.getsockname()[1]}"
        command = [*HEADLESS, "-r", str(rate_hz), "-open", str(FOLDER / "ditto.pd")]
        process = subprocess.Popen(
            [*command, "-send", f"pd dsp 1; {there}; {commands}"],
            stderr=sink,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        try:
            yield Client(peer, port, log)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


PLAYER = """#N canvas 0 0 400 400 12;
#X declare -path {folder};
#X obj 20 20 loadbang;
#X msg 20 50 \\; pd dsp 1;
#X obj 20 80 {folder}/ditto_loop;
#X obj 20 110 tabwrite~ recording;
#X obj 200 110 table recording {samples};
#X obj 20 140 print news;
#X obj 200 140 delay {length_ms};
#X msg 200 170 write -wave -bytes 4 {recording} recording \\; pd quit;
#X obj 200 200 soundfiler;
#X obj 200 230 t b b;
{loads}
#X connect 0 0 9 0;
#X connect 9 0 1 0;
#X connect 9 0 6 0;
#X connect 9 1 3 0;
#X connect 2 0 3 0;
#X connect 2 1 5 0;
#X connect 6 0 7 0;
#X connect 7 0 8 0;
{cords}
"""


def play(folder: Path, seconds: float, loads: list[tuple[float, Path]]) -> tuple[Path, str]:
    """Render ditto_loop.pd faster than time; load each file at its second.

    Returns the recording, 32-bit float, and what was printed.
    """
    rows, cords = [], []
    for n, (at_s, path) in enumerate(loads):
        rows += [f"#X obj 20 {300 + 40 * n} delay {1000 * at_s};"]
        rows += [f"#X msg 20 {320 + 40 * n} load {path};"]
        first = 10 + 2 * n
        cords += [f"#X connect 9 0 {first} 0;", f"#X connect {first} 0 {first + 1} 0;"]
        cords += [f"#X connect {first + 1} 0 2 0;"]
    recording = folder / "recording.wav"
    patch = folder / "player.pd"
    patch.write_text(
        PLAYER.format(
            folder=FOLDER,
            samples=int(seconds * RATE_HZ),
            length_ms=1000 * seconds + 100,
            recording=recording,
            loads="\n".join(rows),
            cords="\n".join(cords),
        )
    )
    command = ["pd", "-batch", "-nogui", "-noprefs", "-noaudio", "-stderr", "-r", str(RATE_HZ)]
    result = subprocess.run(
        [*command, "-open", str(patch)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return recording, result.stderr
