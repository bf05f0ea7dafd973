"""Rendering when memory is short: again with less, rung by rung, and at last a clear failure."""

import gc
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ditto_rt.errors import OutOfMemory
from ditto_rt.model import Model
from ditto_rt.render import Draft, Progress, Take, render
from ditto_rt.spec import Job, Quality

# How oneDNN says it, and the others that have no class for it.
_NO_PRIMITIVE = "could not create a primitive"
_SENTENCES = ("allocate memory", "out of memory", "bad_alloc", "alloc_failed", _NO_PRIMITIVE)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rung:
    """So many times fewer sampler steps; thrifty: see `ditto_rt.render.render`."""

    fewer: int
    thrifty: bool

    def quality(self, asked: Quality) -> Quality:
        """Return what is left of the quality that was asked."""
        steps, search_steps = asked.steps // self.fewer, asked.search_steps // self.fewer
        fewer = {"steps": max(1, steps), "search_steps": max(1, search_steps)}
        return asked.model_copy(update=fewer)

    def words(self, asked: Quality) -> str:
        """Return what a report says was lowered; '' on the first rung."""
        less = self.quality(asked)
        parts = [
            f"{name} {getattr(less, name)} in place of {getattr(asked, name)}"
            for name in ("steps", "search_steps")
            if getattr(less, name) != getattr(asked, name)
        ]
        return ", ".join([*parts, *(["one call at a time"] if self.thrifty else [])])


RUNGS = (Rung(1, False), Rung(2, False), Rung(4, True))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory was short, on the device or beside it."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(each in text for each in _SENTENCES)


def note(error: BaseException) -> None:
    """Go on without oneDNN where this error was its: `is_spoilt` from then on.

    It makes its code when a shape first comes. Where memory was short for that once, it fails at
    every shape that has not come before, with memory to spare (torch 2.13). Without it a take is
    slower and sounds the same.
    """
    if _NO_PRIMITIVE in str(error):
        torch.backends.mkldnn.set_flags(False)  # type: ignore[no-untyped-call]


def is_spoilt() -> bool:
    """Return whether only a new process will be as fast as this one was."""
    has_it: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return has_it and not torch.backends.mkldnn.enabled


def free() -> None:
    """Give back what nobody holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def climb_down(
    job: Job,
    model: Model,
    output_rate_hz: int,
    start: NDArray[np.float32] | None = None,
    search: Callable[..., Iterator[Progress | Take]] = render,
) -> Iterator[Progress | Take]:
    """Yield as `render` does, with less where memory is short; reports say what was lowered.

    A search that is tried again goes on from the best noise that it had found. Raises OutOfMemory
    where the last rung is too much, and what `render` raises.
    """
    x_T = start
    for rung in RUNGS:
        less = job.model_copy(update={"quality": rung.quality(job.quality)})
        words, problem = rung.words(job.quality), ""
        try:
            for step in search(less, model, output_rate_hz, x_T, rung.thrifty):
                if isinstance(step, Progress) and step.draft and step.loss is not None:
                    x_T = step.draft.x_T.detach().float().cpu().numpy()
                yield _marked(step, words)
            return
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            note(error)
            problem = str(error).partition("\n")[0]
        # Only now: the error held what the step had in memory.
        free()
        log.warning("memory was short (%s): %s", words or "as it was asked", problem)
    raise OutOfMemory(
        f"take of {job.seconds:.3g} s does not fit into the memory of {model.device}, even with "
        f"{RUNGS[-1].words(job.quality)}; allowed: a shorter take, or less beside it"
    )


def _marked(step: Progress | Take, words: str) -> Progress | Take:
    if not words:
        return step
    if isinstance(step, Take):
        report = step.report.model_copy(update={"lowered": words})
        return replace(step, report=report)
    return replace(step, draft=step.draft and _marked_draft(step.draft, words))


def _marked_draft(draft: Draft, words: str) -> Draft:
    def take() -> Take:
        made = draft.take()
        return replace(made, report=made.report.model_copy(update={"lowered": words}))

    return replace(draft, take=take)
