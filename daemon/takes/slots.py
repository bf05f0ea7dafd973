"""What is set in a slot, and how a command changes it. Frozen and pure: no I/O."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError

from daemon.errors import Refusal
from daemon.osc.arguments import Call, Value
from ditto_rt.limits import SLOT
from ditto_rt.spec import (
    Intensity,
    Job,
    Loop,
    Melody,
    Note,
    Point,
    Quality,
    Region,
    Structure,
    sentence,
)
from ditto_rt.tags import Tags, parse_tags

SLOTS = int(SLOT.high) + 1
AUTO = -1

T = TypeVar("T")


@dataclass(frozen=True)
class Slot:
    """One of the places a musician works in; `version` counts its takes."""

    tags: Tags = Tags()
    bpm: float = 120.0
    beats: float = 8.0
    seed: int = 0
    region: Region | None = None
    intensity: Intensity | None = None
    melody: Melody | None = None
    structure: Structure | None = None
    loop: Loop | None = None
    quality: Quality = field(default_factory=Quality)
    version: int = 0

    def job(self) -> Job:
        """Return all of it as a job. Raises Refusal where its parts do not go together."""
        return checked(
            Job,
            genre=self.tags.genre,
            mood=self.tags.mood,
            bpm=self.bpm,
            beats=self.beats,
            seed=self.seed,
            region=self.region,
            intensity=self.intensity,
            melody=self.melody,
            structure=self.structure,
            loop=self.loop,
            quality=self.quality,
        )


@dataclass(frozen=True)
class Change:
    """A slot after a command, and the values of the reply that follow its number."""

    slot: Slot
    values: tuple[Value, ...] = ()


def checked(build: Callable[..., T], **arguments: object) -> T:
    """Build a specification; its failed check becomes a Refusal with the same sentence."""
    try:
        return build(**arguments)
    except ValidationError as error:
        raise Refusal("bad_value", sentence(error)) from error


def changed(slot: Slot, **parts: Any) -> Slot:
    """Return the slot with some parts replaced. Raises Refusal where the whole is no job."""
    new = replace(slot, **parts)
    new.job()
    return new


def with_region(slot: Slot, path: str, start_s: float, end_s: float, mode: str) -> Slot:
    """Return the slot with a region whose file has been looked at."""
    region = checked(Region, path=path, start_s=start_s, end_s=end_s, mode=mode)
    return changed(slot, region=region)


def with_melody(slot: Slot, melody: Melody) -> Change:
    """Return the slot with a melody."""
    return Change(changed(slot, melody=melody), (len(melody.notes),))


def _tags(slot: Slot, call: Call) -> Change:
    tags, unknown = parse_tags(call.text("text"))
    return Change(changed(slot, tags=tags), (str(tags), ", ".join(unknown)))


def _tempo(slot: Slot, call: Call) -> Change:
    new = changed(slot, bpm=call.number("bpm"), beats=call.number("beats"))
    return Change(new, (new.job().seconds,))


def _seed(slot: Slot, call: Call) -> Change:
    return Change(changed(slot, seed=call.integer("seed")))


def _intensity(slot: Slot, call: Call) -> Change:
    points = tuple(checked(Point, beat=beat, db=db) for beat, db in call.groups)
    curve = checked(Intensity, points=points)
    return Change(changed(slot, intensity=curve), (len(points),))


def _melody(slot: Slot, call: Call) -> Change:
    notes = tuple(checked(Note, pitch=p, beat=at, beats=long) for p, at, long in call.groups)
    return with_melody(slot, checked(Melody, notes=notes))


def _structure(slot: Slot, call: Call) -> Change:
    return Change(changed(slot, structure=checked(Structure, pattern=call.text("pattern"))))


def _loop(slot: Slot, call: Call) -> Change:
    return Change(changed(slot, loop=checked(Loop, overlap_s=call.number("overlap_s"))))


def _quality(slot: Slot, call: Call) -> Change:
    iterations = call.integer("iterations")
    new = slot.quality.model_copy(
        update={
            "steps": call.integer("steps"),
            "iterations": None if iterations == AUTO else iterations,
        }
    )
    return Change(changed(slot, quality=new))


def _guidance(slot: Slot, call: Call) -> Change:
    new = slot.quality.model_copy(update={"guidance": call.number("guidance")})
    return Change(changed(slot, quality=new))


SETTERS: Mapping[str, Callable[[Slot, Call], Change]] = MappingProxyType(
    {
        "/ditto/slot/tags": _tags,
        "/ditto/slot/tempo": _tempo,
        "/ditto/slot/seed": _seed,
        "/ditto/slot/intensity": _intensity,
        "/ditto/slot/melody": _melody,
        "/ditto/slot/structure": _structure,
        "/ditto/slot/loop": _loop,
        "/ditto/slot/quality": _quality,
        "/ditto/slot/guidance": _guidance,
    }
)


def cleared(slot: Slot, control: str, fresh: Slot) -> Slot:
    """Return the slot without one control; 'all' leaves only its version and `fresh`'s values."""
    if control == "all":
        return replace(fresh, version=slot.version)
    return changed(slot, **{control: None})
