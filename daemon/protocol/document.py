"""python -m daemon.protocol.document > docs/protocol.md: the protocol's table as a document."""

import sys
from collections.abc import Iterable

from daemon.osc.guard import ARGUMENTS, BLOB_BYTES, BUNDLE_DEPTH, MESSAGES
from daemon.osc.rows import NO_REQUEST, PROTOCOL, Arg, Command, synopsis
from daemon.osc.schedule import ENTRIES
from daemon.protocol.messages import CODES, COMMANDS, REPLIES
from ditto_rt.tags import ALIASES, GENRES, MOODS

_INTRODUCTION = f"""# The OSC protocol, version {PROTOCOL}

Written from the table in [daemon/protocol/messages.py](../daemon/protocol/messages.py) by
`make docs`; a test keeps the two alike.

The daemon listens on UDP 127.0.0.1:7770 (`[osc]` in config.toml). It takes OSC 1.0 messages and
bundles. Numbers may come as i, f, h or d wherever they have the value that is asked (3.0 is a
whole number), T and F as 1 and 0. It sends only i, f and s, at most 1400 bytes a datagram; longer
texts are cut and end in `...`.

**Commands are carried out in the order they come, one at a time.** A render is put in a line and
goes on beside what follows; `/ditto/sync` waits for it.

**Request ids.** Every command takes one more int at its end, the request id, and its replies
echo it. In `/ditto/done`, `/ditto/fail` and `/ditto/queued` it stands second and is {NO_REQUEST}
where none was given; to all other replies it is added at the end where one was given. Where
arguments come in groups, one value more than full groups is the request id.

**Where replies go.** To the port that `/ditto/notify` named for this sender (its host and source
port), else to the port the command came from. Max needs the first: nobody can know its source
port. One-shot tools such as oscsend have closed their port when the reply comes; so a sender that
never registered is answered at its source port, and every client that registered from the same
machine gets a copy.

**Events** (`/ditto/state`, `/ditto/slot/state`, `/ditto/heartbeat`, and `/ditto/take` of others'
renders) go to all registered clients that
were heard within the last 60 s (`notify_expiry_s`). Any message counts, a `/ditto/ping` now and
then will do. Replies find their way also after a longer silence. At most 64 clients are kept.

**Patterns** such as `/ditto/slot/{{tempo,seed}}` reach every command they match, but never
`/ditto/quit`. A message with a type tag outside `ifsbhtdrmTFN[]` is
discarded whole and answered with `/ditto/fail`; a datagram whose structure is broken is discarded
whole. Messages with the addresses of replies are ignored.

**Time tags** hold nothing back unless `[osc] time_tags = "schedule"`: a bundle for the future is
carried out at once, and the log says so once for each client. With that setting it waits for its
time: messages of one bundle are carried out together, bundles for the same time in the order they
came, and `/ditto/play 0 0.` begins at that time to the sample, as it leaves the device. For that
the daemon carries a bundle out about 0.1 s before its time, so settings in it hold that much
sooner, and answers come then. A bundle inside another is never due before that one. One that comes
too late is carried out at once and counted. At most {ENTRIES} messages wait, for at most
`schedule_horizon_s`; more are refused. `/ditto/clear_sched` forgets all that waits. The clocks of
both machines must agree (NTP sees to it): nothing is guessed. /status.json shows under `schedule`
by how much the newest bundle came before its time (`ahead_s`): a figure that is not the latency
your program adds is the difference of the clocks.

**Limits.** A datagram holds at most {MESSAGES} messages, a message {ARGUMENTS} arguments, a blob
{BLOB_BYTES} bytes; bundles nest {BUNDLE_DEPTH} deep. When datagrams come faster than they can be
carried out, `queue_datagrams` of them wait; more are dropped and counted in the status.
"""


def document() -> str:
    """Return docs/protocol.md."""
    parts = [
        _INTRODUCTION,
        "## Commands\n",
        _table(
            ("command", "meaning"),
            ((f"[`{c.address}`](#{_anchor(c.address)})", c.meaning) for c in COMMANDS.values()),
        ),
        *(_command(command) for command in COMMANDS.values()),
        "## Replies and events\n",
        *(
            f"### {reply.address}\n\n"
            + f"{reply.meaning}\n\n" * bool(reply.meaning)
            + _arguments(_with_id(reply.args, reply.always_id))
            for reply in REPLIES.values()
        ),
        "## Codes of /ditto/fail\n",
        _table(("code", "meaning"), ((f"`{code}`", text) for code, text in CODES.items())),
        "## Words for /ditto/slot/tags\n",
        f"Genres: {', '.join(GENRES)}.\n\nMoods: {', '.join(MOODS)}.\n\n"
        "Also understood: " + ", ".join(f"{a} ({name})" for a, name in ALIASES.items()) + ".\n",
    ]
    return "\n".join(parts)


def _command(command: Command) -> str:
    lines = [
        f"### {command.address}\n",
        f"`{command.address} {synopsis(command)}`\n",
        f"{command.meaning}\n",
        _arguments((*command.args, *command.group)),
        f"Replies: {', '.join(_replies(command))}; or `/ditto/fail`.\n",
    ]
    return "\n".join(line for line in lines if line)


def _replies(command: Command) -> Iterable[str]:
    for address in command.replies:
        yield f"[`{address}`](#{_anchor(address)})"
    if command.done is not None:
        values = "".join(f" {arg.name}" for arg in command.done)
        notes = "; ".join(f"{a.name}: {a.meaning}" for a in command.done if a.name != "slot")
        only = ", only where a request id is given" * command.stream
        yield f"`/ditto/done {command.address} reqid{values}`" + f" ({notes})" * bool(notes) + only


def _with_id(args: tuple[Arg, ...], always: bool) -> tuple[Arg, ...]:
    if not always:
        return args
    return (*args[:1], Arg("reqid", "int", f"the request id, {NO_REQUEST} for none"), *args[1:])


def _arguments(args: tuple[Arg, ...]) -> str:
    kinds = {"int": "i", "float": "f", "text": "s"}
    rows = ((f"`{a.name}`", kinds[a.kind], _allowed(a), a.meaning) for a in args)
    return _table(("argument", "type", "allowed", "meaning"), rows) if args else ""


def _allowed(arg: Arg) -> str:
    words = str(arg.allowed or "") or ", ".join(arg.choices)
    return f"{words} (optional)".strip() if arg.optional else words


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _anchor(address: str) -> str:
    # As GitHub makes them: lower case, punctuation left out.
    return "".join(sign for sign in address if sign.isalnum() or sign in "_-")


if __name__ == "__main__":
    sys.stdout.write(document())
