"""What the control process and the engine tell each other: one JSON object on each line.

Orders go to the engine's standard input. Events come back through a pipe of their own, which a
library's stray output on standard output cannot damage.
"""

import json
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from daemon.takes.take import Promise
from ditto_rt.spec import Job, Report

LINE_BYTES = 2**22


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Deadline(_Message):
    """A version must be there at `by_s` of the system's monotonic clock, to sound on `beat`.

    quantum: the beat is a multiple of so many, and lies where the transport has it; 0: it is the
    end of a pass that plays, which no tempo moves.
    """

    beat: float
    by_s: float
    quantum: float = 0.0


class RenderOrder(_Message):
    """Make a take: each version's sound on the shelf, the last one in the takes' folder too.

    version: number of the first version. warm: begin from what the slot's last job had found.
    """

    kind: Literal["render"] = "render"
    id: int
    slot: int
    version: int
    job: Job
    shelf: str
    takes: str
    rate_hz: int
    warm: bool = False
    deadline: Deadline | None = None


class SaveOrder(_Message):
    """Write a take whose sound is on the shelf to the takes' folder, `record` beside it."""

    kind: Literal["save"] = "save"
    slot: int
    version: int
    shelf: str
    takes: str
    record: dict[str, Any]


class CancelOrder(_Message):
    """Stop that job at the next chance."""

    kind: Literal["cancel"] = "cancel"
    id: int


class MoveOrder(_Message):
    """That job's deadline is another one now."""

    kind: Literal["move"] = "move"
    id: int
    deadline: Deadline


class Ready(_Message):
    """The model is loaded."""

    kind: Literal["ready"] = "ready"
    model: str
    device: str


class Unready(_Message):
    """The model cannot be loaded; the engine ends."""

    kind: Literal["unready"] = "unready"
    code: str
    text: str


Hit: TypeAlias = Literal["exact", "near", "running", "none"]


class Recalled(_Message):
    """What is known of a job: the very take, a latent like it, the slot's own, or nothing."""

    kind: Literal["recalled"] = "recalled"
    id: int
    hit: Hit


class Advanced(_Message):
    """A job is on its way; loss is None before there is one."""

    kind: Literal["advanced"] = "advanced"
    id: int
    fraction: float
    loss: float | None


class Published(_Message):
    """A version can be played from the shelf. The same version again: it has become final."""

    kind: Literal["published"] = "published"
    id: int
    version: int
    report: Report
    promise: Promise | None = None


class Finished(_Message):
    """The last version, which is published already, is in its files; `problem`: why it is not."""

    kind: Literal["finished"] = "finished"
    id: int
    problem: str = ""


class Saved(_Message):
    """What became of a SaveOrder."""

    kind: Literal["saved"] = "saved"
    slot: int
    version: int
    problem: str = ""


class Stopped(_Message):
    """A job ended without a take."""

    kind: Literal["stopped"] = "stopped"
    id: int
    code: str
    text: str


Order: TypeAlias = RenderOrder | SaveOrder | CancelOrder | MoveOrder
Event: TypeAlias = Ready | Unready | Recalled | Advanced | Published | Finished | Saved | Stopped

_ORDERS: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="kind")])
_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def encode(message: Order | Event) -> bytes:
    """Return a message as one line. NaN stays NaN: both ends are Python."""
    return json.dumps(message.model_dump()).encode() + b"\n"


def read_order(line: bytes) -> Order:
    """Return the order on a line. Raises ValueError where it is none."""
    return _ORDERS.validate_python(json.loads(line))


def read_event(line: bytes) -> Event:
    """Return the event on a line. Raises ValueError where it is none."""
    return _EVENTS.validate_python(json.loads(line))
