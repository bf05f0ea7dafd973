"""The sets of clips that are compared, and the judgement of each clip.

B batch, N samples, M mel bands, F frames.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ditto_rt import spec
from ditto_rt.assemble import assemble
from ditto_rt.builtin import Builtin
from ditto_rt.builtin.mel import HOP, RATE_HZ, log_mel_BMF
from ditto_rt.controls import Rendered
from ditto_rt.evaluate.asked import SECONDS, like_held_out, with_control
from ditto_rt.evaluate.onsets import first_beat_ms, tempo_near
from ditto_rt.evaluate.records import Record
from ditto_rt.evaluate.tagger import LOWEST_BPM, TEMPO_STEPS, Tagger
from ditto_rt.layout import lay_out
from ditto_rt.render import Take, render
from ditto_rt.tags import GENRES, MOODS
from ditto_rt.training.corpus import HELD_OUT_SEEDS, make_clip

REAL, OTHER, CODED = "real", "other real", "real through the codec"
# The other half of the held-out clips begins here, whatever the size of the sets.
OTHER_FROM = 100_000
CONTROLLED = ("intensity", "melody", "structure")


@dataclass(frozen=True, eq=False)
class ClipSet:
    """A named set of clips; `make` gives the record of one of them by its number."""

    name: str
    count: int
    make: Callable[[int], Record]
    # Whether the record depends on more than the tagger's weights.
    generated: bool = True


def steps_name(steps: int) -> str:
    """Return the name of the set of takes made in so many steps."""
    return f"{steps} step{'s' * (steps > 1)}"


def free_name(control: str) -> str:
    """Return the name of the set of a control's takes without the control."""
    return f"{control}, not asked"


@torch.inference_mode()
def judged(tagger: Tagger, audio_N: NDArray[np.float32], job: spec.Job) -> Record:
    """Return what is heard in a clip at 44.1 kHz that should be as the job says."""
    whole = len(audio_N) // HOP * HOP
    heard = tagger(log_mel_BMF(torch.from_numpy(audio_N[None, :whole])))
    return Record(
        seed=job.seed,
        genre=job.genre or "",
        mood=job.mood or "",
        bpm=job.bpm,
        heard_genre=GENRES[int(heard.genre_BG.argmax())],
        heard_mood=MOODS[int(heard.mood_BK.argmax())],
        heard_bpm=LOWEST_BPM * 2.0 ** (int(heard.tempo_BT.argmax()) / TEMPO_STEPS),
        found_bpm=tempo_near(audio_N, RATE_HZ, job.bpm),
        first_beat_ms=first_beat_ms(audio_N, RATE_HZ, job.bpm),
        embedding=tuple(round(float(x), 6) for x in heard.embedding_BE[0]),
    )


def _real(tagger: Tagger, model: Builtin | None, first: int, number: int) -> Record:
    audio_N = make_clip(HELD_OUT_SEEDS[first + number], SECONDS).audio_N
    if model is not None:
        whole = len(audio_N) // model.latent_hop * model.latent_hop
        with torch.inference_mode():
            real_BN = torch.from_numpy(audio_N[None, :whole]).to(model.device)
            coded_BN = model.decode(model.encode(real_BN))
        audio_N = coded_BN[0].cpu().numpy()
    return judged(tagger, audio_N, like_held_out(first + number, spec.Quality()))


def take_of(job: spec.Job, model: Builtin) -> Take:
    """Return the finished take of a job at the model's rate, by the daemon's own code."""
    (take,) = (event for event in render(job, model, RATE_HZ) if isinstance(event, Take))
    return take


def _made(tagger: Tagger, model: Builtin, quality: spec.Quality, number: int) -> Record:
    job = like_held_out(number, quality)
    return judged(tagger, take_of(job, model).audio_N, job)


def own_loss(job: spec.Job, model: Builtin, audio_N: NDArray[np.float32]) -> float:
    """Return what a finished take costs by the loss of the job's one control."""
    layout = lay_out(job, RATE_HZ, RATE_HZ)
    (control,) = assemble(job, layout, model).controls
    whole_BN = torch.from_numpy(audio_N[None]).to(model.device)
    return float(control.loss(Rendered(whole_BN.new_empty(0), whole_BN)))


def _followed(
    tagger: Tagger, model: Builtin, control: str, quality: spec.Quality, number: int
) -> Record:
    job = with_control(control, number, quality)
    take = take_of(job, model)
    report = take.report
    # The curve of levels is no figure: a mean over takes says nothing.
    own = getattr(report, control).model_dump(exclude={"level_db"})
    searched = {
        "own_loss": own_loss(job, model, take.audio_N),
        "iterations": float(report.iterations),
        "wall_s": report.wall_s,
    }
    return replace(judged(tagger, take.audio_N, job), figures=own | searched)


def real_sets(tagger: Tagger, model: Builtin, count: int) -> list[ClipSet]:
    """Return two halves of held-out clips, and the first half through latent and vocoder."""
    return [
        ClipSet(REAL, count, partial(_real, tagger, None, 0), generated=False),
        ClipSet(OTHER, count, partial(_real, tagger, None, OTHER_FROM), generated=False),
        ClipSet(CODED, count, partial(_real, tagger, model, 0)),
    ]


def generated_sets(
    tagger: Tagger, model: Builtin, count: int, steps: tuple[int, ...]
) -> list[ClipSet]:
    """Return takes with the tags and tempos of the first half, for each number of steps."""
    return [
        ClipSet(steps_name(each), count, partial(_made, tagger, model, spec.Quality(steps=each)))
        for each in steps
    ]


def control_sets(
    tagger: Tagger, model: Builtin, count: int, quality: spec.Quality
) -> list[ClipSet]:
    """Return, for each control, takes that follow it and the same takes without it."""
    free = quality.model_copy(update={"iterations": 0})
    return [
        ClipSet(name, count, partial(_followed, tagger, model, control, each))
        for control in CONTROLLED
        for name, each in ((control, quality), (free_name(control), free))
    ]
