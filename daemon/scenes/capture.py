"""The slots as they are now -> a scene, and where the sound of its takes is. No I/O."""

from collections.abc import Mapping
from pathlib import Path

from daemon.errors import Refusal
from daemon.live.endless import Endless
from daemon.playing.stage import Stage
from daemon.playing.timeline import Held
from daemon.rendering.desk import Desk
from daemon.scenes.scene import Part, Scene
from daemon.takes.slots import SLOTS


def capture(
    name: str, desk: Desk, stage: Stage, endless: Endless, saved_s: float
) -> tuple[Scene, Mapping[int, Path]]:
    """Return all slots that are in use as a scene, and the file of each one's take.

    Of what is planned the last counts: a slot that is about to stop does not play.
    """
    parts, sounds = [], {}
    for slot in range(SLOTS):
        held, plays = _held(slot, stage)
        controls, fresh = desk.slots[slot].job(), desk.fresh.job()
        if held is None and controls == fresh and stage.gains[slot] == 1.0:
            continue
        take = None
        if held:
            sounds[slot] = Path(held.path)
            take = held.take
        part = Part.model_construct(
            slot=slot,
            controls=controls,
            gain=stage.gains[slot],
            take=take,
            plays=plays,
            endless=endless.is_on(slot),
        )
        parts.append(part)
    scene = Scene.model_construct(
        name=name, saved_s=saved_s, bpm=float(stage.transport.bpm), parts=tuple(parts)
    )
    return scene, sounds


def _held(slot: int, stage: Stage) -> tuple[Held | None, bool]:
    try:
        held = stage.choice.held(slot)
    except Refusal:
        return None, False
    planned = stage.plans[slot].changes
    return held, bool(planned) and planned[-1].loop is not None
