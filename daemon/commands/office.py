"""What the handlers of commands work with, and what each of them is given."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from daemon.commands.tally import Tally
from daemon.live.automation import Automation
from daemon.live.endless import Endless
from daemon.osc.arguments import Call, Value
from daemon.osc.clients import Address, Clients
from daemon.osc.guard import Argument
from daemon.osc.outbox import Asker, Outbox
from daemon.osc.schedule import Schedule
from daemon.playing.conductor import Conductor
from daemon.playing.stage import Stage
from daemon.rendering.desk import Desk
from daemon.scenes.board import Board


@dataclass(frozen=True)
class Office:
    """What handlers work with. All of it is owned by the event loop."""

    desk: Desk
    stage: Stage
    board: Board
    endless: Endless
    conductor: Conductor
    automation: Automation
    outbox: Outbox
    clients: Clients
    roots: tuple[Path, ...]
    own: Address
    dropped: Callable[[], int]
    stop: Callable[[], None]
    schedule: Schedule = field(default_factory=Schedule)
    later: set[asyncio.Task[None]] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True)
class Errand:
    """One command on its way: the checked call, who asked, and from where it came.

    due_ns: when it should take effect, by the monotonic clock; None: as soon as can be.
    """

    call: Call
    asker: Asker
    source: Address
    arguments: tuple[Argument, ...] = ()
    due_ns: int | None = None


Handler: TypeAlias = Callable[[Office, Errand], Awaitable[tuple[Value, ...] | None]]
