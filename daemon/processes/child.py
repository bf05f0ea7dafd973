"""A process that works for the control process: started, watched, started again.

Owned by the event loop. Events are handed to `on_event` in the order they were sent; the end of
the process is one of them (Died), after the last it wrote.
"""

import asyncio
import logging
import os
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from ditto_rt import heap

LINE_BYTES = 2**22
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 30.0
# A process that was ready for so long is worth starting again at once.
SETTLED_S = 5.0
LAST_WORDS_S = 1.0

OrderT = TypeVar("OrderT")
EventT = TypeVar("EventT")


@dataclass(frozen=True)
class Died:
    """The process ended; `how` is a clause such as 'was killed by signal 9'."""

    how: str


@dataclass(frozen=True)
class Language(Generic[OrderT, EventT]):
    """What a process is called and how it is spoken to.

    `ready` is the event of one that works, `unready` of one that knows why it cannot. `opening`
    is the first order; where there is one, a second process waits for it in reserve.
    """

    name: str
    encode: Callable[[OrderT], bytes]
    read: Callable[[bytes], EventT]
    ready: type[EventT]
    unready: type[EventT]
    first_pause_s: float = FIRST_PAUSE_S
    opening: OrderT | None = None


@dataclass(frozen=True)
class _Started:
    """A process that was started, and who reads its events and its log."""

    process: Process
    followers: tuple[asyncio.Task[None], ...]


log = logging.getLogger(__name__)


class Link(Generic[OrderT, EventT]):
    """One process at a time. `send` reaches the one that is ready, or nobody."""

    def __init__(
        self,
        language: Language[OrderT, EventT],
        command: tuple[str, ...],
        on_event: Callable[[EventT | Died], None],
    ) -> None:
        """Start `command` with the number of its events' file descriptor added."""
        self._language = language
        self._command = command
        self._on_event = on_event
        self._process: Process | None = None
        self._reserve: asyncio.Task[_Started] | None = None
        self._stopping = False
        self._ready_s: float | None = None
        self._excused = False
        self._worked = False
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Process id of the process that runs."""
        return self._process.pid if self._process else None

    async def keep_alive(self) -> None:
        """Start the process again whenever it ends, after longer and longer pauses, until stop."""
        first_s = pause_s = self._language.first_pause_s
        while not self._stopping:
            self._ready_s, self._excused = None, False
            how = await self._run_once()
            if self._stopping:
                return
            settled = self._ready_s is not None and time.monotonic() - self._ready_s > SETTLED_S
            pause_s = first_s if settled else min(2 * pause_s, LONGEST_PAUSE_S)
            if self._excused and not self._worked:
                # It has said why; what is missing may come, as a sound card that is plugged in.
                pause_s = LONGEST_PAUSE_S
            level = logging.DEBUG if self._excused else logging.ERROR
            log.log(level, "%s %s; it starts again in %.1f s", self._language.name, how, pause_s)
            self._on_event(Died(how))
            await asyncio.sleep(pause_s)

    def send(self, order: OrderT) -> None:
        """Send an order; one that has just died is reported by its Died event."""
        stdin = self._process.stdin if self._process else None
        if stdin and not stdin.is_closing():
            stdin.write(self._language.encode(order))

    async def stop(self, grace_s: float) -> None:
        """End the process: close its input, wait, and kill it where that does not help."""
        self._stopping = True
        await self._drop_reserve()
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), grace_s)
        except TimeoutError:
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """End the process at once."""
        self._stopping = True
        if self._process and self._process.returncode is None:
            self._process.kill()

    async def _run_once(self) -> str:
        self.starts += 1
        try:
            started = await self._next()
        except OSError as error:
            return f"cannot be started: {error}"
        process = self._process = started.process
        if self._stopping:
            self.kill()
        elif self._language.opening is not None:
            self.send(self._language.opening)
        code = await process.wait()
        # A grandchild may hold the pipes open; what the process itself wrote is there already.
        _, late = await asyncio.wait(started.followers, timeout=LAST_WORDS_S)
        for follower in late:
            follower.cancel()
        self._process = None
        return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"

    async def _next(self) -> _Started:
        """Return the process in reserve, or a new one. Raises OSError."""
        reserve, self._reserve = self._reserve, None
        if reserve is not None:
            with suppress(OSError):
                started = await reserve
                if started.process.returncode is None:
                    return started
        return await self._start()

    async def _drop_reserve(self) -> None:
        reserve, self._reserve = self._reserve, None
        if reserve is None:
            return
        with suppress(OSError):
            process = (await reserve).process
            if process.returncode is None:
                # It holds nothing that could be left half done.
                process.kill()
            await process.wait()

    async def _start(self) -> _Started:
        read_fd, write_fd = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command[:1],
                *(part.format(events_fd=write_fd) for part in self._command[1:]),
                stdin=PIPE,
                stdout=PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=(write_fd,),
                env=_environment(),
                # Ctrl-C in a terminal goes to the whole group; the process ends when it is told.
                start_new_session=True,
            )
        except OSError:
            os.close(read_fd)
            raise
        finally:
            os.close(write_fd)
        events = asyncio.create_task(self._follow_events(process, read_fd))
        logged = asyncio.create_task(_follow_log(self._language.name, process))
        return _Started(process, (events, logged))

    def _on_ready(self) -> None:
        self._ready_s, self._worked = time.monotonic(), True
        if self._language.opening is not None and not self._stopping and self._reserve is None:
            self._reserve = asyncio.create_task(self._start())

    async def _follow_events(self, process: Process, read_fd: int) -> None:
        reader = asyncio.StreamReader(limit=LINE_BYTES)
        with os.fdopen(read_fd, "rb", buffering=0) as pipe:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), pipe
            )
            try:
                while (line := await reader.readline()).endswith(b"\n"):
                    event = self._language.read(line)
                    if isinstance(event, self._language.ready):
                        self._on_ready()
                    self._excused |= isinstance(event, self._language.unready)
                    self._on_event(event)
            except ValueError:
                # It cannot be understood any more; a new one can.
                log.exception("the %s sent no event; it is killed", self._language.name)
                process.kill()
            finally:
                transport.close()


def _environment() -> dict[str, str]:
    """Return the environment, in which a process finds the same packages as this process.

    Its threads sleep while they wait for each other: on a machine whose cores are busy, as beside
    a DAW, threads that spin made an iteration 5 to 40 times slower (measured on 2 cores).
    """
    here = str(Path(__file__).resolve().parents[2])
    there = os.environ.get("PYTHONPATH")
    return {
        **heap.ENVIRONMENT,
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        "PYTHONPATH": os.pathsep.join([here, there] if there else [here]),
    }


async def _follow_log(name: str, process: Process) -> None:
    assert process.stdout is not None
    while line := await _line(process.stdout):
        log.info("%s: %s", name, line.decode(errors="replace").rstrip())


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError:
        # A line beyond the stream's limit, as a progress bar may make: it is cut and goes on.
        return b"(a line too long to show)\n"
