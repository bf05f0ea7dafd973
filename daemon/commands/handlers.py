"""One function for each command of the protocol's table.

A handler returns the values of /ditto/done, or None where it answers in another way or later. It
raises Refusal. Commands that only change a slot are in slots.SETTERS.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from daemon.aside import in_thread
from daemon.commands import playing
from daemon.commands import scenes as scene_handlers
from daemon.commands.office import Errand, Handler, Office
from daemon.errors import Refusal
from daemon.files import allowed_file, check_region
from daemon.osc.arguments import Call, Value
from daemon.osc.guard import Argument
from daemon.osc.outbox import DATAGRAM_BYTES, Asker, message
from daemon.osc.rows import PROTOCOL, synopsis
from daemon.protocol.messages import COMMANDS
from daemon.rendering.deadlines import aim
from daemon.takes import slots
from ditto_rt import __version__

SYNCS = 256
NAME = "ditto-rt"

log = logging.getLogger(__name__)


async def _notify(office: Office, errand: Errand) -> tuple[Value, ...] | None:
    values, source = errand.call.values, errand.source
    port = int(values.get("port", source[1]))
    if not errand.call.integer("on"):
        office.clients.forget(source)
        return (source[1],)
    if port == office.own[1] and source[0] in ("127.0.0.1", office.own[0]):
        # Replies would come in as commands, and be answered, for ever.
        raise Refusal("bad_value", f"port is {port}, the daemon's own; allowed: any other")
    name = str(values.get("name", ""))
    office.clients.register(source, port, name, time.monotonic())
    log.info("%s:%d %s is answered at port %d", *source, name, port)
    # The answer goes where the client has just said it listens.
    targets = office.clients.hear(source, time.monotonic())
    office.outbox.done(Asker(targets, errand.asker.command, errand.asker.reqid), port)
    return None


async def _ping(office: Office, errand: Errand) -> None:
    values = tuple(_echoed(number, value) for number, value in enumerate(errand.arguments, 1))
    size = len(message("/ditto/pong", values[:0])) + sum(_bytes(value) for value in values)
    if size > DATAGRAM_BYTES:
        raise Refusal("bad_value", f"the answer has {size} bytes; allowed: {DATAGRAM_BYTES}")
    office.outbox.reply(Asker(errand.asker.targets, ""), "/ditto/pong", *values)


def _echoed(number: int, value: Argument) -> Value:
    match value:
        case bool():
            return int(value)
        case int():
            return value if -(2**31) <= value < 2**31 else float(value)
        case float() | str():
            return value
    raise Refusal("bad_type", f"argument {number} is {value!r:.60}; allowed: numbers and text")


def _bytes(value: Value) -> int:
    # With its type tag; text is padded to a multiple of 4 after its NUL.
    return 1 + (len(value.encode()) // 4 + 1) * 4 if isinstance(value, str) else 5


async def _version(office: Office, errand: Errand) -> None:
    major, minor, patch = (int(part) for part in __version__.split(".")[:3])
    office.outbox.reply(errand.asker, "/ditto/version.reply", NAME, major, minor, patch, PROTOCOL)


async def _status(office: Office, errand: Errand) -> None:
    desk = office.desk
    office.outbox.reply(
        errand.asker,
        "/ditto/status.reply",
        desk.state,
        desk.model,
        desk.device,
        len(desk.line),
        desk.jobs_done,
        office.dropped(),
    )


async def _help(office: Office, errand: Errand) -> tuple[Value, ...]:
    wanted = errand.call.values.get("address")
    if wanted is not None and wanted not in COMMANDS:
        raise Refusal("unknown_command", f"address is {wanted!r}; allowed: {', '.join(COMMANDS)}")
    for address, command in COMMANDS.items():
        if wanted in (None, address):
            words = (address, synopsis(command), command.meaning)
            office.outbox.reply(errand.asker, "/ditto/help.reply", *words)
    return ()


async def _sync(office: Office, errand: Errand) -> None:
    before = office.desk.line.unfinished()
    number = errand.call.integer("id")
    if len(office.later) >= SYNCS:
        raise Refusal("busy", f"{len(office.later)} /ditto/sync wait already; allowed: {SYNCS}")

    async def answer() -> None:
        for request in before:
            await request.finished.wait()
        office.outbox.reply(errand.asker, "/ditto/synced", number)

    task = asyncio.create_task(answer())
    office.later.add(task)
    task.add_done_callback(office.later.discard)


async def _region(office: Office, errand: Errand) -> tuple[Value, ...]:
    call = errand.call
    return await _set_region(office, call, call.number("start_s"), call.number("end_s"))


async def _region_beats(office: Office, errand: Errand) -> tuple[Value, ...]:
    call = errand.call
    beat_s = 60.0 / call.number("bpm")
    start_s, end_s = call.number("start_beat") * beat_s, call.number("end_beat") * beat_s
    return await _set_region(office, call, start_s, end_s)


async def _set_region(
    office: Office, call: Call, start_s: float, end_s: float
) -> tuple[Value, ...]:
    number, text, mode = call.integer("slot"), call.text("path"), call.text("mode")
    # The order of start and end needs no file.
    slots.with_region(office.desk.slots[number], text, start_s, end_s, mode)

    def look() -> tuple[Path, float]:
        path = allowed_file(text, office.roots)
        return path, check_region(path, start_s, end_s)

    path, file_s = await in_thread(look)
    slot = office.desk.slots[number]
    office.desk.slots[number] = slots.with_region(slot, str(path), start_s, end_s, mode)
    return number, file_s


async def _melody_file(office: Office, errand: Errand) -> tuple[Value, ...]:
    from ditto_rt.midi import read_midi

    number, text = errand.call.integer("slot"), errand.call.text("path")
    melody = await in_thread(lambda: read_midi(allowed_file(text, office.roots)))
    change = slots.with_melody(office.desk.slots[number], melody)
    office.desk.slots[number] = change.slot
    return number, *change.values


async def _set(office: Office, errand: Errand) -> tuple[Value, ...]:
    number = errand.call.integer("slot")
    change = slots.SETTERS[errand.call.command.address](office.desk.slots[number], errand.call)
    office.desk.slots[number] = change.slot
    return number, *change.values


async def _clear(office: Office, errand: Errand) -> tuple[Value, ...]:
    number, control = errand.call.integer("slot"), errand.call.text("control")
    slot = office.desk.slots[number]
    office.desk.slots[number] = slots.cleared(slot, control, office.desk.fresh)
    return (number,)


async def _get(office: Office, errand: Errand) -> None:
    number = errand.call.integer("slot")
    slot, request = office.desk.slots[number], office.desk.line.of(number)
    running = request is not None and request is office.desk.line.running
    office.outbox.reply(
        errand.asker,
        "/ditto/slot/get.reply",
        number,
        slot.version,
        "rendering" if running else "waiting" if request else "idle",
        str(slot.tags),
        slot.bpm,
        slot.beats,
        slot.seed,
        slot.region.mode if slot.region else "",
        slot.region.path if slot.region else "",
        len(slot.intensity.points) if slot.intensity else 0,
        len(slot.melody.notes) if slot.melody else 0,
        slot.structure.pattern if slot.structure else "",
        slot.loop.overlap_s if slot.loop else 0.0,
    )


async def _last(office: Office, errand: Errand) -> None:
    office.desk.resend(errand.call.integer("slot"), errand.asker)


async def _render(office: Office, errand: Errand) -> None:
    office.desk.submit(errand.call.integer("slot"), errand.asker)


async def _render_by(office: Office, errand: Errand) -> None:
    slot, desk = errand.call.integer("slot"), office.desk
    job = desk.slots[slot].job()
    quantum = errand.call.number("deadline_beats")
    deadline = aim(office.stage, slot, quantum, job.beats, desk.earliest_s(job))
    desk.submit(slot, errand.asker, job, deadline=deadline)


async def _cancel(office: Office, errand: Errand) -> tuple[Value, ...]:
    number = errand.call.integer("slot")
    return number, int(office.desk.cancel(number))


async def _clear_sched(office: Office, errand: Errand) -> tuple[Value, ...]:
    text = "/ditto/clear_sched cleared what waited for its time"
    return (office.schedule.clear(office.outbox, "cancelled", text),)


async def _quit(office: Office, errand: Errand) -> tuple[Value, ...]:
    log.info("%s:%d asked for the end", *errand.source)
    office.stop()
    return ()


HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "/ditto/notify": _notify,
        "/ditto/ping": _ping,
        "/ditto/version": _version,
        "/ditto/status": _status,
        "/ditto/help": _help,
        "/ditto/sync": _sync,
        "/ditto/slot/region": _region,
        "/ditto/slot/region_beats": _region_beats,
        "/ditto/slot/melody_file": _melody_file,
        **dict.fromkeys(slots.SETTERS, _set),
        "/ditto/slot/clear": _clear,
        "/ditto/slot/get": _get,
        "/ditto/slot/last": _last,
        "/ditto/render": _render,
        "/ditto/render_by": _render_by,
        "/ditto/cancel": _cancel,
        **playing.HANDLERS,
        "/ditto/clear_sched": _clear_sched,
        **scene_handlers.HANDLERS,
        "/ditto/quit": _quit,
    }
)
