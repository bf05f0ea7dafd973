"""What a measurement is asked and what it gives: figures with their goals."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    bars: int = 64
    changes: int = 200
    engine_kills: int = 20
    audio_kills: int = 5
    datagrams: int = 100_000
    repeats: int = 20
    seed: int = 0


@dataclass(frozen=True)
class Figure:
    """One number; `most` is the goal that it must not exceed, None where there is none."""

    name: str
    value: float
    unit: str
    most: float | None = None

    @property
    def passed(self) -> bool:
        """Return whether the goal is met, or there is none."""
        return self.most is None or self.value <= self.most

    def cells(self) -> tuple[str, str, str, str]:
        """Return name, value, goal and verdict as text."""
        unit = f" {self.unit}" if self.unit else ""
        goal = "" if self.most is None else f"{self.most:.4g}{unit}"
        verdict = "" if self.most is None else ("met" if self.passed else "**missed**")
        return self.name, f"{self.value:.4g}{unit}", goal, verdict

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "passed": self.passed}


def markdown(figures: list[Figure]) -> str:
    """Return a table for docs/results.md."""
    rows = [("figure", "value", "goal", ""), ("---",) * 4, *(each.cells() for each in figures)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
