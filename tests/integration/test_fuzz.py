"""Damaged datagrams against the running daemon; benchmarks.fuzz_daemon sends many more."""

from pathlib import Path

from benchmarks.fuzz_daemon import attack, good_ones_are_answered
from daemon.bench.process import running


def test_two_thousand_damaged_datagrams(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        daemon.wait_ready()
        engine = daemon.engine_pid()
        outcome = attack(daemon, 2000, seed=11)
        assert outcome.worst_ms < 2000
        assert outcome.replies > 500
        assert outcome.after_kib < 1.1 * outcome.before_kib
        good_ones_are_answered(daemon)
        assert daemon.engine_pid() == engine
        assert daemon.process.poll() is None
        assert "Traceback" not in daemon.output()
