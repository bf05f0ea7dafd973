"""The folder of sounds in shared memory: nothing leaks, whatever ends a daemon."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from daemon.takes import shelf as module
from daemon.takes.collection import TakeFolder
from daemon.takes.shelf import MEMORY, PREFIX, Shelf, place
from tests.source_tree import ROOT


def test_it_goes_when_it_is_closed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.path("slot00_v0001.wav").write_bytes(b"RIFF")
    assert shelf.folder.parent == tmp_path and shelf.folder.stat().st_mode & 0o077 == 0
    shelf.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_daemon_left_is_removed_and_what_another_uses_is_not(tmp_path: Path) -> None:
    script = f"""
        import sys, time
        from pathlib import Path
        from daemon.takes.shelf import Shelf
        shelf = Shelf(Path({str(tmp_path)!r}))
        print(shelf.folder, flush=True)
        time.sleep(60)
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert other.stdout is not None
    theirs = Path(other.stdout.readline().strip())
    (tmp_path / f"{PREFIX}of somebody").mkdir()
    mine = Shelf(tmp_path)
    assert theirs.is_dir()
    other.send_signal(signal.SIGKILL)
    other.wait()
    other.stdout.close()
    again = Shelf(tmp_path)
    assert not theirs.exists() and mine.folder.is_dir() and again.folder.is_dir()
    # Not one of ours, or not yet: it has no lock.
    assert (tmp_path / f"{PREFIX}of somebody").is_dir()
    mine.close()
    again.close()


def test_only_what_is_needed_stays(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for name in ("slot00_v0001.wav", "slot00_v0002.wav", "slot01_v0001.wav", ".x.wav.part"):
        shelf.path(name).write_bytes(b"RIFF")
    shelf.keep_only("slot00_", {"slot00_v0002.wav"})
    shelf.clean()
    names = sorted(path.name for path in shelf.folder.iterdir())
    assert names == ["lock", "slot00_v0002.wav", "slot01_v0001.wav"]


def test_a_take_of_an_earlier_run_outlives_its_file(tmp_path: Path) -> None:
    (tmp_path / "takes").mkdir()
    shelf = Shelf(tmp_path)
    takes = TakeFolder(tmp_path / "takes", 4, shelf)
    file = takes.path(3, 7)
    file.write_bytes(b"RIFF")
    assert takes.sound(3, 7) == file
    shelf.take_in(file)
    file.unlink()
    copy = takes.sound(3, 7)
    assert copy.read_bytes() == b"RIFF" and copy.parent == shelf.folder
    # And the other way: what was on the shelf is saved, and let go of there.
    file.write_bytes(b"RIFF")
    copy.unlink()
    assert takes.where(copy) == file
    shelf.take_in(takes.path(3, 8))
    assert not shelf.path("slot03_v0008.wav").exists()


def test_a_small_shared_memory_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY", Path("/nowhere"))
    assert place() == Path(module.tempfile.gettempdir())
    monkeypatch.setattr(module, "MEMORY", MEMORY)
    monkeypatch.setattr(module, "LEAST_BYTES", 2**80)
    assert place() == Path(module.tempfile.gettempdir())
