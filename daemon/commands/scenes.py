"""One function for each command about scenes; handlers.py says what they may do."""

from collections.abc import Mapping
from types import MappingProxyType

from daemon.commands.office import Errand, Handler, Office
from daemon.osc.arguments import Value
from daemon.scenes.board import NO_BEAT

# A bar: what Ableton Live waits for, too, unless it is told otherwise.
QUANTUM_BEATS = 4.0


async def _save(office: Office, errand: Errand) -> tuple[Value, ...]:
    scene = await office.board.save(errand.call.text("name"))
    return scene.name, len(scene.parts), scene.plays


async def _recall(office: Office, errand: Errand) -> tuple[Value, ...]:
    scene = await office.board.find(errand.call.text("name"))
    quantum = float(errand.call.values.get("quantum_beats", QUANTUM_BEATS))
    beat = office.board.recall(scene, quantum, errand.asker, errand.due_ns).beat
    if beat is None:
        return scene.name, 0, NO_BEAT
    return scene.name, scene.plays, float(beat)


async def _list(office: Office, errand: Errand) -> tuple[Value, ...]:
    scenes = office.board.scenes
    for name in sorted(scenes):
        values = (name, len(scenes[name].parts), scenes[name].plays, scenes[name].bpm)
        office.outbox.reply(errand.asker, "/ditto/scene/list.reply", *values)
    return (len(scenes),)


async def _delete(office: Office, errand: Errand) -> tuple[Value, ...]:
    return (await office.board.delete(errand.call.text("name")),)


HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "/ditto/scene/save": _save,
        "/ditto/scene/recall": _recall,
        "/ditto/scene/list": _list,
        "/ditto/scene/delete": _delete,
    }
)
