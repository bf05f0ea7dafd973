"""The line of renders."""

from daemon.osc.outbox import Asker
from daemon.rendering.jobs import Line, Request
from ditto_rt.spec import Job


def request(line: Line, slot: int) -> Request:
    return Request(line.next_id(), slot, Job(), Asker((), "/ditto/render"))


def test_first_come_first_served() -> None:
    line = Line()
    first, second = request(line, 4), request(line, 2)
    assert (line.add(first), line.add(second)) == (0, 1)
    assert line.advance() is first
    assert line.advance() is None
    assert line.end() is first and first.finished.is_set()
    assert line.advance() is second
    assert len(line) == 1


def test_one_that_waits_is_dropped_without_telling_the_engine() -> None:
    line = Line()
    waits = request(line, 1)
    line.add(waits)
    assert line.drop(waits) is False
    assert waits.finished.is_set()
    assert len(line) == 0 and line.of(1) is None and line.advance() is None


def test_one_that_runs_is_dropped_and_the_engine_must_be_told() -> None:
    line = Line()
    runs = request(line, 1)
    line.add(runs)
    line.advance()
    assert line.drop(runs) is True
    assert line.of(1) is None and len(line) == 0 and line.unfinished() == []
    assert line.running is runs


def test_a_new_one_waits_until_the_dropped_one_ended() -> None:
    line = Line()
    old, new = request(line, 1), request(line, 1)
    line.add(old)
    line.advance()
    line.drop(old)
    line.add(new)
    assert line.advance() is None
    assert line.of(1) is new
    line.end()
    assert line.advance() is new


def test_ids_are_never_given_twice() -> None:
    line = Line()
    assert len({line.next_id() for _ in range(100)}) == 100
