"""The daemon's state as plain data, for /status.json and the page.

It is asked for several times a second, so it stays small however long the daemon runs and whatever
is sent: there are at most so many takes, scenes, points and notes in it.
"""

import os
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

from daemon.commands.handlers import NAME
from daemon.commands.office import Office
from daemon.errors import Refusal
from daemon.files import finite
from daemon.live.lane import levels
from daemon.osc.schedule import Schedule
from daemon.playing.stage import Stage
from daemon.rendering.jobs import Request
from daemon.scenes.board import Board, Recalled
from daemon.takes.slots import SLOTS
from daemon.takes.take import Take, file_name
from ditto_rt import __version__
from ditto_rt.spec import Intensity, Job

MOST_TAKES, MOST_SCENES, MOST_POINTS, MOST_NOTES = 40, 100, 128, 256


def snapshot(office: Office, uptime_s: float) -> object:
    """Return the state, the slots that hold something, and the newest takes, newest first."""
    desk, stage = office.desk, office.stage
    return finite(
        {
            "name": NAME,
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": uptime_s,
            "state": desk.state,
            "why": desk.why,
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
                "clipped": stage.clock.clipped,
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
            "slots": [_slot(office, n) for n in range(SLOTS) if _is_used(office, n)],
            "takes": [_take(office, take) for take in islice(desk.takes.all(), MOST_TAKES)],
            "takes_count": len(list(desk.takes.all())),
            "scenes": list(_scenes(office.board)),
            "scenes_count": len(office.board.scenes),
        }
    )


def _schedule(schedule: Schedule) -> dict[str, Any]:
    mode = "schedule" if schedule.is_on else "immediate"
    return {"time_tags": mode, "waiting": schedule.waiting, **asdict(schedule.counts)}


def _scenes(board: Board) -> Iterator[dict[str, Any]]:
    """Yield the first scenes by name, among them the one that was recalled last."""
    last = board.last
    recalled = last.scene.name if last else ""
    for name in sorted(sorted(board.scenes, key=lambda it: (it != recalled, it))[:MOST_SCENES]):
        scene, is_last = board.scenes[name], last if name == recalled else None
        yield {
            "name": name,
            "slots": [part.slot for part in scene.parts],
            "plays": [part.slot for part in scene.parts if part.plays],
            "bpm": scene.bpm,
            "state": _scene_state(is_last) if is_last else "",
            "beat": float(is_last.beat) if is_last and is_last.beat is not None else None,
        }


def _scene_state(last: Recalled) -> str:
    return "plays" if last.came else "comes" if last.beat is not None else "set"


def _take(office: Office, take: Take) -> dict[str, Any]:
    """Return a take's figures and the words it was made for; its report's file has the rest."""
    plain = take.report.model_dump(exclude={"loss": True, "intensity": {"level_db"}})
    asked = take.asked.model_dump(
        include={"genre", "mood", "bpm", "beats", "seed", "structure"}, exclude_none=True
    )
    return {
        "slot": take.slot,
        "version": take.version,
        "file": file_name(take.slot, take.version),
        "saved": (take.slot, take.version) not in office.desk.takes.unsaved,
        "loss": take.loss,
        "first_loss": take.report.loss[0] if take.report.loss else None,
        "deadline": take.deadline and take.deadline.model_dump(),
        "asked": asked,
        **plain,
    }


def _is_used(office: Office, number: int) -> bool:
    desk = office.desk
    plays = any(change.loop for change in office.stage.plans[number].changes)
    return plays or desk.slots[number] != desk.fresh or desk.line.of(number) is not None


def _slot(office: Office, number: int) -> dict[str, Any]:
    slot = office.desk.slots[number]
    request = office.desk.line.of(number)
    play = _play(office.stage, number, office.endless.state(number)[1:])
    take = _heard(office, number, play["version"])
    return {
        "slot": number,
        "version": slot.version,
        "asked": _asked(slot.job()),
        "job": _job(request, request is office.desk.line.running) if request else None,
        "automated": office.automation.is_automated(number),
        "play": play,
        "take": take and _reached(office, take),
    }


def _job(request: Request, running: bool) -> dict[str, Any]:
    return {
        "state": "rendering" if running else "waiting",
        "fraction": request.fraction,
        "loss": request.loss,
        "beat": request.deadline.beat if request.deadline else None,
    }


def _asked(job: Job) -> dict[str, Any]:
    """Return what is asked, with a curve and a melody that are no longer than can be drawn."""
    plain: dict[str, Any] = job.model_dump(exclude_none=True, exclude={"quality", "intensity"})
    if job.melody:
        plain["melody"]["notes"] = plain["melody"]["notes"][:MOST_NOTES]
    if job.intensity:
        plain["intensity"] = {"points": _points(job.intensity, job.beats)}
    return plain


def _points(curve: Intensity, beats: float) -> list[dict[str, float]]:
    if len(curve.points) <= MOST_POINTS:
        return [{"beat": point.beat, "db": point.db} for point in curve.points]
    places = [beats * place / (MOST_POINTS - 1) for place in range(MOST_POINTS)]
    drawn = zip(places, levels(curve, places), strict=True)
    return [{"beat": beat, "db": db} for beat, db in drawn]


def _heard(office: Office, number: int, version: int) -> Take | None:
    """Return the take that plays; where none does (version 0), the one that a launch would play."""
    try:
        chosen = office.stage.choice.held(number).take
    except Refusal:
        chosen = None
    if chosen and version in (0, chosen.version):
        return chosen
    return office.desk.takes.find(number, version)


def _reached(office: Office, take: Take) -> dict[str, Any]:
    """Return a take's figures with its measured level, and the curve it was made for."""
    measured = take.report.intensity
    curve = take.asked.intensity
    return {
        **_take(office, take),
        "level_db": measured.level_db if measured else (),
        "points": _points(curve, take.asked.beats) if curve else [],
    }


def _play(stage: Stage, number: int, endless: tuple[int, ...]) -> dict[str, Any]:
    _, _, version, coming, beat = stage.state(number)
    return {
        "version": version,
        "next_version": coming,
        "next_beat": beat,
        **_place(stage, number),
        "gain": stage.gains[number],
        # How far the take is moved to its curve, where it is moved most.
        "ride_db": stage.clock.rides_db[number] if stage.clock.rides_db else 0.0,
        "endless": dict(zip(("on", "segments", "behind"), endless, strict=True)),
    }


def _place(stage: Stage, number: int) -> dict[str, float]:
    """Return how long one pass of what plays is, and which part of it is over; 0 for silence."""
    now = stage.now()
    held = stage.plans[number].at(now)
    if held is None or held.loop is None:
        return {"pass_s": 0.0, "passed": 0.0}
    period = float(held.loop.period)
    return {"pass_s": period / stage.transport.rate_hz, "passed": (now - held.origin) / period % 1}
