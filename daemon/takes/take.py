"""One take as the daemon knows it: where its files are, what was asked, what was reached."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from ditto_rt.spec import Job, Report


class Promise(BaseModel):
    """What became of a deadline; spare_s: how long before it the version was there."""

    model_config = ConfigDict(frozen=True)

    beat: float
    kept: bool
    spare_s: float


class Take(BaseModel):
    """One take: where it is, what was asked, what was reached. Its .json file holds the same."""

    model_config = ConfigDict(frozen=True)

    slot: int
    version: int
    asked: Job
    report: Report
    deadline: Promise | None = None

    @property
    def loss(self) -> float:
        """The best loss of its search; -1 where there was nothing to follow."""
        return min(self.report.loss, default=-1.0)

    def plain(self) -> dict[str, Any]:
        """Return the report with what was asked, as plain data."""
        return {
            "slot": self.slot,
            "version": self.version,
            **self.report.model_dump(),
            "deadline": self.deadline and self.deadline.model_dump(),
            "asked": self.asked.model_dump(exclude_none=True),
        }


def file_name(slot: int, version: int) -> str:
    """Return the name of a take's sound, in the takes' folder and on the shelf."""
    return f"slot{slot:02d}_v{version:04d}.wav"


def open_name(slot: int, version: int) -> str:
    """Return the name, on the shelf, of a take that continues another: with its own end.

    It begins with what leads into the take; both are for the joins (`ditto_rt.render.Take.open_N`).
    """
    return f"slot{slot:02d}_v{version:04d}.open.wav"
