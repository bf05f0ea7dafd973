"""Names that tests know from before they moved to daemon.bench.process."""

from daemon.bench.process import QUALITY, Daemon, Peer, command, environment, free_port, running

__all__ = ["QUALITY", "Daemon", "Peer", "command", "environment", "free_port", "running"]
