"""The daemon's state as plain data, for /status.json and the page."""

import os
from dataclasses import asdict
from typing import Any

from daemon.desk import Desk
from daemon.files import finite
from daemon.handlers import NAME
from daemon.office import Office
from daemon.scenes.board import Board, Recalled
from daemon.schedule import Schedule
from daemon.slots import SLOTS, Slot
from daemon.stage import Stage
from daemon.takes import file_name
from ditto_rt import __version__


def snapshot(office: Office, uptime_s: float) -> object:
    """Return the state, the slots that hold something, and the takes, newest first."""
    desk, stage = office.desk, office.stage
    takes = [
        {
            "file": file_name(take.slot, take.version),
            "saved": (take.slot, take.version) not in desk.takes.unsaved,
            "loss": take.loss,
            **_report(take),
        }
        for take in desk.takes.all()
    ]
    return finite(
        {
            "name": NAME,
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": uptime_s,
            "state": desk.state,
            "model": desk.model,
            "device": desk.device,
            "queue": len(desk.line),
            "jobs_done": desk.jobs_done,
            "dropped": office.dropped(),
            "cache": dict(desk.hits),
            "deadlines": dict(desk.deadlines),
            "audio": {
                **asdict(stage.output),
                "underruns": stage.clock.underruns,
                "late": stage.clock.late,
                "bpm": float(stage.transport.bpm),
                "beat": float(stage.transport.beat_at(stage.now())),
                "running": stage.transport.running,
            },
            "transport": {
                "source": office.conductor.source,
                "state": office.conductor.state,
                "peers": office.conductor.peers,
                "error_ms": office.conductor.error_s * 1000,
                "text": office.conductor.text,
            },
            "osc": {"host": office.own[0], "port": office.own[1]},
            "schedule": _schedule(office.schedule),
            "slots": [_slot(office, n) for n in range(SLOTS) if _is_used(desk, n)],
            "takes": takes,
            "scenes": _scenes(office.board),
        }
    )


def _schedule(schedule: Schedule) -> dict[str, Any]:
    mode = "schedule" if schedule.is_on else "immediate"
    return {"time_tags": mode, "waiting": schedule.waiting, **asdict(schedule.counts)}


def _scenes(board: Board) -> list[dict[str, Any]]:
    last = board.last
    return [
        {
            "name": name,
            "slots": [part.slot for part in scene.parts],
            "plays": [part.slot for part in scene.parts if part.plays],
            "bpm": scene.bpm,
            "state": _scene_state(last) if last and last.scene.name == name else "",
            "beat": float(last.beat) if last and last.beat is not None else None,
        }
        for name, scene in sorted(board.scenes.items())
    ]


def _scene_state(last: Recalled) -> str:
    return "plays" if last.came else "comes" if last.beat is not None else "set"


def _report(take: Any) -> dict[str, Any]:
    # A search's every loss is for the report's file; the page shows where it began and ended.
    plain: dict[str, Any] = take.plain()
    losses = plain.pop("loss")
    return {**plain, "first_loss": losses[0] if losses else None}


def _is_used(desk: Desk, number: int) -> bool:
    slot: Slot = desk.slots[number]
    return slot != desk.fresh or desk.line.of(number) is not None


def _slot(office: Office, number: int) -> dict[str, Any]:
    desk = office.desk
    slot = desk.slots[number]
    request = desk.line.of(number)
    job = None
    if request:
        running = request is desk.line.running
        job = {
            "state": "rendering" if running else "waiting",
            "fraction": request.fraction,
            "loss": request.loss,
        }
    return {
        "slot": number,
        "version": slot.version,
        "asked": slot.job().model_dump(exclude_none=True, exclude={"quality"}),
        "job": job,
        "automated": office.automation.is_automated(number),
        "play": _play(office.stage, number, office.endless.state(number)[1:]),
    }


def _play(stage: Stage, number: int, endless: tuple[int, ...]) -> dict[str, Any]:
    _, _, version, coming, beat = stage.state(number)
    return {
        "version": version,
        "next_version": coming,
        "next_beat": beat,
        "gain": stage.gains[number],
        # How far the take is moved to its curve, where it is moved most.
        "ride_db": stage.clock.rides_db[number] if stage.clock.rides_db else 0.0,
        "endless": dict(zip(("on", "segments", "behind"), endless, strict=True)),
    }
