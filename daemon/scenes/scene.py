"""What a scene is: sixteen slots as they were when it was saved. Frozen, checked, no I/O.

A scene is one JSON file; the sound of its takes lies beside it, in files that are named by their
content. The file of a scene is named by a digest of its name, so a name may hold any text.
"""

import hashlib
import unicodedata
from math import isfinite
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from daemon.errors import Refusal
from daemon.takes.slots import Slot
from daemon.takes.take import Take
from ditto_rt import limits
from ditto_rt.spec import Job
from ditto_rt.tags import Tags

FORMAT: Literal[1] = 1
DIGEST = r"[0-9a-f]{64}"
# The loudest that /ditto/gain can set, as a factor.
_LOUDEST = 10 ** (limits.GAIN_DB.high / 20) * (1 + 1e-9)


def checked_name(text: str) -> str:
    """Return a scene's name as it is kept: composed, without space around it.

    Raises Refusal for an empty one, one that is too long, and signs that nobody can see.
    """
    name = unicodedata.normalize("NFC", text).strip()
    problem = limits.SCENE_NAME.problem("length of the scene's name", len(name))
    if problem:
        raise Refusal("bad_value", problem)
    # Control signs such as NUL, halves of surrogate pairs, ends of lines.
    if bad := [sign for sign in name if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")]:
        raise Refusal(
            "bad_value", f"scene's name has the sign {ascii(bad[0])}; allowed: signs that are seen"
        )
    return name


def key_of(name: str) -> str:
    """Return the name of the scene's file, without its suffix."""
    return hashlib.sha256(name.encode()).hexdigest()


def _fits(name: str) -> str:
    try:
        kept = checked_name(name)
    except Refusal as refusal:
        raise ValueError(str(refusal)) from None
    if kept != name:
        raise ValueError(f"name is {name!r:.80}; allowed: {kept!r:.80}")
    return name


def _bpm(value: float) -> float:
    if problem := limits.BPM.problem("bpm", value):
        raise ValueError(problem)
    return value


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Frozen):
    """One slot of a scene: what was set, its gain as a factor, its take, and whether it played.

    `audio` names the take's sound by its content, SHA-256. `endless`: it went on from its take.
    """

    slot: Annotated[int, Field(ge=limits.SLOT.low, le=limits.SLOT.high)]
    controls: Job
    gain: Annotated[float, Field(ge=0, le=_LOUDEST)] = 1.0
    take: Take | None = None
    audio: Annotated[str, Field(pattern=f"^{DIGEST}$")] | None = None
    plays: bool = False
    endless: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.take is None) != (self.audio is None):
            raise ValueError(f"slot {self.slot} has a take without its sound, or the reverse")
        if (self.plays or self.endless) and self.take is None:
            raise ValueError(f"slot {self.slot} plays without a take")
        if self.take and self.take.slot != self.slot:
            raise ValueError(f"slot {self.slot} has a take of slot {self.take.slot}")
        return self

    def slot_with(self, version: int) -> Slot:
        """Return the controls as a slot holds them; its takes go on counting from `version`."""
        job = self.controls
        parts = {name: getattr(job, name) for name in _SHARED}
        return Slot(tags=Tags(job.genre, job.mood), version=version, **parts)


_SHARED = ("bpm", "beats", "seed", "region", "intensity", "melody", "structure", "loop", "quality")


class Scene(_Frozen):
    """A scene; `bpm` is the transport's, `saved_s` the system's time when it was saved."""

    format: Literal[1] = FORMAT
    name: Annotated[str, AfterValidator(_fits)]
    saved_s: float
    bpm: Annotated[float, AfterValidator(_bpm)]
    parts: Annotated[tuple[Part, ...], Field(max_length=int(limits.SLOT.high) + 1)]

    @model_validator(mode="after")
    def _each_slot_once(self) -> Self:
        if len({part.slot for part in self.parts}) != len(self.parts):
            raise ValueError("a slot is there twice; allowed: once")
        if not isfinite(self.saved_s):
            raise ValueError("saved_s is no time")
        return self

    @property
    def key(self) -> str:
        """The name of its file, without the suffix."""
        return key_of(self.name)

    @property
    def plays(self) -> int:
        """How many of its slots play."""
        return sum(part.plays for part in self.parts)

    @property
    def audio(self) -> frozenset[str]:
        """The sound that it needs."""
        return frozenset(part.audio for part in self.parts if part.audio)
