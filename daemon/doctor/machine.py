"""What is installed and held on this machine, without loading torch into this process."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from daemon.config import Config, expand
from daemon.doctor.findings import Finding, of_disk
from daemon.processes.holder import holder

TORCH = (
    "import torch; print(torch.__version__, "
    "'cuda: ' + torch.cuda.get_device_name() if torch.cuda.is_available() else "
    "'metal' if torch.backends.mps.is_available() else 'CPU only')"
)
TORCH_S = 120
EXTRAS = (
    ("aalink", "link", "tempo and phase shared with Ableton Live and others over the network"),
    ("python-rtmidi", "midi", "MIDI clock"),
    ("torch-tensorrt", "tensorrt", "quicker renders on NVIDIA GPUs"),
)


def findings(config: Config) -> Iterator[Finding]:
    """Yield what can be seen without a daemon."""
    yield torch_build()
    takes = expand(config.paths.takes_folder)
    yield of_disk(shutil.disk_usage(existing(takes)).free, str(takes))
    cache = expand(config.cache.folder)
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    yield Finding("cache", "good", f"{size / 1e6:.1f} of {config.cache.most_mb} MB at {cache}")
    yield from extras()


def torch_build() -> Finding:
    """Return which torch is there, asked in a process of its own."""
    found = subprocess.run(
        [sys.executable, "-c", TORCH], capture_output=True, text=True, timeout=TORCH_S, check=False
    )
    if found.returncode:
        last = (found.stderr.strip().splitlines() or ["no reason given"])[-1]
        return Finding("torch", "bad", f"torch does not load: {last}", "install it again: make run")
    return Finding("torch", "good", f"torch {found.stdout.strip()}")


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def extras() -> Iterator[Finding]:
    """Yield which optional parts are there, and what the others would bring."""
    for package, extra, brings in EXTRAS:
        try:
            yield Finding(extra, "good", f"{package} {version(package)}: {brings}")
        except PackageNotFoundError:
            how = f"pip install 'ditto-rt[{extra}]' brings {brings}"
            yield Finding(extra, "note", f"{package} is not installed", how)


def ports(config: Config, runs: bool) -> Iterator[Finding]:
    """Yield whether both ports are free, and who holds them; runs: a ditto-rt answers there."""
    wanted = (
        ("udp", "osc", config.osc.host, config.osc.port),
        ("tcp", "http", config.http.host, config.http.port),
    )
    for kind, section, host, port in wanted:
        place = f"{section}.port {port} ({kind.upper()})"
        if is_free(kind, host, port):
            yield Finding("port", "good", f"{place} is free")
        elif runs:
            yield Finding("port", "good", f"{place} is held by {_holder(kind, port)}, a ditto-rt")
        else:
            text = f"{place} is held by {_holder(kind, port)}"
            yield Finding("port", "bad", text, f"stop that, or choose another {section}.port")


def is_free(kind: str, host: str, port: int) -> bool:
    """Return whether a port can be bound now."""
    stream = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, stream) as probe:
        if kind == "tcp":
            # As a server does: connections that have ended do not hold a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _holder(kind: str, port: int) -> str:
    return holder("tcp" if kind == "tcp" else "udp", port)
