"""python -m daemon.audio EVENTS_FD DEVICE RATE_HZ BLOCK_FRAMES LOG_LEVEL: started by control."""

import gc
import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterable
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from daemon.audio.device import NoDevice, Output, find, open_stream
from daemon.audio.store import keep_compiled_code
from daemon.audio.wire import (
    Aim,
    Begin,
    Clock,
    Event,
    Gain,
    Hold,
    Keep,
    Load,
    Meter,
    Open,
    Opened,
    Order,
    Panic,
    Play,
    Silent,
    Stop,
    Times,
    Trouble,
    encode,
    read_order,
)
from daemon.niceness import set_niceness
from ditto_rt import heap

if TYPE_CHECKING:
    from daemon.audio.layout import Memory
    from daemon.audio.voices import Voices

REPORT_S, METER_S = 0.1, 1.0
WAITING_ORDERS = 4096
FAREWELL_S = 0.1
# Whoever is needed now is told so before Python is up.
NEEDED_S = 0.1
NICENESS = -11
NO_SLOT = -1

log = logging.getLogger(__name__)


def main(events_fd: int, device: str, rate_hz: int, block_frames: int) -> int:
    """Open the device once told to, play until standard input closes; return the exit code."""
    heap.settle()
    orders = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    # From here on nothing that a library prints or reads can reach the two pipes.
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    inbox: Queue[Order] = Queue(WAITING_ORDERS)
    threading.Thread(target=_read, args=(orders, inbox), name="orders", daemon=True).start()
    _wait(inbox)
    _hurry()
    with os.fdopen(events_fd, "wb", buffering=0) as events:
        try:
            return _serve(inbox, events, find(device), rate_hz, block_frames)
        except NoDevice as error:
            _emit(events, Silent(str(error)))
            return 1


def _wait(inbox: "Queue[Order]") -> None:
    """Return when the device is to be opened; one in reserve loads meanwhile what takes long.

    PortAudio is not loaded: it would be a client of JACK from then on, and know today's devices.
    """
    try:
        inbox.get(timeout=NEEDED_S)
    except Empty:
        _load_compiled()
        from daemon.audio.layout import COMMAND, allocate
        from daemon.audio.mixing import push

        # What is compiled is brought into memory by its first call.
        scratch = allocate(1000, 1, 1)
        push(scratch.state, scratch.ring, np.zeros(1, COMMAND))
        # Where the control process is gone instead, the reader ends this one.
        while not isinstance(inbox.get(), Open):
            pass


def _load_compiled() -> None:
    """Load numba and what it compiled; half a second, so not where there is no device."""
    keep_compiled_code()
    # numba takes scipy in where it is, for what is not used here: a third of the time to be back.
    sys.modules.setdefault("scipy", cast(Any, None))
    importlib.import_module("daemon.audio.callback")
    importlib.import_module("daemon.audio.voices")


def _hurry() -> None:
    """Come before other programs, where the system lets us."""
    try:
        set_niceness(NICENESS)
    except OSError:
        log.debug("the system gives no priority to playing")


def _read(lines: Iterable[bytes], inbox: "Queue[Order]") -> None:
    for line in lines:
        inbox.put(read_order(line))
    # The control process is gone. What still sounds fades out, and does not end in a click.
    inbox.put(Panic())
    time.sleep(FAREWELL_S)
    os._exit(0)


def _emit(events: BinaryIO, event: Event) -> None:
    line = memoryview(encode(event))
    while line:
        line = line[events.write(line) :]


def _serve(
    inbox: "Queue[Order]", events: BinaryIO, output: Output, rate_hz: int, block_frames: int
) -> int:
    _load_compiled()
    from daemon.audio.callback import fill
    from daemon.audio.layout import allocate
    from daemon.audio.voices import Voices

    memory = allocate(rate_hz, output.channels)
    addresses = memory.addresses()
    stream = open_stream(output, rate_hz, block_frames, fill.address, addresses)
    voices = Voices(memory)
    _emit(events, Opened(output.name, rate_hz, output.channels, float(stream.latency)))
    # What is there now stays; a collection would only stop this thread at a bad moment.
    gc.freeze()
    gc.disable()
    while not isinstance(order := inbox.get(), Begin):
        pass
    _start(stream, memory, order)
    try:
        return _work(inbox, events, stream, memory, voices)
    finally:
        # The callback must not run while Python takes the arrays away.
        stream.abort()


def _start(stream: Any, memory: "Memory", begin: Begin) -> None:
    memory.state["settling"] = 1
    memory.state["ref_frame"] = begin.frame
    memory.state["ref_ns"] = begin.at_ns + _ahead_ns(stream)
    stream.start()


def _ahead_ns(stream: Any) -> int:
    """Return how far the callback's clock is ahead of the system's monotonic one."""
    from daemon.audio.meter import HAS_CLOCK

    return 0 if HAS_CLOCK else round(stream.time * 1e9) - time.monotonic_ns()


def _work(
    inbox: "Queue[Order]", events: BinaryIO, stream: Any, memory: "Memory", voices: "Voices"
) -> int:
    due_s = meter_due_s = time.monotonic()
    while stream.active:
        try:
            _carry_out(_next(inbox, events, voices), events, voices)
        except Empty:
            pass
        except TimeoutError as error:
            log.error("%s", error)
            return 1
        if time.monotonic() >= due_s and memory.state["blocks"][0]:
            due_s = time.monotonic() + REPORT_S
            _emit(events, _clock(stream, memory, voices))
        if time.monotonic() >= meter_due_s:
            meter_due_s = time.monotonic() + METER_S
            _emit(events, _meter(memory))
    log.error("the device is gone")
    return 1


def _next(inbox: "Queue[Order]", events: BinaryIO, voices: "Voices") -> Order:
    """Return the next order; read a scene's take while there is none. Raises Empty."""
    from daemon.audio.voices import Unplayable

    try:
        return inbox.get_nowait()
    except Empty:
        try:
            reads = voices.takes.read_next()
        except Unplayable as error:
            _emit(events, Trouble(NO_SLOT, str(error)))
            reads = True
        if reads:
            raise
    return inbox.get(timeout=REPORT_S)


def _carry_out(order: Order, events: BinaryIO, voices: "Voices") -> None:
    from daemon.audio.voices import Unplayable

    try:
        match order:
            case Load():
                voices.takes.get(order.path)
            case Keep():
                voices.takes.keep(order.paths)
            case Play():
                voices.play(order)
            case Stop():
                voices.stop(order)
            case Hold():
                voices.hold(order)
            case Gain():
                voices.gain(order)
            case Aim():
                voices.aim(order)
            case Panic():
                voices.panic(order)
    except Unplayable as error:
        _emit(events, Trouble(getattr(order, "slot", NO_SLOT), str(error)))


def _meter(memory: "Memory") -> Meter:
    from daemon.audio.layout import BUSY, PERIOD
    from daemon.audio.meter import counts

    busy, period = counts(memory.meter, BUSY), counts(memory.meter, PERIOD)
    return Meter(Times(*busy), Times(*period))


def _clock(stream: Any, memory: "Memory", voices: "Voices") -> Clock:
    state = memory.state[0]
    while True:
        blocks = int(state["blocks"])
        frame, at_ns = int(state["best_frame"]), int(state["best_ns"])
        if blocks == int(state["begun"]):
            break
    memory.state["reported"] += 1
    names = ("block", "underruns", "late", "clipped")
    block, underruns, late, clipped = (int(state[name]) for name in names)
    due_ns = at_ns - _ahead_ns(stream)
    return Clock(frame, due_ns, block, underruns, late, voices.rides_db(), clipped)


if __name__ == "__main__":
    logging.basicConfig(
        level=sys.argv[5].upper(), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    sys.exit(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
