"""python -m daemon.bench.ear SERVER: writes all that PortAudio plays into a JACK server.

A process of its own: libjack keeps one server in mind for as long as it is loaded, and crashes
whoever asks it for a second. Records go to standard output, each a kind and its payload:
BLOCK (frame of the first sample, the monotonic clock's ns when it came in, float32 samples), XRUN,
ANSWER (1 or 0). Orders come in as lines: "follow SECONDS" connects a player as soon as there is
one, "gone SECONDS" waits until there is none.
"""

import struct
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

BLOCK, XRUN, ANSWER = b"B", b"X", b"A"
OPEN_S = 15.0
PLAYERS = "PortAudio.*:out_0"


def main(server: str) -> int:
    """Listen until standard input closes; return the exit code."""
    records: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_write, args=(records,), daemon=True).start()
    client = _open(server)
    client.inports.register("in")

    @client.set_process_callback  # type: ignore[untyped-decorator]
    def _(_: int) -> None:
        at_ns = time.monotonic_ns()
        samples = client.inports[0].get_array().tobytes()
        records.put(BLOCK + struct.pack("<qq", client.last_frame_time, at_ns) + samples)

    @client.set_xrun_callback  # type: ignore[untyped-decorator]
    def _(_: float) -> None:
        records.put(XRUN)

    with client:
        records.put(ANSWER + struct.pack("<q", client.blocksize))
        for line in sys.stdin:
            order, limit_s = line.split()
            what = {"follow": _followed, "gone": _gone}[order]
            records.put(ANSWER + struct.pack("<q", _wait(what, client, float(limit_s))))
    return 0


def _open(server: str) -> Any:
    import jack

    # libjack prints each try; the server may need a second.
    jack.set_error_function(lambda _: None)
    until_s = time.monotonic() + OPEN_S
    while True:
        try:
            return jack.Client("capture", servername=server, no_start_server=True)
        except jack.JackOpenError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.1)


def _wait(what: Callable[[Any], bool], client: Any, limit_s: float) -> bool:
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        if what(client):
            return True
        time.sleep(0.005)
    return False


def _followed(client: Any) -> bool:
    outs = client.get_ports(PLAYERS, is_output=True)
    if outs:
        client.connect(outs[0], client.inports[0])
    return bool(outs)


def _gone(client: Any) -> bool:
    import jack

    try:
        return not client.get_ports(PLAYERS, is_output=True)
    except jack.JackError:
        # It went while its name was looked up.
        return True


def _write(records: "SimpleQueue[bytes]") -> None:
    while True:
        sys.stdout.buffer.write(records.get())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
