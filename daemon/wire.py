"""What the control process and the engine tell each other: one JSON object on each line.

Orders go to the engine's standard input. Events come back through a pipe of their own, which a
library's stray output on standard output cannot damage.
"""

import json
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ditto_rt.spec import Job, Report

LINE_BYTES = 2**22


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RenderOrder(_Message):
    """Make a take and write it to `wav`, its report beside it."""

    kind: Literal["render"] = "render"
    id: int
    slot: int
    version: int
    job: Job
    wav: str
    rate_hz: int


class CancelOrder(_Message):
    """Stop that job at the next chance."""

    kind: Literal["cancel"] = "cancel"
    id: int


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


Hit: TypeAlias = Literal["exact", "near", "none"]


class Recalled(_Message):
    """What the cache has for a job: the very take, a latent to begin from, or nothing."""

    kind: Literal["recalled"] = "recalled"
    id: int
    hit: Hit


class Advanced(_Message):
    """A job is on its way; loss is None before there is one."""

    kind: Literal["advanced"] = "advanced"
    id: int
    fraction: float
    loss: float | None


class Finished(_Message):
    """The take's files are there, whole."""

    kind: Literal["finished"] = "finished"
    id: int
    report: Report


class Stopped(_Message):
    """A job ended without a take."""

    kind: Literal["stopped"] = "stopped"
    id: int
    code: str
    text: str


Order: TypeAlias = RenderOrder | CancelOrder
Event: TypeAlias = Ready | Unready | Recalled | Advanced | Finished | Stopped

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
