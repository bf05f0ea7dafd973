"""The engine's loop: one job at a time, stoppable between its steps."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from daemon.engine.inbox import Inbox
from daemon.engine.produce import Found, Render, produce, write_report
from daemon.wire import Advanced, Event, Finished, Recalled, RenderOrder, Stopped
from ditto_rt.errors import DittoError
from ditto_rt.model import Model
from ditto_rt.render import Progress
from ditto_rt.spec import Report

Emit: TypeAlias = Callable[[Event], None]

log = logging.getLogger(__name__)


def work(inbox: Inbox, emit: Emit, model: Model, render: Render) -> None:
    """Carry out renders until the orders end; a job's failure is an event and not the end."""
    while (order := inbox.next()) is not None:
        emit(_carry_out(order, inbox, emit, model, render))


def _carry_out(order: RenderOrder, inbox: Inbox, emit: Emit, model: Model, render: Render) -> Event:
    try:
        report = _make(order, inbox, emit, model, render)
    except DittoError as error:
        return Stopped(id=order.id, code=error.code, text=str(error))
    except OSError as error:
        return Stopped(id=order.id, code="disk", text=f"take cannot be written: {error}")
    except Exception as error:
        log.exception("job %d failed", order.id)
        return Stopped(id=order.id, code="engine_error", text=f"{type(error).__name__}: {error}")
    if report is None:
        return Stopped(id=order.id, code="cancelled", text=f"slot {order.slot} was cancelled")
    return Finished(id=order.id, report=report)


def _make(
    order: RenderOrder, inbox: Inbox, emit: Emit, model: Model, render: Render
) -> Report | None:
    """Return the report of a take whose files are written; None where it was cancelled."""
    wav = Path(order.wav)
    steps = render(order.job, model, order.rate_hz)
    for step in produce(steps, wav):
        if isinstance(step, Progress):
            if inbox.is_unwanted(order.id):
                return None
            emit(Advanced(id=order.id, fraction=step.fraction, loss=step.loss))
        elif isinstance(step, Found):
            emit(Recalled(id=order.id, hit=step.hit))
        else:
            write_report(order.job, step, order.slot, order.version, wav)
            return step
    raise RuntimeError("render ended without a take")
