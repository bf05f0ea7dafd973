"""When a job's versions are made audible, and when its search must end. Pure: told the time.

All times are those of the system's monotonic clock, which the control process reads too.
"""

from dataclasses import dataclass

# A version costs decoding and measuring, taken from the search on the same cores: at most so
# small a part of it.
COST_PARTS = 5
FIRST_GUESS_S = 0.15
# What is expected is multiplied by this; a missed deadline makes it larger, each kept one smaller.
SAFETY, LEAST_SAFETY, MOST_SAFETY = 1.6, 1.3, 4.0
MISSED, KEPT = 1.5, 0.97
REMEMBERED = 0.7


@dataclass
class Costs:
    """What the engine has learned of its own speed. Owned by the worker, for all its jobs.

    make_s: to make and write a version, for each second of it.
    """

    make_s: float = FIRST_GUESS_S
    safety: float = SAFETY

    def made(self, seconds: float, took_s: float) -> None:
        """Learn from one version. A slow one counts at once, a quick one little by little."""
        each_s = took_s / seconds
        slower = each_s > self.make_s
        self.make_s = each_s if slower else self.make_s + (each_s - self.make_s) * (1 - REMEMBERED)

    def promised(self, kept: bool) -> None:
        """Learn from one deadline."""
        wanted = self.safety * (KEPT if kept else MISSED)
        self.safety = min(max(wanted, LEAST_SAFETY), MOST_SAFETY)


class Pace:
    """One job's. A version of each pass over the take at most, the first at once."""

    def __init__(
        self,
        seconds: float,
        now_s: float,
        costs: Costs,
        by_s: float | None,
        heard_until_s: float | None = None,
    ) -> None:
        """Take a job of so many seconds; by_s: its deadline, None for none. It may move.

        heard_until_s: what the job begins with is heard already, until then at least. None: it is
        not, and the first version comes at once.
        """
        self._seconds, self._costs, self.by_s = seconds, costs, by_s
        self.due_s = now_s if heard_until_s is None else heard_until_s
        self._told: int | None = None if heard_until_s is None else 0
        self._last_s, self._step_s = now_s, 0.0

    def step(self, now_s: float) -> None:
        """Notice that the search has made a step."""
        # The longest counts, forgotten slowly: a step that is not there yet cannot be left.
        self._step_s = max(now_s - self._last_s, self._step_s * REMEMBERED)
        self._last_s = now_s

    def is_due(self, number: int, now_s: float) -> bool:
        """Return whether the draft of that number should be heard now."""
        if number == self._told or now_s < self.due_s:
            return False
        # What comes at the deadline is better, and near.
        first = self._told is None
        return self.by_s is None or first or self.by_s - now_s > self._seconds

    def is_over(self, now_s: float) -> bool:
        """Return whether another step might cost the deadline."""
        if self.by_s is None:
            return False
        needed_s = self._step_s + self._costs.make_s * self._seconds
        return now_s + self._costs.safety * needed_s >= self.by_s

    def published(self, number: int, began_s: float, now_s: float) -> None:
        """Notice that a draft is heard now, made from `began_s` on."""
        took_s = now_s - began_s
        self._costs.made(self._seconds, took_s)
        self._told, self._last_s = number, now_s
        self.due_s = now_s + max(self._seconds, COST_PARTS * took_s)

    def is_told(self, number: int) -> bool:
        """Return whether that very draft has been heard."""
        return number == self._told
