"""When versions are made: what is learned of the engine's speed."""

from daemon.engine.pace import LEAST_SAFETY, MOST_SAFETY, Costs, Pace


def test_a_costly_version_comes_less_often_than_each_pass() -> None:
    pace = Pace(2.0, 0.0, Costs(), None)
    assert pace.is_due(0, 0.0)
    pace.published(0, 0.0, 1.0)
    assert not pace.is_due(1, 5.9) and pace.is_due(1, 6.0)
    assert not pace.is_due(0, 100.0), "the same draft is not heard twice"


def test_a_warm_search_waits_a_pass() -> None:
    pace = Pace(2.0, 0.0, Costs(), None, heard_until_s=2.0)
    assert not pace.is_due(1, 1.9) and pace.is_due(1, 2.0)
    assert not pace.is_due(0, 2.0), "what it began with is heard"


def test_costs_follow_slow_versions_at_once_and_quick_ones_slowly() -> None:
    costs = Costs(make_s=0.1)
    costs.made(4.0, 2.0)
    assert costs.make_s == 0.5
    costs.made(4.0, 0.4)
    assert 0.3 < costs.make_s < 0.5


def test_a_missed_deadline_makes_careful() -> None:
    costs = Costs()
    before = costs.safety
    costs.promised(False)
    assert costs.safety > before
    for _ in range(200):
        costs.promised(True)
    assert costs.safety == LEAST_SAFETY
    for _ in range(20):
        costs.promised(False)
    assert costs.safety == MOST_SAFETY


def test_a_search_ends_before_a_step_that_would_be_too_long() -> None:
    def ends_at(step_s: float) -> float:
        pace = Pace(4.0, 0.0, Costs(make_s=0.1, safety=1.5), 20.0)
        now_s = 0.0
        while not pace.is_over(now_s):
            now_s += step_s
            pace.step(now_s)
        return now_s

    assert 20 - 1.5 * (0.5 + 0.4) - 0.5 <= ends_at(0.5) <= 20 - 0.4 - 0.5
    assert ends_at(2.0) < ends_at(0.5)
