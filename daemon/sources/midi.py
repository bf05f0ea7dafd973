"""MIDI clock from a port: rtmidi's thread only stamps messages, the event loop reads them.

mido and python-rtmidi ([midi] extra) are loaded where a port is opened.
"""

import time
from collections import deque
from typing import Any

from daemon.errors import Refusal
from daemon.sources.reading import Reading
from daemon.sources.song import Song

VIRTUAL = "ditto-rt"
# Over a minute of clock at 120 bpm; the event loop reads ten times a second.
WAITING = 4096
KINDS = frozenset({"clock", "start", "stop", "continue", "songpos"})


class MidiSource:
    """A port whose clock is followed."""

    def __init__(self, port: str, api: str) -> None:
        """Open the first port whose name contains `port`; '': one of our own, others connect to it.

        api: one of rtmidi's, '' for the system's first. Raises Refusal.
        """
        self._song = Song()
        self._came: deque[tuple[int, str, int]] = deque(maxlen=WAITING)
        self._port, self.name = _open(port, api)
        self._port.callback = self._take

    def _take(self, message: Any) -> None:
        # In rtmidi's thread: nothing but a stamp, and a deque whose append is atomic.
        if message.type in KINDS:
            self._came.append((time.monotonic_ns(), message.type, getattr(message, "pos", 0)))

    def read(self, now_ns: int) -> Reading:
        """Return where the master is now."""
        while self._came:
            at_ns, kind, position = self._came.popleft()
            self._song = self._song.with_message(kind, at_ns / 1e9, position)
        return self._song.reading(now_ns, repr(self.name))

    def wish_tempo(self, bpm: float) -> None:
        """Refuse: the master has the tempo."""
        text = f"the transport follows the clock of MIDI port {self.name!r}, which has the tempo"
        raise Refusal("bad_value", f"{text}; allowed: /ditto/transport/source own, then a tempo")

    def wish_running(self, running: bool) -> None:
        """Do nothing: MIDI clock goes one way."""

    def close(self) -> None:
        """Give the port back."""
        self._port.close()


def _open(wanted: str, api: str) -> tuple[Any, str]:
    try:
        import mido
        import rtmidi
    except ImportError as error:
        text = f"MIDI clock needs the package {error.name}"
        raise Refusal("no_source", f"{text}; allowed: pip install 'ditto-rt[midi]'") from error
    name = ""
    try:
        backend = mido.Backend("mido.backends.rtmidi" + f"/{api}" * bool(api), load=True)
        if not wanted:
            return backend.open_input(VIRTUAL, client_name=VIRTUAL), VIRTUAL
        names = backend.get_input_names()
        name = next((each for each in names if wanted.casefold() in each.casefold()), "")
        if name:
            return backend.open_input(name), name
    except (OSError, ValueError, NotImplementedError, rtmidi.RtMidiError) as error:
        what = f"MIDI port {name or VIRTUAL!r} cannot be opened: {error}"
        raise Refusal("no_source", what) from error
    there = ", ".join(repr(each) for each in names) or "none"
    text = f"no MIDI port has {wanted!r} in its name; allowed: one that is there ({there})"
    raise Refusal("no_source", text)
