"""OSC arguments -> checked values, by the protocol's table. Pure: no I/O.

Lenient where clients differ (Pd and TouchOSC send every number as a float, some send T for 1),
strict in meaning: each refusal names the argument, its value and what is allowed.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TypeAlias

from daemon.errors import Refusal
from daemon.osc.guard import Argument
from daemon.osc.rows import Arg, Command, synopsis
from ditto_rt.limits import Range

Value: TypeAlias = int | float | str

REQUEST_ID = Range(-(2**31), 2**31 - 1)
_WANTED = {"int": "a whole number", "float": "a number", "text": "text"}
_SHOWN_CHARACTERS = 80
_FLOAT32_MAX = 3.4e38


@dataclass(frozen=True)
class Call:
    """A command whose arguments have been checked; groups hold one tuple for each repetition."""

    command: Command
    values: Mapping[str, Value] = field(default_factory=dict)
    groups: tuple[tuple[Value, ...], ...] = ()
    reqid: int | None = None

    def integer(self, name: str) -> int:
        """Return an argument that the table calls an int."""
        return int(self.values[name])

    def number(self, name: str) -> float:
        """Return an argument that the table calls a float."""
        return float(self.values[name])

    def text(self, name: str) -> str:
        """Return an argument that the table calls text."""
        return str(self.values[name])


def read_call(command: Command, arguments: Sequence[Argument]) -> Call:
    """Return the checked call.

    Raises Refusal, with the request id where the arguments' number shows which one it is.
    """
    pairs, rest, reqid = _assign(command, list(arguments))
    try:
        values = {arg.name: _checked(arg, arg.name, value) for arg, value in pairs}
        size = len(command.group) or 1
        groups = tuple(
            tuple(
                _checked(arg, f"{arg.name} {at // size + 1}", value)
                for arg, value in zip(command.group, rest[at : at + size], strict=True)
            )
            for at in range(0, len(rest), size)
        )
    except Refusal as refusal:
        raise Refusal(refusal.code, str(refusal), reqid) from None
    return Call(command, values, groups, reqid)


def whole(value: Argument) -> int | None:
    """Return a value as an int where it is one (3, 3.0, true), else None."""
    if isinstance(value, int):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else None


def shortest(value: float) -> float:
    """Return the shortest decimal that is the same 32-bit float: 120.0999985 becomes 120.1.

    OSC's f has 24 bits. Lengths are computed from the decimal text of a tempo, so what a musician
    typed must come back. A number that is no 32-bit float is returned as it is.
    """
    packed = struct.pack("<f", value) if abs(value) < _FLOAT32_MAX else b""
    if not packed or struct.unpack("<f", packed)[0] != value:
        return float(value)
    # What was typed has few digits, what a fader sends has all of them: one look tells which.
    few = struct.pack("<f", float(f"{value:.6g}")) == packed
    texts = (f"{value:.{digits}g}" for digits in (range(1, 7) if few else range(7, 10)))
    return next(float(text) for text in texts if struct.pack("<f", float(text)) == packed)


def shown(value: Argument) -> str:
    """Return a value as an error sentence names it."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case str():
            cut = value[:_SHOWN_CHARACTERS]
            return repr(cut) + ("..." if cut != value else "")
        case bytes():
            return f"a blob of {len(value)} bytes"
        case None:
            return "nil"
        case list():
            return "an array"
        case tuple():
            return "a MIDI message or time tag"
    return str(value)


def _assign(
    command: Command, arguments: list[Argument]
) -> tuple[list[tuple[Arg, Argument]], list[Argument], int | None]:
    """Return which argument each value belongs to, the values of the groups, and the request id."""
    pairs: list[tuple[Arg, Argument]] = []
    at = 0
    for arg in command.args:
        if at < len(arguments) and (not arg.optional or _fits(arg, arguments[at])):
            end = _words_end(arguments, at) if arg.words else at + 1
            pairs.append(
                (arg, " ".join(map(str, arguments[at:end])) if end > at + 1 else arguments[at])
            )
            at = end
        elif not arg.optional:
            raise Refusal("missing_argument", f"{arg.name} is missing; {_usage(command)}")
    rest = arguments[at:]
    if command.group:
        spare = len(rest) % len(command.group)
        if spare > 1:
            name = command.group[spare].name
            which = len(rest) // len(command.group) + 1
            raise Refusal("missing_argument", f"{name} {which} is missing; {_usage(command)}")
        return pairs, rest[: len(rest) - spare], _request_id(rest[-1]) if spare else None
    if len(rest) > 1:
        last = whole(rest[-1])
        text = f"{len(arguments)} arguments are too many; {_usage(command)}"
        raise Refusal("too_many_arguments", text, last)
    return pairs, [], _request_id(rest[0]) if rest else None


def _words_end(arguments: list[Argument], at: int) -> int:
    # Max and Pd send what is typed with a space between as two texts.
    end = at + 1
    while (
        end < len(arguments) and isinstance(arguments[end], str) and isinstance(arguments[at], str)
    ):
        end += 1
    return end


def _fits(arg: Arg, value: Argument) -> bool:
    return isinstance(value, str) == (arg.kind == "text")


def _usage(command: Command) -> str:
    return f"allowed: {command.address} {synopsis(command)}"


def _request_id(value: Argument) -> int:
    number = whole(value)
    if number is None or REQUEST_ID.problem("request id", number):
        text = f"request id is {shown(value)}; allowed: a whole number of 32 bits"
        raise Refusal("bad_type", text)
    return number


def _checked(arg: Arg, name: str, value: Argument) -> Value:
    if arg.kind == "text":
        return _checked_text(arg, name, value)
    if not isinstance(value, int | float) or (arg.kind == "float" and isinstance(value, bool)):
        raise _wrong_type(arg, name, value)
    if arg.allowed and (problem := arg.allowed.problem(name, value)):
        raise Refusal("out_of_range", problem)
    if not isfinite(value):
        raise Refusal("out_of_range", f"{name} is {value:g}; allowed: a finite number")
    exact = shortest(value) if arg.kind == "float" else whole(value)
    if exact is None:
        raise _wrong_type(arg, name, value)
    return exact


def _checked_text(arg: Arg, name: str, value: Argument) -> str:
    if arg.words and not isinstance(value, bool) and (number := whole(value)) is not None:
        # Max and Pd send a word that looks like a number as one.
        return str(number)
    if not isinstance(value, str):
        raise _wrong_type(arg, name, value)
    if arg.choices and value not in arg.choices:
        raise Refusal("bad_value", f"{name} is {shown(value)}; allowed: {', '.join(arg.choices)}")
    return value


def _wrong_type(arg: Arg, name: str, value: Argument) -> Refusal:
    allowed = f"{_WANTED[arg.kind]}{f', {arg.allowed}' if arg.allowed else ''}"
    if arg.choices:
        allowed = f"text, one of {', '.join(arg.choices)}"
    return Refusal("bad_type", f"{name} is {shown(value)}; allowed: {allowed}")
