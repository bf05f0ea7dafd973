"""python -m daemon.engine EVENTS_FD DEVICE THREADS NICENESS LOG_LEVEL CACHE: started by control.

CACHE is that section of the settings, as JSON.
"""

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, NoReturn

from daemon.config import Cache
from daemon.engine.inbox import Inbox, start_reader
from daemon.engine.wire import Event, Ready, Unready, encode
from daemon.niceness import set_niceness


def main(events_fd: int, device_name: str, threads: int, niceness: int, cache: Cache) -> int:
    """Load the model, tell so, and work until standard input closes; return the exit code."""
    orders = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    # From here on nothing that a library prints or reads can reach the two pipes.
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    inbox = Inbox()
    start_reader(inbox, orders)
    with os.fdopen(events_fd, "wb", buffering=0) as events:
        return _serve(inbox, events, device_name, threads, niceness, cache)


def _serve(
    inbox: Inbox, events: BinaryIO, device_name: str, threads: int, niceness: int, cache: Cache
) -> int:
    def emit(event: Event) -> None:
        line = memoryview(encode(event))
        while line:
            line = line[events.write(line) :]

    # torch takes seconds to load; by now the reader can end the process at any moment.
    from daemon.engine.produce import load_model, warm_up
    from daemon.engine.recall import renderer
    from daemon.engine.worker import work
    from ditto_rt.errors import DittoError

    try:
        model = load_model(device_name, threads)
    except (DittoError, ValueError) as error:
        emit(Unready(code=getattr(error, "code", "no_device"), text=str(error)))
        return 1
    render = renderer(cache)
    emit(Ready(model=model.name, device=model.device.type))
    warm_up(model)
    # Not before: somebody waits for it, and beside busy programs it would load for half a minute.
    with suppress(OSError):
        # Refused where the whole daemon was started with a higher one, which then stays.
        set_niceness(niceness)
    work(inbox, emit, model, render)
    return 0


def end(work: Callable[[], int]) -> NoReturn:
    """Work, then end at once.

    Python's own end takes torch apart, which took five seconds, and stops the reader, which would
    end the process after one.
    """
    code = 1
    try:
        code = work()
    except BrokenPipeError:
        # The control process is gone before its orders' end was read.
        code = 0
    except Exception:
        logging.getLogger(__name__).exception("the engine ends")
    finally:
        os._exit(code)


if __name__ == "__main__":
    logging.basicConfig(
        level=sys.argv[5].upper(), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    settings = Cache.model_validate_json(sys.argv[6])
    events_fd, threads, niceness = (int(sys.argv[place]) for place in (1, 3, 4))
    end(lambda: main(events_fd, sys.argv[2], threads, niceness, settings))
