"""A real daemon in a process of its own, and a real client of it made with python-osc."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

ROOT = Path(__file__).resolve().parent.parent.parent

Reply = tuple[str, list[Any]]

AUDIO = "/ditto/audio.reply"

# SO_TIMESTAMPNS, for which Python has no name: Linux says when a datagram came in.
_STAMPED = 35
_STAMP = struct.Struct("qq")

# What a measurement asks of the built-in model is small: short takes, few steps.
QUALITY = "[render]\nsteps = 3\nsearch_steps = 2\niterations = 1\n"


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """Return a port that nobody holds now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Peer:
    """One OSC client with one socket."""

    def __init__(self, port: int) -> None:
        """Talk to the daemon at `port`; `inbox` is where it listens."""
        self._target = ("127.0.0.1", port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        self.socket.bind(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        if sys.platform == "linux":
            self.socket.setsockopt(socket.SOL_SOCKET, _STAMPED, 1)
        # When the last reply came in, by the system's clock of the day.
        self.arrived_ns = 0

    def send(self, address: str, *values: Any) -> None:
        """Send a message; types as python-osc chooses them."""
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        self.socket.sendto(builder.build().dgram, self._target)

    def raw(self, datagram: bytes) -> None:
        """Send bytes."""
        self.socket.sendto(datagram, self._target)

    def receive(self, limit_s: float) -> Reply | None:
        """Return the next reply, None where none comes in time."""
        self.socket.settimeout(max(0.001, limit_s))
        try:
            message = OscMessage(self._datagram())
        except TimeoutError:
            return None
        return message.address, list(message.params)

    def _datagram(self) -> bytes:
        if sys.platform != "linux":
            datagram = self.socket.recv(65_536)
            self.arrived_ns = time.time_ns()
            return datagram
        datagram, stamps, _, _ = self.socket.recvmsg(65_536, socket.CMSG_SPACE(_STAMP.size))
        ((_, _, stamp),) = stamps
        seconds, rest_ns = _STAMP.unpack(stamp)
        self.arrived_ns = 1_000_000_000 * seconds + rest_ns
        return datagram

    def drain(self) -> int:
        """Throw away what has come in; return how many replies."""
        count = 0
        while self.receive(0.05):
            count += 1
        return count

    def until(self, *addresses: str, limit_s: float = 120.0) -> list[Reply]:
        """Return all replies up to the first with one of the addresses."""
        found: list[Reply] = []
        until_s = time.monotonic() + limit_s
        while time.monotonic() < until_s:
            reply = self.receive(until_s - time.monotonic())
            if reply:
                found.append(reply)
                if reply[0] in addresses:
                    return found
        raise TimeoutError(f"none of {addresses} within {limit_s} s; got {found}")

    def ask(self, address: str, *values: Any, limit_s: float = 120.0) -> Reply:
        """Send a command and return the reply that ends it."""
        self.send(address, *values)
        ends = ("/ditto/done", "/ditto/fail", "/ditto/pong", "/ditto/synced")
        answers = ("/ditto/status.reply", "/ditto/version.reply", "/ditto/slot/get.reply", AUDIO)
        return self.until(*ends, *answers, limit_s=limit_s)[-1]

    def timed(self, address: str, *values: Any) -> tuple[Reply, float]:
        """Send a command; return the reply and the milliseconds until it came in.

        On Linux that is without what this process waits for a core to look at it.
        """
        began_ns = time.time_ns()
        reply = self.ask(address, *values)
        return reply, (self.arrived_ns - began_ns) / 1e6

    def close(self) -> None:
        """Give the port back."""
        self.socket.close()


@dataclass
class Daemon:
    """A daemon that runs."""

    process: subprocess.Popen[str]
    osc_port: int
    http_port: int
    folder: Path
    started_s: float
    peers: list[Peer] = field(default_factory=list)

    def peer(self) -> Peer:
        """Return a new client."""
        self.peers.append(Peer(self.osc_port))
        return self.peers[-1]

    def wait_ready(self, limit_s: float = 120.0) -> None:
        """Wait until the model is loaded."""
        peer = self.peer()
        until_s = time.monotonic() + limit_s
        while (reply := peer.ask("/ditto/status"))[1][0] != "ready":
            assert time.monotonic() < until_s, reply
            time.sleep(0.1)

    def child(self, module: str, number: int = 0) -> int:
        """Return the process that runs a module for this daemon, found from outside.

        number: of those that run it, the oldest is 0; the one in reserve is younger.
        """
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if module in child.cmdline():
                    found.append((child.create_time(), int(child.pid)))
        if number >= len(found):
            raise LookupError(f"no process runs {module}")
        return sorted(found)[number][1]

    def engine_pid(self) -> int:
        """Return the process id of the engine."""
        return self.child("daemon.engine")

    def status(self) -> dict[str, Any]:
        """Return /status.json."""
        with urllib.request.urlopen(self.url("status.json"), timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def url(self, path: str) -> str:
        """Return an address below the daemon's HTTP port."""
        return f"http://127.0.0.1:{self.http_port}/{path}"

    def output(self) -> str:
        """Return all that the daemon printed and logged so far."""
        return (self.folder / "output").read_text("utf-8", errors="replace")


def command(config: Path) -> list[str]:
    """Return how to start a daemon."""
    return [sys.executable, "-m", "daemon", "serve", "--config", str(config)]


def inherited() -> dict[str, str]:
    """Return this process's environment, in which another one finds this package."""
    there = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *([there] if there else [])])}


def environment() -> dict[str, str]:
    """Return an environment in which a daemon takes one core."""
    return {**inherited(), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


def write_config(folder: Path, osc_port: int, http_port: int, more: str = QUALITY) -> Path:
    """Write a config.toml for ports and folders of its own."""
    path = folder / "config.toml"
    osc = f"[osc]\nport = {osc_port}\n"
    if "[osc]\n" in more:
        osc, more = "", more.replace("[osc]\n", osc)
    path.write_text(
        f"{osc}[http]\nport = {http_port}\n"
        f'[paths]\nroots = ["{folder}"]\ntakes_folder = "{folder / "takes"}"\n'
        # Tests wait for the engine beside each other: it gives way to nobody.
        + ("" if "[engine]" in more else '[engine]\ndevice = "cpu"\nthreads = 1\nniceness = 0\n')
        # What is tested elsewhere is rendering, and neither remembering nor playing.
        + ("" if "[cache]" in more else "[cache]\nenabled = false\n")
        + ("" if "[scenes]" in more else f'[scenes]\nfolder = "{folder / "scenes"}"\n')
        + ("" if "[audio]" in more else '[audio]\noutput = "off"\n')
        + more
    )
    return path


@contextmanager
def running(folder: Path, more: str = QUALITY) -> Iterator[Daemon]:
    """Start a daemon, wait for its first answer, and end it whatever happens."""
    osc_port, http_port = free_port(), free_port(socket.SOCK_STREAM)
    config = write_config(folder, osc_port, http_port, more)
    with (folder / "output").open("w") as output:
        started_s = time.monotonic()
        process = subprocess.Popen(
            command(config), stdout=output, stderr=output, text=True, cwd=ROOT, env=environment()
        )
    daemon = Daemon(process, osc_port, http_port, folder, started_s)
    try:
        peer = daemon.peer()
        while True:
            peer.send("/ditto/status")
            if peer.receive(0.05):
                break
            assert process.poll() is None, daemon.output()
            assert time.monotonic() - started_s < 30, daemon.output()
        yield daemon
    finally:
        for each in daemon.peers:
            each.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
