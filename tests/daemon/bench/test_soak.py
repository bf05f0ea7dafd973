"""The verdict on a long run, and that hostile packets which would be heard are told apart."""

from itertools import islice

import pytest

from daemon.bench.hostile import GOOD, LEFT_OUT, OTHERS, hostile, is_heard, is_obeyed, sample
from daemon.bench.osc_bytes import bundle, message
from daemon.bench.soak import GROWTH, SHORT_GROWTH, Sample, growths
from daemon.protocol.messages import COMMANDS

MIB = 2**20


def run(minutes: float, leak_bytes_per_s: float, pid: int = 7) -> list[Sample]:
    """Return an hour's samples of a process that fills its caches for 200 s, and leaks."""
    return [
        Sample(at_s, "control", pid if at_s < 1000 else 7, int(size), 0, 0, 0)
        for at_s in range(0, round(60 * minutes), 5)
        for size in [50 * MIB + min(at_s, 200) * MIB / 10 + at_s * leak_bytes_per_s]
    ]


@pytest.mark.parametrize(("leak_bytes_per_s", "passes"), [(0.0, True), (100, True), (300, False)])
def test_a_leak_of_one_percent_fails(leak_bytes_per_s: float, passes: bool) -> None:
    (found,) = growths(run(60, leak_bytes_per_s))
    assert found.limit == GROWTH
    assert found.passed == passes
    assert found.before_bytes >= 70 * MIB, "the first minutes do not count"


def test_a_process_that_died_fails() -> None:
    (found,) = growths(run(60, 0.0, pid=8))
    assert found.pids == 2 and not found.passed


def test_a_short_run_says_that_it_allows_more() -> None:
    assert growths(run(5, 0.0))[0].limit == SHORT_GROWTH


def test_every_command_is_damaged() -> None:
    packets = b"".join((*GOOD, *OTHERS))
    named = {address for address in COMMANDS if address.encode() in packets}
    assert set(COMMANDS) - named == set(LEFT_OUT)
    assert is_heard(sample(COMMANDS["/ditto/play"]))


def test_what_would_be_heard_is_known() -> None:
    assert is_heard(message("/ditto/panic"))
    assert is_heard(bundle(message("/ditto/ping"), message("/ditto/play", "if", 3, 1.0)))
    assert is_heard(message("/ditto/{gain,play}", "if", 3, 1.0))
    assert is_heard(message("/ditto/slot/intensity", "iff", 0, 0.0, -30.0)), "the player rides"
    assert is_heard(message("/ditto/slot/clear", "is", 0, "all"))
    assert not is_heard(message("/ditto/slot/intensity", "iff", 99, 0.0, -30.0))
    assert not is_heard(message("/ditto/play", "i", 99))
    assert not is_heard(message("/ditto/slot/seed", "ii", 0, 1))
    assert not is_heard(b"/broken")
    assert not any(is_heard(packet) for packet in islice(hostile(3, silent=True), 3000))


def test_what_would_be_obeyed_is_known() -> None:
    assert is_obeyed(message("/ditto/cancel", "i", 0))
    assert is_obeyed(message("/ditto/{cancel,ping}", "i", 0))
    assert is_obeyed(message("/ditto/slot/seed", "ii", 0, 1))
    assert not is_obeyed(message("/ditto/cancel", "i", 99))
    assert not is_obeyed(message("/ditto/status"))
    assert not is_obeyed(b"/broken")
