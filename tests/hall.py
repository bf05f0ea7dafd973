"""Names that tests know from before they moved to daemon.bench.hall."""

from daemon.bench.hall import AUDIO, CROSS, FADE, Hall, launch_of, looped, open_hall, write_take

__all__ = ["AUDIO", "CROSS", "FADE", "Hall", "launch_of", "looped", "open_hall", "write_take"]
