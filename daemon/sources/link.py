"""Ableton Link through aalink (GPL; [link] extra), which is loaded where Link is asked for.

Link's threads are its own. We register no callback and only read, from the event loop. The
session's tempo is never set but by wish_tempo. Source: Link documentation, "Link Concepts"
(ableton.github.io/link): peers share the tempo, and the beat to within a multiple of the quantum.
"""

import time

from daemon.errors import Refusal
from daemon.sources.reading import Reading

QUANTUM_BEATS = 4.0
# A peer that is enabled as soon as it is made may impose its tempo on the session
# (github.com/artfwo/aalink/issues/7).
SETTLE_NS = 500_000_000
# Link keeps whole microseconds a beat: at 300 bpm that is half of it.
BPM_ERROR = 1e-3
ALONE = "no Link peer is there; the session goes on by itself"


class LinkSource:
    """A peer of the Link session in this network."""

    def __init__(self, bpm: float, start_stop: bool) -> None:
        """Make a peer that joins in half a second. Raises Refusal where aalink is missing.

        bpm: of a session without others. start_stop: whether starts and stops are shared.
        """
        try:
            from aalink import Link
        except ImportError as error:
            text = "Ableton Link needs the package aalink"
            raise Refusal("no_source", f"{text}; allowed: pip install 'ditto-rt[link]'") from error
        self._link = Link(bpm)
        self._link.quantum = QUANTUM_BEATS
        self._link.start_stop_sync_enabled = start_stop
        self._start_stop = start_stop
        self._join_ns = time.monotonic_ns() + SETTLE_NS

    def read(self, now_ns: int) -> Reading:
        """Return where the session is now; join it once that may be done."""
        if not self._link.enabled:
            if now_ns < self._join_ns:
                return Reading(False, now_ns, "Link is about to join")
            self._link.enabled = True
        now_ns, beat = time.monotonic_ns(), float(self._link.beat)
        peers = int(self._link.num_peers)
        return Reading(
            True,
            now_ns,
            "" if peers else ALONE,
            beat,
            float(self._link.tempo),
            BPM_ERROR,
            bool(self._link.playing) if self._start_stop else None,
            QUANTUM_BEATS,
            peers,
        )

    def wish_tempo(self, bpm: float) -> None:
        """Set the tempo of the session, for all peers."""
        self._link.tempo = bpm

    def wish_running(self, running: bool) -> None:
        """Start or stop all peers that share it, where this one does."""
        if self._start_stop:
            self._link.playing = running

    def close(self) -> None:
        """Leave the session."""
        self._link.enabled = False
