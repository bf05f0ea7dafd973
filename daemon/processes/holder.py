"""Why a port cannot be bound, and who holds it: read from /proc, where there is one."""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from daemon.errors import PortTaken

PROC = Path("/proc")


def refused(
    kind: Literal["udp", "tcp"], section: str, host: str, port: int, error: OSError
) -> PortTaken:
    """Return the exception for a failed bind of [section] host and port."""
    place = f"{section}.host {host}, {section}.port {port} ({kind.upper()})"
    if error.errno != errno.EADDRINUSE:
        return PortTaken(f"{place} cannot be used: {error.strerror or error}")
    return PortTaken(
        f"{place} is held by {holder(kind, port)}; stop that, or choose another {section}.port"
    )


def holder(kind: Literal["udp", "tcp"], port: int, proc: Path = PROC) -> str:
    """Return 'process 1234 (python -m daemon serve)', or 'another process' where it is unknown."""
    inodes = _inodes(kind, port, proc)
    for process in proc.glob("[0-9]*") if inodes else ():
        if _has_socket(process, inodes):
            return f"process {process.name} ({_command(process)})"
    return "another process"


def _inodes(kind: str, port: int, proc: Path) -> set[str]:
    found: set[str] = set()
    for table in (proc / "net" / kind, proc / "net" / f"{kind}6"):
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        # Columns: number, local address as HEX:PORT, remote, state, ..., inode at 9. A TCP socket
        # holds the port while it listens (state 0A); the others are its connections.
        rows = (line.split() for line in lines)
        found.update(
            row[9]
            for row in rows
            if int(row[1].rpartition(":")[2], 16) == port and (kind == "udp" or row[3] == "0A")
        )
    return found


def _has_socket(process: Path, inodes: set[str]) -> bool:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return any(target in wanted for target in open_files(process))


def open_files(process: Path) -> Iterator[str]:
    """Yield what the open files of `process` (its folder under /proc) point at.

    Nothing of a process that has ended or belongs to another user; files that it closes meanwhile
    are left out.
    """
    try:
        links = list((process / "fd").iterdir())
    except OSError:
        return
    for link in links:
        with suppress(OSError):
            yield os.readlink(link)


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "its command is unknown"
    return b" ".join(words).decode(errors="replace").strip()[:120]
