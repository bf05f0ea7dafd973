"""The whole daemon with the built-in model: real processes, real sockets, real takes."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from daemon.bench.process import (
    Daemon,
    Peer,
    command,
    environment,
    free_port,
    running,
    write_config,
)
from tests.source_tree import ROOT


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running(tmp_path_factory.mktemp("daemon")) as started:
        started.wait_ready()
        yield started


def final_take(peer: Peer) -> list[Any]:
    """Return the values of a render's last /ditto/take."""
    replies = peer.until("/ditto/done", "/ditto/fail")
    assert replies[-1][0] == "/ditto/done", replies
    return [values for address, values in replies if address == "/ditto/take"][-1]


def test_the_status_is_answered_while_the_model_loads(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        # `ditto-rt bench live --only start` says how long after the start this is.
        assert daemon.peer().ask("/ditto/status")[1][:2] == ["loading", ""]
        daemon.wait_ready()


def test_the_control_process_loads_no_torch(daemon: Daemon) -> None:
    mapped = Path(f"/proc/{daemon.process.pid}/maps").read_text()
    assert "python" in mapped and "torch" not in mapped
    assert "torch" in Path(f"/proc/{daemon.engine_pid()}/maps").read_text()


def test_the_engine_gives_way_with_all_its_threads_once_it_works(tmp_path: Path) -> None:
    with running(tmp_path, '[engine]\ndevice = "cpu"\nthreads = 2\nniceness = 6\n') as daemon:
        daemon.wait_ready()
        peer = daemon.peer()
        peer.send("/ditto/render", 0)
        assert peer.until("/ditto/done", "/ditto/fail")[-1][0] == "/ditto/done"
        tasks = list(Path(f"/proc/{daemon.engine_pid()}/task").iterdir())
        assert len(tasks) > 2
        assert {os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in tasks} == {6}


def test_a_render_gives_a_take_of_the_asked_length(daemon: Daemon) -> None:
    peer = daemon.peer()
    peer.ask("/ditto/slot/tags", 0, "dark techno")
    assert peer.ask("/ditto/slot/tempo", 0, 127.0, 4.0)[0] == "/ditto/done"
    peer.ask("/ditto/slot/intensity", 0, 0.0, -30.0, 4.0, -12.0)
    peer.send("/ditto/render", 0, 77)
    replies = peer.until("/ditto/done", "/ditto/fail")
    addresses = [address for address, _ in replies]
    assert addresses[0] == "/ditto/queued" and addresses[-2:] == ["/ditto/take", "/ditto/done"]
    assert "/ditto/progress" in addresses
    slot, version, path, frames, rate_hz, loss, final, error_db, melody, form, reqid = replies[-2][
        1
    ]
    assert (slot, rate_hz, final, melody, form, reqid) == (0, 48_000, 1, -1.0, -1.0, 77)
    # The first version was heard before there was a loss, and is measured all the same.
    first = next(values for address, values in replies if address == "/ditto/take")
    assert (first[1], first[5], first[6]) == (1, -1.0, 0) and first[7] > 0 and version > 1
    assert frames == round(4 * 60 / 127 * 48_000)
    assert loss > 0
    info = soundfile.info(path)
    assert (info.frames, info.samplerate, info.subtype) == (frames, 48_000, "FLOAT")
    assert replies[-1][1] == ["/ditto/render", 77, 0, version]
    assert error_db > 0 and [p.name for p in Path(path).parent.glob("slot00*.wav")] == [
        Path(path).name
    ], "versions before the last one do not wear out the disk"
    held = json.loads(Path(path).with_suffix(".json").read_text())
    assert held["frames"] == frames and held["asked"]["genre"] == "techno"


def test_a_take_over_http_is_the_file(daemon: Daemon) -> None:
    peer = daemon.peer()
    peer.ask("/ditto/slot/tempo", 1, 120.0, 2.0)
    peer.send("/ditto/render", 1)
    path = Path(final_take(peer)[2])
    with urllib.request.urlopen(daemon.url(f"takes/{path.name}"), timeout=5) as answer:
        assert answer.headers["Content-Type"] == "audio/wav"
        assert answer.read() == path.read_bytes()
    status = daemon.status()
    assert status["pid"] == daemon.process.pid and status["model"] == "builtin"
    (take,) = [take for take in status["takes"] if take["file"] == path.name]
    assert take["seam"]["ratio"] is not None
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(daemon.url("takes/slot01_v9999.wav"), timeout=5)


def test_the_same_seed_gives_the_same_take(daemon: Daemon) -> None:
    peer = daemon.peer()
    peer.ask("/ditto/slot/tempo", 2, 120.0, 2.0)
    takes = []
    for seed in (5, 5, 6):
        peer.ask("/ditto/slot/seed", 2, seed)
        peer.send("/ditto/render", 2)
        takes.append(soundfile.read(final_take(peer)[2])[0])
    assert np.array_equal(takes[0], takes[1])
    assert not np.array_equal(takes[0], takes[2])


def test_a_take_can_be_the_source_of_the_next(daemon: Daemon) -> None:
    peer = daemon.peer()
    peer.ask("/ditto/slot/tempo", 3, 120.0, 2.0)
    peer.send("/ditto/render", 3)
    path = final_take(peer)[2]
    assert peer.ask("/ditto/slot/region", 4, path, 0.0, 1.0, "outpaint")[0] == "/ditto/done"
    peer.ask("/ditto/slot/tempo", 4, 120.0, 2.0)
    peer.send("/ditto/render", 4)
    assert peer.until("/ditto/done", "/ditto/fail")[-1][0] == "/ditto/done"


def test_a_newer_render_replaces_an_older_one(daemon: Daemon) -> None:
    peer = daemon.peer()
    peer.ask("/ditto/slot/tempo", 5, 120.0, 4.0)
    peer.ask("/ditto/slot/loop", 5, 0.25)
    peer.ask("/ditto/slot/quality", 5, 8, 400)
    peer.send("/ditto/render", 5, 1)
    peer.until("/ditto/progress")
    peer.ask("/ditto/slot/quality", 5, 2, 0)
    peer.send("/ditto/render", 5, 2)
    replies = peer.until("/ditto/done")
    (failed,) = [values for address, values in replies if address == "/ditto/fail"]
    assert failed[:3] == ["/ditto/render", 1, "replaced"]
    assert replies[-1][1][:3] == ["/ditto/render", 2, 5]


def test_a_cancelled_render_ends_and_sync_notices(daemon: Daemon) -> None:
    peer = daemon.peer()
    peer.ask("/ditto/slot/tempo", 6, 120.0, 4.0)
    peer.ask("/ditto/slot/loop", 6, 0.25)
    peer.ask("/ditto/slot/quality", 6, 8, 400)
    peer.send("/ditto/render", 6, 8)
    peer.until("/ditto/progress")
    peer.send("/ditto/sync", 3)
    peer.send("/ditto/cancel", 6)
    replies = peer.until("/ditto/synced")
    failures = [values[:3] for address, values in replies if address == "/ditto/fail"]
    assert failures == [["/ditto/render", 8, "cancelled"]]


def test_a_job_that_the_files_do_not_allow_fails_with_a_sentence(daemon: Daemon) -> None:
    peer = daemon.peer()
    path = daemon.folder / "soon gone.wav"
    soundfile.write(path, np.zeros(48_000, np.float32), 24_000)
    assert peer.ask("/ditto/slot/region", 7, str(path), 0.0, 1.0, "outpaint")[0] == "/ditto/done"
    path.unlink()
    peer.send("/ditto/render", 7)
    failed = peer.until("/ditto/done", "/ditto/fail")[-1]
    assert failed[1][2] == "bad_file" and "soon gone.wav" in failed[1][3]


def killed(daemon: Daemon, peer: Peer) -> int:
    """Kill the engine in the middle of a job; return the process that it was."""
    peer.until("/ditto/progress")
    pid = daemon.engine_pid()
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_job_survives_one_killed_engine_and_not_two(daemon: Daemon) -> None:
    peer = daemon.peer()
    peer.ask("/ditto/slot/tempo", 8, 120.0, 4.0)
    peer.ask("/ditto/slot/loop", 8, 0.25)
    peer.ask("/ditto/slot/quality", 8, 8, 400)
    peer.send("/ditto/render", 8, 4)
    first = killed(daemon, peer)
    second = killed(daemon, peer)
    failed = peer.until("/ditto/fail", "/ditto/done", limit_s=5)[-1]
    assert failed[0] == "/ditto/fail" and failed[1][:3] == ["/ditto/render", 4, "engine_died"]
    peer.ask("/ditto/slot/quality", 8, 2, 0)
    peer.send("/ditto/render", 8, 5)
    assert peer.until("/ditto/done", "/ditto/fail")[-1][1][:2] == ["/ditto/render", 5]
    assert daemon.engine_pid() not in (first, second)
    assert [p for p in (daemon.folder / "takes").iterdir() if p.suffix == ".part"] == []
    assert "it is tried once more" in daemon.output()


def test_a_second_daemon_names_the_first_and_ends(daemon: Daemon, tmp_path: Path) -> None:
    second = write_config(tmp_path, daemon.osc_port, free_port())
    result = subprocess.run(
        command(second), capture_output=True, text=True, timeout=30, cwd=ROOT, env=environment()
    )
    assert result.returncode == 1
    assert f"osc.port {daemon.osc_port} (UDP) is held by process {daemon.process.pid}" in (
        result.stderr
    )
    third = write_config(tmp_path, free_port(), daemon.http_port)
    result = subprocess.run(
        command(third), capture_output=True, text=True, timeout=30, cwd=ROOT, env=environment()
    )
    assert result.returncode == 1 and f"http.port {daemon.http_port} (TCP)" in result.stderr


def test_a_wrong_configuration_ends_the_start(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[osc]\nport = 0\n")
    result = subprocess.run(
        command(path), capture_output=True, text=True, timeout=30, cwd=ROOT, env=environment()
    )
    assert result.returncode == 1
    assert "osc.port is 0; allowed: 1 to 65535" in result.stderr


def test_start_says_where_it_listens_and_what_to_try(daemon: Daemon) -> None:
    output = daemon.output()
    assert f"127.0.0.1:{daemon.osc_port}" in output
    assert f"http://127.0.0.1:{daemon.http_port}/" in output
    assert f"try: ditto-rt send --port {daemon.osc_port} /ditto/render 0" in output


def test_send_prints_replies_and_tells_failure_by_its_code(daemon: Daemon) -> None:
    def send(*words: str) -> tuple[int, str]:
        result = subprocess.run(
            [sys.executable, "-m", "daemon", "send", "--port", str(daemon.osc_port), *words],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            env=environment(),
        )
        return result.returncode, result.stdout.strip()

    assert send("/ditto/ping", "1", "2.5", "x", "-3") == (0, "/ditto/pong 1 2.5 x -3")
    assert send("/ditto/slot/intensity", "9", "0", "-30", "4", "-12") == (
        0,
        "/ditto/done /ditto/slot/intensity -1 9 2",
    )
    code, text = send("/ditto/render", "99")
    assert code == 1 and "slot is 99; allowed: 0 to 15" in text


def test_send_gives_up_after_silence() -> None:
    started_s = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "daemon", "send", "--port", str(free_port()), "--wait", "0.5", "/x"],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        env=environment(),
    )
    assert result.returncode == 2 and "no answer" in result.stderr
    assert time.monotonic() - started_s < 10


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "/ditto/quit"])
def test_the_end_takes_three_seconds_and_leaves_nothing_half_done(tmp_path: Path, how: str) -> None:
    with running(tmp_path) as daemon:
        daemon.wait_ready()
        peer = daemon.peer()
        peer.ask("/ditto/slot/loop", 0, 0.25)
        peer.ask("/ditto/slot/quality", 0, 8, 400)
        peer.send("/ditto/render", 0, 4)
        peer.until("/ditto/progress")
        engine = daemon.engine_pid()
        started_s = time.monotonic()
        if how == "/ditto/quit":
            assert peer.ask("/ditto/quit", 9) == ("/ditto/done", ["/ditto/quit", 9])
        else:
            daemon.process.send_signal(signal.Signals[how])
        assert daemon.process.wait(5) == 0
        assert time.monotonic() - started_s < 3.0
        assert peer.until("/ditto/fail", limit_s=1)[-1][1][:3] == ["/ditto/render", 4, "stopping"]
        assert not Path(f"/proc/{engine}").exists()
        assert list((tmp_path / "takes").iterdir()) == []


def test_a_daemon_that_is_killed_takes_its_engine_with_it(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        daemon.wait_ready()
        engine = daemon.engine_pid()
        daemon.process.kill()
        daemon.process.wait()
        until_s = time.monotonic() + 5
        while Path(f"/proc/{engine}").exists() and time.monotonic() < until_s:
            time.sleep(0.05)
        assert not Path(f"/proc/{engine}").exists()
