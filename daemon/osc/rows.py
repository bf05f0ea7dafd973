"""What a row of the protocol's table is made of, and the arguments that many rows share."""

from dataclasses import dataclass
from typing import Literal, get_args

from ditto_rt import limits
from ditto_rt.limits import Range
from ditto_rt.spec import RegionMode

PROTOCOL = 1
NO_REQUEST = -1

Kind = Literal["int", "float", "text"]

CONTROLS = ("region", "intensity", "melody", "structure", "loop", "all")
STATES = ("loading", "ready", "rendering", "failed", "stopping")

PORT = Range(1, 65_535)
ON = Range(0, 1)
ITERATIONS = Range(-1, limits.ITERATIONS.high, limits.ITERATIONS.unit)
SYNC_ID = Range(-(2**31), 2**31 - 1)


@dataclass(frozen=True)
class Arg:
    """One argument: its name carries its unit; `allowed` or `choices` say what it may be.

    `words`: text that may also come as several texts, which are joined with spaces, or as a whole
    number.
    """

    name: str
    kind: Kind
    meaning: str
    allowed: Range | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False
    words: bool = False


@dataclass(frozen=True)
class Reply:
    """A message the daemon sends; `always_id`: the request id stands second, -1 for none."""

    address: str
    args: tuple[Arg, ...]
    meaning: str
    always_id: bool = False


@dataclass(frozen=True)
class Command:
    """A message the daemon takes. `done`: the values after /ditto/done COMMAND REQID.

    `replies` names what comes besides /ditto/done and /ditto/fail, or instead of /ditto/done where
    `done` is None; the last one ends the exchange. `later`: the end comes after other commands.
    `exact`: an address pattern never reaches it. `stream`: it comes many times a second, so that it
    is answered only where it has a request id, and refused only a few times a second.
    """

    address: str
    args: tuple[Arg, ...]
    meaning: str
    done: tuple[Arg, ...] | None = ()
    group: tuple[Arg, ...] = ()
    replies: tuple[str, ...] = ()
    later: bool = False
    exact: bool = False
    echo: bool = False
    stream: bool = False


def integer(name: str, meaning: str, allowed: Range | None = None, optional: bool = False) -> Arg:
    """Return an argument that is a whole number."""
    return Arg(name, "int", meaning, allowed, optional=optional)


def number(name: str, meaning: str, allowed: Range | None = None) -> Arg:
    """Return an argument that is any number."""
    return Arg(name, "float", meaning, allowed)


def text(name: str, meaning: str, choices: tuple[str, ...] = (), optional: bool = False) -> Arg:
    """Return an argument that is text."""
    return Arg(name, "text", meaning, choices=choices, optional=optional)


SLOT = integer("slot", "which slot", limits.SLOT)
PATH = text("path", "an absolute path, or one that starts with ~, below an allowed folder")
MODE = text("mode", "what to do with the region", get_args(RegionMode))
TAGS = Arg(
    "text",
    "text",
    "words such as 'dark techno', in one text or several; '' leaves all to the model",
    words=True,
)
BPM = number("bpm", "tempo", limits.BPM)
COMMAND = text("command", "the command that is answered")
SENTENCE = text("text", "one sentence: what was wrong, its value, what is allowed")
LOSS = number("loss", "distance from what was asked; -1: nothing to follow, or not known yet")


def synopsis(command: Command) -> str:
    """Return the arguments in short, as 'slot:i bpm:f beats:f [reqid:i]'."""
    if command.echo:
        return "..."
    words = [f"[{_short(arg)}]" if arg.optional else _short(arg) for arg in command.args]
    if command.group:
        words.append(f"({' '.join(_short(arg) for arg in command.group)})*")
    return " ".join([*words, "[reqid:i]"])


def _short(arg: Arg) -> str:
    return f"{arg.name}:{ {'int': 'i', 'float': 'f', 'text': 's'}[arg.kind] }"
