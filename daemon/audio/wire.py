"""What the control process and the audio process tell each other: one JSON object on each line.

Plain dataclasses, because this process must be back in a moment after it was killed. Frames are
the stream's; `at` is the frame from which on an order holds, HERE_AND_NOW for as soon as can be.
"""

import json
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

HERE_AND_NOW = -1

# A loudness curve: beats and dB of its points, in rising order; empty where there is none.
Points: TypeAlias = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Open:
    """Open the device: until this order a process is in reserve."""


@dataclass(frozen=True)
class Begin:
    """Start the stream so that `frame` is due at `at_ns` of the system's monotonic clock."""

    frame: int
    at_ns: int


@dataclass(frozen=True)
class Load:
    """Read a take that may be played soon."""

    path: str


@dataclass(frozen=True)
class Keep:
    """Read these takes when there is time and hold them; of those named before, no others."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class Play:
    """From `at` on nothing but this take sounds in the slot.

    Its passes start at origin + round(k * period / parts). A pass has so many beats, and was asked
    to be as loud as `asked` says. frames: how long a pass is where the file holds more, first what
    leads into the take, which then has its own end (`daemon.takes.take.open_name`); 0: the loop.
    """

    slot: int
    path: str
    at: int
    origin: int
    period: int
    parts: int
    beats: float = 0.0
    asked: Points = ()
    frames: int = 0


@dataclass(frozen=True)
class Stop:
    """From `at` on the slot is silent."""

    slot: int
    at: int


@dataclass(frozen=True)
class Hold:
    """What was planned for the slot from `at` on is planned no more; what sounds goes on."""

    slot: int
    at: int


@dataclass(frozen=True)
class Gain:
    """From `at` on the slot's loudness moves to `gain`, a factor."""

    slot: int
    gain: float
    at: int


@dataclass(frozen=True)
class Aim:
    """From `at` on what the slot plays is ridden to be as loud as `wanted`; empty: as it is."""

    slot: int
    wanted: Points
    at: int


@dataclass(frozen=True)
class Panic:
    """Silence at once, and nothing that was planned."""


@dataclass(frozen=True)
class Opened:
    """The device is open and waits for Begin."""

    device: str
    rate_hz: int
    channels: int
    latency_s: float


@dataclass(frozen=True)
class Silent:
    """There is nothing to play on; the process ends."""

    text: str


@dataclass(frozen=True)
class Clock:
    """Frame `frame` was asked for at `at_ns`; counts since the start of the stream.

    rides_db: by how much each slot's take is moved where it is moved most. clipped: frames in which
    the slots together were louder than full scale.
    """

    frame: int
    at_ns: int
    block_frames: int
    underruns: int
    late: int
    rides_db: tuple[float, ...] = ()
    clipped: int = 0


@dataclass(frozen=True)
class Times:
    """Durations since the start of the stream, in bins: (bin, count) of those with any.

    Eight bins for each doubling; bin 8 * k + j counts what took 2**k * (8 + j) ns or more.
    """

    sum_ns: int = 0
    longest_ns: int = 0
    bins: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Meter:
    """How long the callback took, and how far apart its calls were."""

    busy: Times = Times()
    period: Times = Times()


@dataclass(frozen=True)
class Trouble:
    """A take cannot be played; the slot goes on as it was."""

    slot: int
    text: str


Order: TypeAlias = Open | Begin | Load | Keep | Play | Stop | Hold | Gain | Aim | Panic
Event: TypeAlias = Opened | Silent | Clock | Meter | Trouble

_ORDERS = MappingProxyType(
    {kind.__name__: kind for kind in (Open, Begin, Load, Keep, Play, Stop, Hold, Gain, Aim, Panic)}
)
_EVENTS = MappingProxyType(
    {kind.__name__: kind for kind in (Opened, Silent, Clock, Meter, Trouble)}
)


def encode(message: Order | Event) -> bytes:
    """Return a message as one line."""
    return json.dumps([type(message).__name__, asdict(message)]).encode() + b"\n"


def read_order(line: bytes) -> Order:
    """Return the order on a line. Raises ValueError where it is none."""
    name, values = _parts(line)
    try:
        return _ORDERS[name](**values)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{line[:80]!r} is no order") from error


def read_event(line: bytes) -> Event:
    """Return the event on a line. Raises ValueError where it is none."""
    name, values = _parts(line)
    try:
        if name == Meter.__name__:
            return Meter(**{key: _times(**held) for key, held in values.items()})
        return _EVENTS[name](**values)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{line[:80]!r} is no event") from error


def _times(sum_ns: int, longest_ns: int, bins: list[list[int]]) -> Times:
    return Times(sum_ns, longest_ns, tuple((at, count) for at, count in bins))


def _parts(line: bytes) -> tuple[str, dict[str, Any]]:
    match json.loads(line):
        case [str(name), dict(values)]:
            return name, {key: _frozen(value) for key, value in values.items()}
    raise ValueError(f"{line[:80]!r} is no message")


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
