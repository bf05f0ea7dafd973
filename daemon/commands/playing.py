"""One function for each command about playing; see handlers.py for what they may do."""

from collections.abc import Mapping
from types import MappingProxyType

from daemon.commands.office import Errand, Handler, Office
from daemon.osc.arguments import Value


async def _play(office: Office, errand: Errand) -> tuple[Value, ...]:
    slot, quantum = errand.call.integer("slot"), errand.call.number("quantum_beats")
    return slot, *office.stage.play(slot, quantum, errand.asker, errand.due_ns)


async def _stop(office: Office, errand: Errand) -> tuple[Value, ...]:
    slot = errand.call.integer("slot")
    return slot, office.stage.stop(slot, errand.call.number("quantum_beats"), errand.due_ns)


async def _gain(office: Office, errand: Errand) -> tuple[Value, ...]:
    slot = errand.call.integer("slot")
    return slot, office.stage.gain(slot, errand.call.number("db"), errand.due_ns)


async def _rollback(office: Office, errand: Errand) -> tuple[Value, ...]:
    slot = errand.call.integer("slot")
    return slot, *office.stage.rollback(slot)


async def _endless(office: Office, errand: Errand) -> tuple[Value, ...]:
    slot, on = errand.call.integer("slot"), errand.call.integer("on")
    office.endless.turn(slot, bool(on), errand.asker)
    return slot, on


async def _panic(office: Office, errand: Errand) -> tuple[Value, ...]:
    office.stage.panic()
    return ()


async def _tempo(office: Office, errand: Errand) -> tuple[Value, ...]:
    return (office.conductor.set_tempo(errand.call.number("bpm"), errand.due_ns),)


async def _start(office: Office, errand: Errand) -> tuple[Value, ...]:
    beat = errand.call.values.get("beat")
    return (office.conductor.start(None if beat is None else float(beat), errand.due_ns),)


async def _halt(office: Office, errand: Errand) -> tuple[Value, ...]:
    return (office.conductor.halt(errand.due_ns),)


async def _beat(office: Office, errand: Errand) -> tuple[Value, ...]:
    return (office.conductor.move(errand.call.number("beat"), errand.due_ns),)


async def _source(office: Office, errand: Errand) -> tuple[Value, ...]:
    source = errand.call.text("source")
    await office.conductor.use(source)
    return (source,)


async def _transport(office: Office, errand: Errand) -> None:
    office.outbox.reply(errand.asker, "/ditto/transport.reply", *office.conductor.values())


async def _audio(office: Office, errand: Errand) -> None:
    output, clock = office.stage.output, office.stage.clock
    office.outbox.reply(
        errand.asker,
        "/ditto/audio.reply",
        output.state,
        output.device,
        office.stage.transport.rate_hz,
        clock.block_frames,
        output.latency_s,
        clock.underruns,
        clock.late,
        output.text,
        clock.clipped,
    )


async def _automation(office: Office, errand: Errand) -> tuple[Value, ...]:
    slot, beat = errand.call.integer("slot"), errand.call.number("beat")
    value = errand.call.number("value")
    return slot, office.automation.write(slot, beat, value, errand.asker)


async def _clear_automation(office: Office, errand: Errand) -> tuple[Value, ...]:
    slot = errand.call.integer("slot")
    return slot, office.automation.clear(slot)


HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "/ditto/play": _play,
        "/ditto/stop": _stop,
        "/ditto/gain": _gain,
        "/ditto/rollback": _rollback,
        "/ditto/endless": _endless,
        "/ditto/panic": _panic,
        "/ditto/transport": _transport,
        "/ditto/transport/source": _source,
        "/ditto/transport/tempo": _tempo,
        "/ditto/transport/start": _start,
        "/ditto/transport/stop": _halt,
        "/ditto/transport/beat": _beat,
        "/ditto/audio": _audio,
        "/ditto/automation": _automation,
        "/ditto/automation/clear": _clear_automation,
    }
)
