"""The control process's parts joined as the service joins them, without sockets or an engine.

Datagrams go in by hand; what would be sent is kept, and so are the orders to the engine.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon import config
from daemon.audio.wire import Order as AudioOrder
from daemon.commands.dispatch import Dispatcher
from daemon.commands.mailbox import Mailbox
from daemon.commands.office import Office
from daemon.config import Transport
from daemon.engine.wire import Finished, Order, Published, Ready, RenderOrder
from daemon.live.automation import Automation
from daemon.live.endless import Endless
from daemon.osc import guard
from daemon.osc.clients import Address, Clients
from daemon.osc.outbox import Outbox
from daemon.playing.conductor import Conductor
from daemon.playing.stage import Stage
from daemon.rendering.deadlines import follow
from daemon.rendering.desk import Desk
from daemon.scenes.board import Board
from daemon.scenes.folder import SceneFolder
from daemon.takes.collection import TakeFolder
from daemon.takes.shelf import Shelf
from daemon.takes.take import file_name
from ditto_rt.spec import Quality, Report, SeamReport

SENDER: Address = ("127.0.0.1", 40_001)
OTHER: Address = ("127.0.0.1", 40_002)
OWN: Address = ("127.0.0.1", 7770)
RATE_HZ = 48_000


def report(loss: tuple[float, ...] = (3.0, 1.0, 2.0), frames: int = 4800) -> Report:
    """Return a report as an engine sends it."""
    return Report(
        sample_rate=RATE_HZ,
        frames=frames,
        seconds=frames / RATE_HZ,
        wall_s=1.5,
        iterations=len(loss),
        loss=loss,
        seam=SeamReport(ratio=0.5),
        model="builtin",
        device="cpu",
    )


@dataclass
class Bench:
    """A dispatcher and its office, with what they sent."""

    folder: Path
    sent: list[tuple[Address, str, tuple[Any, ...]]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    played: list[AudioOrder] = field(default_factory=list)
    stops: int = 0
    now_s: float = 0.0

    def __post_init__(self) -> None:
        """Join the parts."""
        self.clients = Clients(60.0)
        self.outbox = Outbox(self._keep, lambda: self.clients.subscribers(self.now_s))
        memory = self.folder / ".memory"
        memory.mkdir(parents=True, exist_ok=True)
        takes = TakeFolder(self.folder, 3, Shelf(memory))
        self.desk = Desk(self.outbox, takes, self.orders.append, Quality(), RATE_HZ)
        self.stage = Stage(RATE_HZ, takes, self.outbox, self.played.append, True)
        self.endless = Endless(self.desk, self.stage, self.outbox, 8.0)
        self.desk.on_take = self.endless.on_take
        follow(self.stage, self.desk.move_deadlines)
        takes.in_use = self.stage.versions
        scenes = SceneFolder(self.folder / "scenes", (self.folder.resolve(),))
        self.board = Board(scenes, 10**9, self.desk, self.stage, self.endless, self.outbox)
        self.conductor = Conductor(self.stage, self.outbox, Transport())
        self.automation = Automation(
            self.desk, self.stage, self.outbox, config.Automation(threshold_db=1.5)
        )
        self.mailbox = Mailbox(8)
        self.office = Office(
            desk=self.desk,
            stage=self.stage,
            board=self.board,
            endless=self.endless,
            conductor=self.conductor,
            automation=self.automation,
            outbox=self.outbox,
            clients=self.clients,
            roots=(self.folder.resolve(),),
            own=OWN,
            dropped=lambda: self.mailbox.dropped,
            stop=self._stop,
        )
        self.dispatcher = Dispatcher(self.mailbox, self.office)

    def _stop(self) -> None:
        self.stops += 1

    def _keep(self, datagram: bytes, target: Address) -> None:
        (message,) = guard.read(datagram).messages
        self.sent.append((target, message.address, message.arguments))

    def take(self) -> list[tuple[str, tuple[Any, ...]]]:
        """Return what was sent to SENDER since the last time, and forget all."""
        found = [(address, values) for target, address, values in self.sent if target == SENDER]
        self.sent.clear()
        return found

    def send(self, datagram: bytes, source: Address = SENDER) -> list[tuple[str, tuple[Any, ...]]]:
        """Carry a datagram out; return what was answered to SENDER."""

        async def run() -> None:
            await self.dispatcher.carry_out(datagram, source)
            # What waits for nothing may be answered in the same breath.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        asyncio.run(run())
        return self.take()

    def get_ready(self) -> None:
        """Let the engine say that its model is loaded."""
        self.desk.on_event(Ready(model="builtin", device="cpu"))

    def rendering(self) -> RenderOrder:
        """Return the newest render that the engine was given."""
        return [order for order in self.orders if isinstance(order, RenderOrder)][-1]

    def publish(
        self, order: RenderOrder, version: int, final: bool = False, frames: int = 4800
    ) -> None:
        """Let the engine put a version of a render on the shelf and tell so."""
        Path(order.shelf, file_name(order.slot, version)).write_bytes(b"RIFF")
        made = report(frames=frames).model_copy(update={"final": final})
        self.desk.on_event(Published(id=order.id, version=version, report=made))

    def finish(self, order: RenderOrder, version: int | None = None, frames: int = 4800) -> None:
        """Let the engine finish a render with that version, None its first, with files."""
        last = order.version if version is None else version
        self.publish(order, last, final=True, frames=frames)
        path = Path(order.takes, file_name(order.slot, last))
        path.write_bytes(b"RIFF")
        path.with_suffix(".json").write_text("{}")
        self.desk.on_event(Finished(id=order.id))
