"""The engine's loop: one job at a time, stoppable between its steps, heard before its end."""

import logging
import time
from dataclasses import replace
from functools import partial

from daemon.engine.inbox import Inbox
from daemon.engine.ladder import free, is_out_of_memory, is_spoilt, note
from daemon.engine.pace import Costs, Pace
from daemon.engine.produce import Found, Held, Render
from daemon.engine.publish import Emit, Publisher, save
from daemon.engine.stoppable import Unwanted, stoppable
from daemon.engine.wire import Advanced, Recalled, RenderOrder, SaveOrder, Stopped
from ditto_rt.errors import DittoError, OutOfMemory
from ditto_rt.heap import give_back
from ditto_rt.model import Model
from ditto_rt.render import Draft, Progress, Take

log = logging.getLogger(__name__)


def work(inbox: Inbox, emit: Emit, model: Model, render: Render) -> None:
    """Carry out orders until they end; a job's failure is an event and not the end.

    Where memory was so short that a library is spoilt, the process ends between two jobs, and
    another one takes its place.
    """
    worker = Worker(inbox, emit, model, render)
    while (order := inbox.next()) is not None:
        if isinstance(order, SaveOrder):
            emit(save(order))
        elif stopped := worker.carry_out(order):
            emit(stopped)
            if stopped.code == OutOfMemory.code:
                free()
        # Its tensors are gone; whoever waits has been answered.
        give_back()
        if is_spoilt():
            log.warning("memory was short; the engine starts again, to be as fast as before")
            return


class Worker:
    """What outlives a job: the noise that each slot's newest one had found, and costs."""

    def __init__(self, inbox: Inbox, emit: Emit, model: Model, render: Render) -> None:
        """Begin with nothing found."""
        self._inbox, self._emit, self._model, self._render = inbox, emit, model, render
        self._costs = Costs()
        self._held: dict[int, Held] = {}
        # Until when a slot's newest version is heard, whichever job it is of.
        self._due_s: dict[int, float] = {}

    def carry_out(self, order: RenderOrder) -> Stopped | None:
        """Make a take; return how it ended where there is none, after the last event else."""
        try:
            made = self._make(order)
        except Unwanted:
            made = False
        except DittoError as error:
            return Stopped(id=order.id, code=error.code, text=str(error))
        except OSError as error:
            return Stopped(id=order.id, code="disk", text=f"take cannot be written: {error}")
        except Exception as error:
            if is_out_of_memory(error):
                note(error)
                return Stopped(id=order.id, code=OutOfMemory.code, text=_one_line(error))
            log.exception("job %d failed", order.id)
            text = f"{type(error).__name__}: {error}"
            return Stopped(id=order.id, code="engine_error", text=text)
        if made:
            return None
        return Stopped(id=order.id, code="cancelled", text=f"slot {order.slot} was cancelled")

    def _make(self, order: RenderOrder) -> bool:
        """Publish versions as they come; return False where nobody wants the last one any more."""
        held = self._held.get(order.slot) if order.warm else None
        publisher = Publisher(order, self._emit, self._costs, partial(self._inbox.deadline, order))
        model = self._model
        if not order.warm:
            # Warm ones follow each other as quickly as a fader moves: each makes its step.
            model = stoppable(model, lambda: self._inbox.is_unwanted(order.id))
        away, pace = 1.0, self._pace(order, False)
        for step in self._render(order.job, model, order.rate_hz, held):
            if isinstance(step, Found):
                away = step.distance
                pace = self._pace(order, step.hit == "running")
                self._emit(Recalled(id=order.id, hit=step.hit))
                continue
            now_s = time.monotonic()
            if isinstance(step, Take):
                self._held[order.slot] = Held(order.job, step.x_T, 0.0)
                self._due_s[order.slot] = now_s + order.job.seconds
                publisher.final(step, pace.is_told(step.number))
                return True
            pace.by_s = self._by_s(order)
            pace.step(now_s)
            self._note(order, step, away)
            if self._inbox.is_unwanted(order.id):
                return False
            self._emit(Advanced(id=order.id, fraction=step.fraction, loss=step.loss))
            if (draft := step.draft) is None:
                continue
            if pace.is_over(now_s):
                publisher.final(_as_final(draft), pace.is_told(draft.number))
                return True
            if pace.is_due(draft.number, now_s):
                _publish(publisher, draft)
                pace.published(draft.number, now_s, time.monotonic())
                self._due_s[order.slot] = pace.due_s
        raise RuntimeError("render ended without a take")

    def _pace(self, order: RenderOrder, warm: bool) -> Pace:
        now_s = time.monotonic()
        # Jobs that follow each other quickly are heard once for each pass all the same.
        until_s = self._due_s.get(order.slot, now_s) if warm else None
        return Pace(order.job.seconds, now_s, self._costs, self._by_s(order), until_s)

    def _by_s(self, order: RenderOrder) -> float | None:
        deadline = self._inbox.deadline(order)
        return deadline.by_s if deadline else None

    def _note(self, order: RenderOrder, step: Progress, away: float) -> None:
        """Remember where the search is: a job that takes its place goes on from there."""
        if step.draft and step.loss is not None:
            x_T = step.draft.x_T.detach().float().cpu().numpy()
            self._held[order.slot] = Held(order.job, x_T, away * (1 - step.fraction))


def _one_line(error: Exception) -> str:
    return f"memory was short: {str(error).partition(chr(10))[0]}"


def _publish(publisher: Publisher, draft: Draft) -> None:
    try:
        publisher.draft(draft.take())
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        note(error)
        log.warning("memory was short: a version is left out")


def _as_final(draft: Draft) -> Take:
    take = draft.take()
    return replace(take, report=take.report.model_copy(update={"final": True}))
