"""The engine's process from outside: small scripts stand where torch would take seconds."""

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import Callable

import psutil

from daemon.audio.wire import Opened
from daemon.engine.wire import CancelOrder, Ready, Stopped
from daemon.processes import child
from daemon.processes.child import Died
from daemon.processes.link import AudioEvent, AudioLink, EngineLink, LinkEvent

ECHO = """
    import json, os, sys
    events = os.fdopen(int(sys.argv[1]), "wb", buffering=0)
    def emit(**event):
        events.write(json.dumps(event).encode() + b"\\n")
    print("stray output", flush=True)
    emit(kind="ready", model="m", device="cpu")
    for line in sys.stdin:
        emit(kind="stopped", id=json.loads(line)["id"], code="disk", text="t")
"""


def command(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", textwrap.dedent(script), "{events_fd}")


async def until(condition: Callable[[], object], limit_s: float = 60.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


def run(script: str, use: Callable[[EngineLink, list[LinkEvent]], object]) -> list[LinkEvent]:
    async def main() -> list[LinkEvent]:
        events: list[LinkEvent] = []
        engine = EngineLink(command(script), events.append)
        task = asyncio.create_task(engine.keep_alive())
        await use(engine, events)  # type: ignore[misc]
        await engine.stop(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return events

    return asyncio.run(main())


def test_orders_go_in_and_events_come_out_in_order() -> None:
    async def use(engine: EngineLink, events: list[LinkEvent]) -> None:
        await until(lambda: events)
        for number in range(50):
            engine.send(CancelOrder(id=number))
        await until(lambda: len(events) == 51)

    events = run(ECHO, use)
    assert events[0] == Ready(model="m", device="cpu")
    assert [event.id for event in events[1:] if isinstance(event, Stopped)] == list(range(50))


IN_RESERVE = """
    import json, os, sys
    events = os.fdopen(int(sys.argv[1]), "wb", buffering=0)
    def emit(name, **values):
        events.write(json.dumps([name, values]).encode() + b"\\n")
    for line in sys.stdin:
        if json.loads(line)[0] == "Open":
            emit("Opened", device=str(os.getpid()), rate_hz=48000, channels=2, latency_s=0.0)
"""


def test_the_player_in_reserve_takes_over_and_another_one_waits() -> None:
    # Other tests of this process may have left one, such as multiprocessing's resource tracker.
    others = {child.pid for child in psutil.Process().children()}

    def children() -> set[int]:
        return {child.pid for child in psutil.Process().children()} - others

    async def main() -> tuple[list[AudioEvent], list[set[int]]]:
        events: list[AudioEvent] = []
        player = AudioLink(command(IN_RESERVE), events.append)
        task = asyncio.create_task(player.keep_alive())

        def opened() -> int:
            return sum(isinstance(event, Opened) for event in events)

        await until(lambda: opened() == 1 and len(children()) == 2)
        found = [children()]
        assert player.pid
        os.kill(player.pid, signal.SIGKILL)
        await until(lambda: opened() == 2 and len(children()) == 2)
        found.append(children())
        # A reserve that has died meanwhile is passed over, or is one death more if that is not
        # known yet.
        (waits,) = found[1] - {player.pid}
        os.kill(waits, signal.SIGKILL)
        os.kill(player.pid, signal.SIGKILL)
        await until(lambda: opened() == 3 and len(children()) == 2)
        await player.stop(1.0)
        found.append(children())
        await asyncio.gather(task)
        return events, found

    events, (before, after, left) = asyncio.run(main())
    opened = [int(event.device) for event in events if isinstance(event, Opened)]
    assert opened[1] in before and opened[1] in after and not {*after} & {opened[2]}
    assert len(opened) == 3 and not left


def test_a_killed_engine_is_told_and_started_again() -> None:
    async def use(engine: EngineLink, events: list[LinkEvent]) -> None:
        await until(lambda: events)
        first = engine.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: len(events) == 3)
        assert engine.pid not in (None, first)
        engine.send(CancelOrder(id=7))
        await until(lambda: len(events) == 4)

    events = run(ECHO, use)
    assert events[1] == Died("was killed by signal 9")
    assert [type(event) for event in events] == [Ready, Died, Ready, Stopped]


def test_an_engine_that_dies_at_once_is_started_more_and_more_slowly() -> None:
    pauses: list[float] = []

    async def use(engine: EngineLink, events: list[LinkEvent]) -> None:
        loop = asyncio.get_running_loop()
        for count in range(1, 5):
            await until(lambda count=count: len(events) >= count)  # type: ignore[misc]
            pauses.append(loop.time())

    events = run("raise SystemExit(3)", use)
    assert events[:4] == [Died("ended with code 3")] * 4
    gaps = [later - earlier for earlier, later in zip(pauses[:-1], pauses[1:], strict=True)]
    assert gaps[0] > 2 * child.FIRST_PAUSE_S and gaps[2] > gaps[1] > gaps[0]


def test_what_is_no_event_ends_the_engine() -> None:
    script = ECHO.replace('emit(kind="ready"', 'emit(kind="song"')

    async def use(engine: EngineLink, events: list[LinkEvent]) -> None:
        await until(lambda: events)

    assert run(script, use)[0] == Died("was killed by signal 9")


def test_a_program_that_cannot_be_started_is_told() -> None:
    async def main() -> list[LinkEvent]:
        events: list[LinkEvent] = []
        engine = EngineLink(("/nowhere/python", "{events_fd}"), events.append)
        task = asyncio.create_task(engine.keep_alive())
        await until(lambda: events)
        task.cancel()
        return events

    (event,) = asyncio.run(main())
    assert isinstance(event, Died) and "cannot be started" in event.how


def test_stop_kills_an_engine_that_does_not_listen() -> None:
    script = ECHO + "\n    import time; time.sleep(60)\n"

    async def use(engine: EngineLink, events: list[LinkEvent]) -> None:
        await until(lambda: events)

    started = asyncio.run(_timed(lambda: asyncio.to_thread(run, script, use)))
    assert started < 4.0


async def _timed(work: Callable[[], object]) -> float:
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    await work()  # type: ignore[misc]
    return loop.time() - started_s


def test_nothing_is_sent_where_no_engine_is() -> None:
    EngineLink(command(ECHO), lambda _: None).send(CancelOrder(id=1))


def test_no_files_stay_open_after_many_engines() -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    async def use(engine: EngineLink, events: list[LinkEvent]) -> None:
        for count in range(1, 6):
            await until(lambda count=count: sum(isinstance(e, Ready) for e in events) == count)  # type: ignore[misc]
            assert engine.pid
            os.kill(engine.pid, signal.SIGKILL)
            engine_dead = count
            await until(
                lambda n=engine_dead: sum(isinstance(e, Died) for e in events) == n  # type: ignore[misc]
            )

    longest = child.LONGEST_PAUSE_S
    try:
        child.LONGEST_PAUSE_S = 0.05
        run(ECHO, use)
    finally:
        child.LONGEST_PAUSE_S = longest
    after = len(os.listdir("/proc/self/fd")) if before else 0
    assert after <= before + 1
