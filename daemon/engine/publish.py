"""Takes on their way out of the engine: onto the shelf at once, into the takes' folder at the end.

A disk that is full or gone costs a file, and neither the sound nor the engine.
"""

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from daemon.engine.pace import Costs
from daemon.engine.wire import Deadline, Event, Finished, Published, RenderOrder, Saved, SaveOrder
from daemon.files import whole, write_json, write_wav
from daemon.takes.take import Promise, file_name, open_name
from daemon.takes.take import Take as Record
from ditto_rt.render import Take

Emit: TypeAlias = Callable[[Event], None]

log = logging.getLogger(__name__)


class Publisher:
    """The versions of one order."""

    def __init__(
        self,
        order: RenderOrder,
        emit: Emit,
        costs: Costs,
        deadline: Callable[[], Deadline | None],
    ) -> None:
        """Begin with the order's first version. deadline: the order's, wherever it is now."""
        self._order, self._emit, self._costs = order, emit, costs
        self._deadline = deadline
        self._next = order.version
        self._promise: Promise | None = None

    def draft(self, take: Take) -> None:
        """Let a version be heard that is not the last; without room for it, it is left out."""
        try:
            self._shelve(take)
        except OSError as error:
            log.warning("version %d has no room on the shelf: %s", self._next, error)
            return
        self._publish(take, self._next)
        self._next += 1

    def final(self, take: Take, heard: bool) -> None:
        """Let the last version be heard, and write its files.

        heard: it is the version before, which becomes final. Raises OSError where it fits nowhere.
        """
        version = self._next - 1 if heard else self._next
        record = self._record(take, version)
        if not heard:
            try:
                self._shelve(take)
            except OSError:
                _write(take, record, self._path(version))
        self._publish(take, version)
        if self._promise:
            self._costs.promised(self._promise.kept)
            record = record.model_copy(update={"deadline": self._promise})
        self._emit(Finished(id=self._order.id, problem=_problem(take, record, self._path(version))))

    def _path(self, version: int) -> Path:
        return Path(self._order.takes, file_name(self._order.slot, version))

    def _shelve(self, take: Take) -> None:
        path = Path(self._order.shelf, file_name(self._order.slot, self._next))
        if take.open_N is not None:
            opened = Path(self._order.shelf, open_name(self._order.slot, self._next))
            write_wav(take.open_N, take.rate_hz, opened)
        write_wav(take.audio_N, take.rate_hz, path)

    def _record(self, take: Take, version: int) -> Record:
        order = self._order
        return Record(slot=order.slot, version=version, asked=order.job, report=take.report)

    def _publish(self, take: Take, version: int) -> None:
        deadline = self._deadline()
        if deadline and self._promise is None or deadline and take.report.final:
            spare_s = deadline.by_s - time.monotonic()
            # A first version in time keeps the promise; a better one too late does not break it.
            kept = spare_s >= 0 or bool(self._promise and self._promise.kept)
            self._promise = Promise(beat=deadline.beat, kept=kept, spare_s=spare_s)
        told = self._promise if take.report.final else None
        event = Published(id=self._order.id, version=version, report=take.report, promise=told)
        self._emit(event)


def _problem(take: Take, record: Record, wav: Path) -> str:
    try:
        _write(take, record, wav)
    except OSError as error:
        log.warning("take %s is in memory only: %s", wav.name, error)
        return f"take {wav.name} cannot be written: {error.strerror or error}"
    return ""


def _write(take: Take, record: Record, wav: Path) -> None:
    write_wav(take.audio_N, take.rate_hz, wav)
    try:
        write_json(record.plain(), wav.with_suffix(".json"))
    except OSError:
        # One without the other would be half a take.
        wav.unlink(missing_ok=True)
        raise


def save(order: SaveOrder) -> Saved:
    """Try again to write a take that the disk refused."""
    name = file_name(order.slot, order.version)
    wav = Path(order.takes, name)
    problem = ""
    try:
        with whole(wav) as part:
            shutil.copyfile(Path(order.shelf, name), part)
        write_json(order.record, wav.with_suffix(".json"))
    except OSError as error:
        wav.unlink(missing_ok=True)
        problem = f"take {name} cannot be written: {error.strerror or error}"
    return Saved(slot=order.slot, version=order.version, problem=problem)
