"""A sequencer's MIDI clock into JACK, in a process of its own: libjack leaves threads behind.

Usage: python -m tests.sequencer; orders on standard input, one a line: `connect`, `run`, `pause`,
`send HEX...`, `count`. Each is answered by a line: how many clocks were sent.
"""

import sys
import threading
import time
from typing import Any

CLOCK = 0xF8
BPM = 120.0


class Sequencer:
    """A clock as even as a thread of Python can send it."""

    def __init__(self) -> None:
        import rtmidi

        self._out: Any = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="sequencer")
        self._out.open_virtual_port("clock")
        self._lock, self.runs, self.sent = threading.Lock(), False, 0
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        due_s = time.monotonic()
        while True:
            due_s = max(due_s + 60 / BPM / 24, time.monotonic() - 0.1)
            time.sleep(max(0.0, due_s - time.monotonic()))
            if self.runs:
                self.send([CLOCK])
                self.sent += 1

    def send(self, data: list[int]) -> None:
        with self._lock:
            self._out.send_message(data)


def opened(limit_s: float = 15.0) -> Sequencer:
    """Return a sequencer, once the server is there."""
    until_s = time.monotonic() + limit_s
    while True:
        try:
            return Sequencer()
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.2)


def connect(limit_s: float = 30.0) -> None:
    """Wait for the daemon's port, and draw the cord."""
    import jack

    client, until_s = jack.Client("patchbay", no_start_server=True), time.monotonic() + limit_s
    while not (ins := client.get_ports("ditto-rt.*", is_midi=True, is_input=True)):
        if time.monotonic() > until_s:
            raise TimeoutError("the daemon opens no MIDI port")
        time.sleep(0.1)
    (out,) = client.get_ports("sequencer:.*", is_midi=True, is_output=True)
    client.connect(out, ins[0])


def main() -> None:
    """Carry out orders until standard input closes."""
    sequencer = opened()
    for line in sys.stdin:
        match line.split():
            case ["connect"]:
                connect()
            case ["run"]:
                sequencer.runs = True
            case ["pause"]:
                sequencer.runs = False
            case ["send", *data]:
                sequencer.send([int(each, 16) for each in data])
        sys.stdout.write(f"{sequencer.sent}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
