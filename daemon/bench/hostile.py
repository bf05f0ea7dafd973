"""Damaged datagrams: every command as it should be, and endless ways to break it."""

import random
from collections.abc import Iterator

from daemon.bench.osc_bytes import bundle, message, random_packet
from daemon.errors import Refusal
from daemon.osc import guard, pattern
from daemon.osc.arguments import read_call
from daemon.osc.rows import Command
from daemon.protocol.messages import COMMANDS

QUIT = b"/ditto/quit"

# One good message for each command. Not quit: it would be obeyed. Nor notify: replies would go to
# ports of other programs.
GOOD = (
    message("/ditto/ping", "ifs", 1, 0.5, "x"),
    message("/ditto/version", "i", 1),
    message("/ditto/status", "i", 2),
    message("/ditto/help", "s", "/ditto/render"),
    message("/ditto/sync", "i", 5),
    message("/ditto/slot/tags", "is", 0, "dark techno"),
    message("/ditto/slot/tempo", "iffi", 0, 120.0, 2.0, 4),
    message("/ditto/slot/seed", "ii", 0, 7),
    message("/ditto/slot/region", "isffs", 0, "~/none.wav", 0.0, 1.0, "vary"),
    message("/ditto/slot/region_beats", "isfffs", 0, "~/none.wav", 0.0, 1.0, 120.0, "vary"),
    message("/ditto/slot/intensity", "iffff", 0, 0.0, -30.0, 2.0, -12.0),
    message("/ditto/slot/melody", "iiffiff", 0, 60, 0.0, 1.0, 62, 1.0, 1.0),
    message("/ditto/slot/melody_file", "is", 0, "~/none.mid"),
    message("/ditto/slot/structure", "is", 0, "ABBA"),
    message("/ditto/slot/loop", "if", 0, 0.5),
    message("/ditto/slot/quality", "iii", 0, 2, 0),
    message("/ditto/slot/guidance", "if", 0, 2.0),
    message("/ditto/slot/clear", "is", 0, "all"),
    message("/ditto/slot/get", "i", 0),
    message("/ditto/slot/last", "i", 0),
    message("/ditto/render", "i", 0),
    message("/ditto/cancel", "i", 0),
    message("/ditto/{status,version}", "i", 3),
    bundle(message("/ditto/ping"), bundle(message("/ditto/status"))),
)

# Neither is damaged: the one would be obeyed, the other names ports of other programs.
LEFT_OUT = ("/ditto/quit", "/ditto/notify")


def sample(command: Command) -> bytes:
    """Return a message for a row of the table, with the lowest values that are allowed."""
    tags = ""
    values: list[int | float | str] = []
    for arg in (*command.args, *command.group):
        lowest = arg.allowed.low if arg.allowed else 0
        tags += {"int": "i", "float": "f", "text": "s"}[arg.kind]
        number = float(lowest) if arg.kind == "float" else int(lowest)
        values.append((arg.choices or ("none",))[0] if arg.kind == "text" else number)
    return message(command.address, tags, *values)


# All others, most of which are heard where they are carried out.
OTHERS = tuple(
    sample(command)
    for command in COMMANDS.values()
    if command.address not in LEFT_OUT
    and not any(command.address.encode() in packet for packet in GOOD)
)
# A curve that is set or forgotten is heard at once: the player rides the gain towards it.
_HEARD = ("/ditto/slot/intensity", "/ditto/slot/clear")
_HARMLESS = ("/ditto/slot/", "/ditto/cancel", "/ditto/scene/save", "/ditto/scene/delete")
_ANSWERED = ("ping", "version", "status", "help", "sync", "audio", "scene/list")


def hostile(seed: int, silent: bool = False) -> Iterator[bytes]:
    """Yield random and damaged packets without end; none asks the daemon to stop.

    silent: commands that are heard are damaged, too, but a packet in which one is still good is
    left out, so that whatever is heard is the daemon's fault.
    """
    chance = random.Random(seed)
    seeds = (*GOOD, *OTHERS) if silent else GOOD
    while True:
        packet = random_packet(seeds, chance)
        if QUIT not in packet and not (silent and is_heard(packet)):
            yield packet


def is_heard(packet: bytes) -> bool:
    """Return whether a packet holds a command that would change what sounds, in good order."""
    return _has(packet, _HARMLESS)


def is_obeyed(packet: bytes) -> bool:
    """Return whether a packet holds a command in good order that changes anything at all."""
    return _has(packet, ())


def _has(packet: bytes, harmless: tuple[str, ...]) -> bool:
    try:
        messages = guard.read(packet).messages
    except guard.OscError:
        return False
    return any(_does(each, harmless) for each in messages)


def _does(sent: guard.Message, harmless: tuple[str, ...]) -> bool:
    try:
        names = (
            [sent.address] if sent.address in COMMANDS else pattern.matching(sent.address, COMMANDS)
        )
    except guard.OscError:
        return False
    for name in names:
        is_harmless = name.startswith(harmless) and name not in _HEARD
        if is_harmless or name.removeprefix("/ditto/") in _ANSWERED:
            continue
        try:
            read_call(COMMANDS[name], sent.arguments)
        except Refusal:
            continue
        return True
    return False
