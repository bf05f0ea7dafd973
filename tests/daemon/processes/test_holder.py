"""Who holds a port."""

import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from daemon.processes.holder import PROC, holder, open_files, refused

needs_proc = pytest.mark.skipif(not (PROC / "net" / "udp").exists(), reason="no /proc/net here")


@needs_proc
def test_a_udp_port_of_this_process() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.bind(("127.0.0.1", 0))
        found = holder("udp", mine.getsockname()[1])
    assert found.startswith(f"process {os.getpid()} (")
    assert "python" in found


@needs_proc
def test_a_tcp_port_that_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mine:
        assert f"process {os.getpid()} " in holder("tcp", mine.getsockname()[1])


def test_where_nothing_can_be_found(tmp_path: Path) -> None:
    assert holder("udp", 7770, tmp_path) == "another process"


def test_a_process_that_opens_and_closes_files_meanwhile_is_found() -> None:
    """Its folder lists files that are gone when they are looked at."""
    churning = True

    def churn() -> None:
        while churning:
            for file in [open(os.devnull) for _ in range(20)]:  # noqa: SIM115
                file.close()

    thread = threading.Thread(target=churn)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        mine.bind(("127.0.0.1", 0))
        thread.start()
        try:
            found = {holder("udp", mine.getsockname()[1]).split(" (")[0] for _ in range(50)}
        finally:
            churning = False
            thread.join()
    assert found == {f"process {os.getpid()}"}


def test_no_files_of_a_process_that_has_ended(tmp_path: Path) -> None:
    assert list(open_files(tmp_path / "1234")) == []


def test_the_sentence_names_port_and_key() -> None:
    taken = str(refused("udp", "osc", "127.0.0.1", 7770, OSError(errno.EADDRINUSE, "in use")))
    assert "osc.port 7770 (UDP) is held by " in taken
    other = str(refused("udp", "osc", "10.9.9.9", 80, OSError(errno.EACCES, "Permission denied")))
    assert other == "osc.host 10.9.9.9, osc.port 80 (UDP) cannot be used: Permission denied"
