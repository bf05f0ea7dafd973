"""The control process: build all, run until told to stop, stop all within three seconds.

A signal only sets a flag; a second one ends the engine at once. No torch here.
"""

import asyncio
import gc
import logging
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from daemon import web
from daemon.audio.wire import Meter
from daemon.commands.dispatch import Dispatcher
from daemon.commands.mailbox import Mailbox
from daemon.commands.office import Office
from daemon.commands.snapshot import snapshot
from daemon.commands.udp import Endpoint
from daemon.config import Config, expand
from daemon.errors import ConfigError
from daemon.live.automation import Automation
from daemon.live.endless import Endless
from daemon.metrics import Child, Metrics
from daemon.osc.clients import Clients
from daemon.osc.outbox import Outbox
from daemon.osc.schedule import Schedule
from daemon.playing.announcer import Announcer
from daemon.playing.conductor import Conductor
from daemon.playing.stage import Stage
from daemon.processes.link import (
    AudioEvent,
    AudioLink,
    EngineLink,
    LinkEvent,
    audio_command,
    engine_command,
)
from daemon.rendering.deadlines import follow
from daemon.rendering.desk import Desk
from daemon.scenes.board import Board
from daemon.scenes.folder import SceneFolder
from daemon.takes.collection import TakeFolder
from daemon.takes.shelf import Shelf, place

GRACE_S = 1.0
MEGABYTE = 1_000_000
SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger(__name__)


class Service:
    """All parts, built and joined. Use as an asynchronous context manager."""

    def __init__(self, config: Config) -> None:
        """Bind the OSC port and prepare the folder; nothing runs yet.

        Raises PortTaken, and ConfigError where the takes' folder cannot be made.
        """
        osc, self._http = config.osc, config.http
        self._started_s = time.monotonic()
        self._stopping = asyncio.Event()
        self._endpoint = Endpoint(osc.host, osc.port, osc.receive_buffer_bytes)
        self._mailbox = Mailbox(osc.queue_datagrams)
        clients = Clients(osc.notify_expiry_s)
        outbox = Outbox(self._endpoint.send, lambda: clients.subscribers(time.monotonic()))
        try:
            self._shelf = _shelf()
            takes = _take_folder(config, self._shelf)
            scenes = _scene_folder(config, takes.folder)
        except ConfigError:
            self._endpoint.close()
            raise
        self._link = EngineLink(
            engine_command(config.engine, config.log.level, config.cache), self._on_event
        )
        self._desk = Desk(
            outbox, takes, self._link.send, config.render.quality(), config.audio.rate_hz
        )
        self._player = AudioLink(
            audio_command(config.audio, config.log.level), self._on_audio_event
        )
        self._plays = config.audio.output == "auto"
        self._stage = Stage(config.audio.rate_hz, takes, outbox, self._player.send, self._plays)
        self._endless = Endless(self._desk, self._stage, outbox, config.endless.lookahead_s)
        self._conductor = Conductor(self._stage, outbox, config.transport)
        self._announcer = Announcer(self._stage, outbox)
        preload = config.scenes.preload_mb * MEGABYTE
        self._board = Board(scenes, preload, self._desk, self._stage, self._endless, outbox)
        self._office = Office(
            desk=self._desk,
            stage=self._stage,
            board=self._board,
            endless=self._endless,
            conductor=self._conductor,
            automation=Automation(self._desk, self._stage, outbox, config.automation),
            outbox=outbox,
            clients=clients,
            roots=_roots(config, takes.folder),
            own=(osc.host, osc.port),
            dropped=lambda: self._mailbox.dropped,
            schedule=Schedule(osc.time_tags == "schedule", osc.schedule_horizon_s),
            stop=self._stopping.set,
        )
        self._connect(takes, outbox)
        children: dict[str, Child] = {"engine": self._link}
        if self._plays:
            children["audio"] = self._player
        self._metrics = Metrics(self._office, children, lambda: self._endpoint.unsent)
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    def _connect(self, takes: TakeFolder, outbox: Outbox) -> None:
        """Let the parts hear of each other what none of them knows by itself."""
        self._desk.on_take = self._endless.on_take
        self._desk.on_end = lambda take: self._metrics.job(take.report.wall_s)
        self._stage.on_file = self._copy
        follow(self._stage, self._desk.move_deadlines)
        takes.in_use = self._stage.versions
        self._board.retime = self._conductor.retime
        self._office.automation.is_endless = self._endless.is_on
        outbox.on_fail = self._office.tally.failure

    async def __aenter__(self) -> Self:
        """Start everything: OSC first, so that the status is answered while the rest starts."""
        loop = asyncio.get_running_loop()
        self._stack.callback(self._shelf.close)
        self._stack.callback(self._endpoint.close)
        self._endpoint.open(self._mailbox)
        folders, host = (self._desk.takes.folder, self._shelf.folder), self._http.host
        app = web.application(folders, self._snapshot, self._metrics.text, host)
        try:
            runner = await web.start(app, self._http.host, self._http.port)
        except BaseException:
            await self._stack.aclose()
            raise
        self._stack.push_async_callback(runner.cleanup)
        dispatcher = Dispatcher(self._mailbox, self._office)
        self._tasks = [
            asyncio.create_task(dispatcher.run(), name="dispatcher"),
            asyncio.create_task(dispatcher.run_schedule(), name="schedule"),
            asyncio.create_task(self._link.keep_alive(), name="engine"),
            asyncio.create_task(self._announcer.run(), name="announcer"),
            asyncio.create_task(self._board.run(), name="scenes"),
            asyncio.create_task(self._endless.run(), name="endless"),
            asyncio.create_task(self._conductor.run(), name="conductor"),
            asyncio.create_task(self._office.automation.run(), name="automation"),
        ]
        if self._plays:
            self._tasks.append(asyncio.create_task(self._player.keep_alive(), name="audio"))
        for number in SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)
            self._stack.callback(loop.remove_signal_handler, number)
        # What is there now stays: a later collection looks at what came since, and not at 0.1 s of
        # modules, while somebody waits for the launch of a take.
        gc.collect()
        gc.freeze()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take no more, say so, end the engine, give the ports back."""
        for dispatching in self._tasks[:2]:
            dispatching.cancel()
        self._office.schedule.clear(self._office.outbox, "stopping", "the daemon stops")
        self._desk.stop()
        await asyncio.gather(self._link.stop(GRACE_S), self._player.stop(GRACE_S))
        self._desk.takes.clean()
        for task in [*self._tasks, *self._office.later]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._office.later, return_exceptions=True)
        self._conductor.close()
        await self._stack.aclose()

    async def stopped(self) -> None:
        """Wait until somebody asks for the end. Raises what ended a part that should go on."""
        stop = asyncio.create_task(self._stopping.wait())
        done, _ = await asyncio.wait([stop, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        for task in done & set(self._tasks):
            task.result()

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stopping.is_set():
            self._link.kill()
            self._player.kill()
        log.info("%s: stopping", number.name)
        self._stopping.set()

    def _on_event(self, event: LinkEvent) -> None:
        self._desk.on_event(event)

    def _on_audio_event(self, event: AudioEvent) -> None:
        if isinstance(event, Meter):
            self._metrics.meter = event
        else:
            self._stage.on_event(event)

    def _copy(self, path: Path) -> None:
        copying = asyncio.create_task(asyncio.to_thread(self._shelf.take_in, path))
        self._office.later.add(copying)
        copying.add_done_callback(self._office.later.discard)

    def _snapshot(self) -> object:
        return snapshot(self._office, time.monotonic() - self._started_s)


def _shelf() -> Shelf:
    parent = place()
    try:
        return Shelf(parent)
    except OSError as error:
        raise ConfigError(f"{parent} cannot hold the sounds of takes: {error}") from error


def _take_folder(config: Config, shelf: Shelf) -> TakeFolder:
    folder = expand(config.paths.takes_folder)
    try:
        return TakeFolder(folder, config.takes.keep_per_slot, shelf)
    except OSError as error:
        shelf.close()
        raise ConfigError(
            f"paths.takes_folder is {folder}, which cannot be made or read: {error.strerror}"
        ) from error


def _scene_folder(config: Config, takes_folder: Path) -> SceneFolder:
    folder = expand(config.scenes.folder)
    try:
        return SceneFolder(folder, _roots(config, takes_folder))
    except OSError as error:
        raise ConfigError(
            f"scenes.folder is {folder}, which cannot be made or read: {error.strerror}"
        ) from error


def _roots(config: Config, takes_folder: Path) -> tuple[Path, ...]:
    return (*(expand(root) for root in config.paths.roots), takes_folder)
