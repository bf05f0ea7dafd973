"""Time tags: what waits, in which order it is carried out, and what is refused."""

import asyncio
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from daemon.audio.wire import Clock, Load, Opened, Play
from daemon.bench.osc_bytes import bundle, message
from daemon.osc.outbox import Asker
from daemon.osc.schedule import BYTES, ENTRIES, NTP_EPOCH_S, Schedule, due
from tests.daemon_office import OTHER, RATE_HZ, SENDER, Bench

PING = message("/ditto/ping", "i", 1)
LATENCY_S = 0.01


class Hands:
    """A clock that a test sets by hand."""

    def __init__(self) -> None:
        self.ns = 5_000 * 10**9
        self.unix_ns = 1_800_000_000 * 10**9

    def wait(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)
        self.unix_ns += round(seconds * 1e9)

    def tag(self, ahead_s: float) -> bytes:
        """Return the time tag of a moment, as sclang's sendBundle makes it."""
        unix_s = self.unix_ns / 1e9 + ahead_s
        return struct.pack(">II", int(unix_s) + NTP_EPOCH_S, int(unix_s % 1 * 2**32))


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    hands = Hands()
    monkeypatch.setattr(time, "monotonic_ns", lambda: hands.ns)
    monkeypatch.setattr(time, "time_ns", lambda: hands.unix_ns)
    return hands


@pytest.fixture
def bench(tmp_path: Path, hands: Hands) -> Bench:
    bench = Bench(tmp_path)
    bench.office.schedule.is_on = True
    return bench


def ping(number: int) -> bytes:
    return message("/ditto/ping", "i", number)


def due_now(bench: Bench) -> list[tuple[str, tuple[Any, ...]]]:
    """Let what is due be carried out; return what was answered."""
    return bench.send(message("/ditto/slot/last", "i", 15))[:-1]


def numbers(found: list[tuple[str, tuple[Any, ...]]]) -> list[Any]:
    assert {address for address, _ in found} <= {"/ditto/pong"}, found
    return [values[0] for _, values in found]


def test_a_bundle_waits_for_its_time(bench: Bench, hands: Hands) -> None:
    assert bench.send(bundle(PING, tag=hands.tag(2.0))) == []
    assert bench.office.schedule.waiting == 1
    hands.wait(1.5)
    assert due_now(bench) == []
    hands.wait(0.5)
    assert due_now(bench) == [("/ditto/pong", (1,))]
    counts = bench.office.schedule.counts
    assert counts.ahead_s == pytest.approx(2.0, abs=1e-6) and counts.carried_out == 1


def test_immediately_is_now(bench: Bench) -> None:
    assert bench.send(bundle(PING)) == [("/ditto/pong", (1,))]
    assert bench.office.schedule.counts.late == 0


def test_times_decide_and_equal_times_keep_their_order(bench: Bench, hands: Hands) -> None:
    tags = {ahead: hands.tag(ahead) for ahead in (1.0, 2.0, 3.0)}
    for number, ahead in enumerate((3.0, 1.0, 2.0, 1.0, 3.0, 2.0)):
        bench.send(bundle(ping(number), ping(number + 100), tag=tags[ahead]))
    hands.wait(4.0)
    assert numbers(due_now(bench)) == [1, 101, 3, 103, 2, 102, 5, 105, 0, 100, 4, 104]


def test_nothing_comes_between_the_messages_of_a_bundle(bench: Bench, hands: Hands) -> None:
    async def run() -> None:
        for number in (10, 20):
            datagram = bundle(*map(ping, range(number, number + 10)), tag=hands.tag(1.0))
            await bench.dispatcher.carry_out(datagram, SENDER)
        hands.wait(1.0)
        task = asyncio.create_task(bench.dispatcher.run_schedule())
        await asyncio.gather(*(bench.dispatcher.carry_out(ping(n), OTHER) for n in range(5)))
        task.cancel()

    asyncio.run(run())
    assert [values[0] for _, _, values in bench.sent] == [*range(10, 30), *range(5)]


def test_a_bundle_inside_waits_for_its_own_time_but_not_less(bench: Bench, hands: Hands) -> None:
    later, sooner = hands.tag(2.0), hands.tag(0.5)
    inside = bundle(ping(2), tag=later), bundle(ping(3), tag=sooner), bundle(ping(4))
    assert bench.send(bundle(ping(1), *inside, ping(5), tag=hands.tag(1.0))) == []
    hands.wait(0.6)
    assert due_now(bench) == []
    hands.wait(0.4)
    assert numbers(due_now(bench)) == [1, 3, 4, 5]
    hands.wait(1.0)
    assert numbers(due_now(bench)) == [2]


def test_what_comes_too_late_is_carried_out_at_once_and_counted(bench: Bench, hands: Hands) -> None:
    for ahead in (-100.0, -0.001, 0.0, 0.01):
        assert bench.send(bundle(PING, tag=hands.tag(ahead))) == [("/ditto/pong", (1,))]
    assert bench.office.schedule.counts.late == 4


def test_what_lies_too_far_ahead_is_refused(bench: Bench, hands: Hands) -> None:
    for tag in (hands.tag(10.5), b"\xff" * 8):
        found = bench.send(bundle(PING, message("/ditto/slot/seed", "ii", 0, 1), tag=tag))
        assert [values[0] for _, values in found] == ["/ditto/ping", "/ditto/slot/seed"]
        assert {values[2] for _, values in found} == {"out_of_range"}
        assert "allowed: at most 10 s" in found[0][1][3]
    assert (bench.office.schedule.waiting, bench.office.schedule.counts.refused) == (0, 4)


def test_too_many_are_refused_and_those_before_stay(bench: Bench, hands: Hands) -> None:
    full = bundle(*[PING] * 1024, tag=hands.tag(5.0))
    for _ in range(ENTRIES // 1024):
        assert bench.send(full) == []
    ((_, values),) = bench.send(bundle(PING, tag=hands.tag(5.0)))
    assert values[2] == "busy" and f"allowed: {ENTRIES}" in values[3]
    assert bench.office.schedule.waiting == ENTRIES
    hands.wait(5.0)
    assert len(due_now(bench)) == ENTRIES


def test_too_many_bytes_are_refused(bench: Bench, hands: Hands) -> None:
    blob = message("/ditto/ping", "bbb", *[b"x" * 16_000] * 3)
    datagram = bundle(blob, tag=hands.tag(5.0))
    for _ in range(BYTES // len(datagram)):
        assert bench.send(datagram) == []
    assert bench.send(datagram)[0][1][2] == "busy"


def test_clearing_forgets_all_and_says_so(bench: Bench, hands: Hands) -> None:
    for number in range(3):
        bench.send(bundle(ping(number), PING, tag=hands.tag(1.0)))
    found = bench.send(message("/ditto/clear_sched", "i", 9))
    assert found[-1] == ("/ditto/done", ("/ditto/clear_sched", 9, 6))
    assert [values[2] for _, values in found[:-1]] == ["cancelled"] * 6
    hands.wait(2.0)
    assert due_now(bench) == []
    assert bench.office.schedule.counts.cleared == 6


def test_a_launch_is_heard_at_its_time_to_the_sample(bench: Bench, hands: Hands) -> None:
    bench.get_ready()
    bench.desk.submit(3, Asker((SENDER,), "/ditto/render"))
    bench.finish(bench.rendering())
    bench.stage.on_event(Opened("card", RATE_HZ, 2, LATENCY_S))
    bench.stage.clock = Clock(48_000, hands.ns, 512, 0, 0)
    bench.take()
    bench.played.clear()
    start, end = (message(f"/ditto/{word}", "if", 3, 0.0) for word in ("play", "stop"))
    bench.send(bundle(start, tag=hands.tag(1.0)))
    bench.send(bundle(end, tag=hands.tag(1.5)))
    for _ in range(200):
        hands.wait(0.01)
        due_now(bench)
    order, stop = (each for each in bench.played if not isinstance(each, Load))
    assert isinstance(order, Play)
    heard = 48_000 + RATE_HZ - round(LATENCY_S * RATE_HZ)
    # A tag has 2**-32 s, and doubles at 1.8e9 s have 2.4e-7 s: less than a frame.
    assert abs(order.at - heard) <= 1
    assert stop.at - order.at == pytest.approx(RATE_HZ // 2, abs=1)
    assert bench.office.schedule.counts.late == 0


def test_a_beat_is_counted_from_the_time_of_the_bundle(bench: Bench, hands: Hands) -> None:
    bench.stage.clock = Clock(0, hands.ns, 512, 0, 0)
    bench.send(bundle(message("/ditto/stop", "if", 3, 4.0), tag=hands.tag(4.1)))
    hands.wait(4.05)
    assert due_now(bench) == [("/ditto/done", ("/ditto/stop", -1, 3, 12.0))], "8.2 is past 8"


def test_python_osc_bundles_are_carried_out_in_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.office.schedule.is_on = True
    came_s: list[float] = []
    builder = OscBundleBuilder(time.time() + 0.3)  # type: ignore[arg-type]
    content = OscMessageBuilder("/ditto/ping")
    content.add_arg(7)
    builder.add_content(content.build())

    async def run() -> None:
        task = asyncio.create_task(bench.dispatcher.run_schedule())
        started_s = time.monotonic()
        await bench.dispatcher.carry_out(builder.build().dgram, SENDER)
        while not bench.sent and time.monotonic() - started_s < 10:
            await asyncio.sleep(0.005)
        came_s.append(time.monotonic() - started_s)
        task.cancel()

    asyncio.run(run())
    assert bench.take() == [("/ditto/pong", (7,))]
    assert came_s[0] > 0.15


def test_tags_are_times_whatever_they_are() -> None:
    assert due((NTP_EPOCH_S + 3) << 32, 100, 10**9) == 100 + 2 * 10**9
    assert due(((NTP_EPOCH_S + 3) << 32) + 2**31, 0, 10**9) == 2_500_000_000
    assert due(2, 0, 0) == -NTP_EPOCH_S * 10**9


def random_tag(chance: random.Random, hands: Hands) -> bytes:
    kinds: list[Callable[[], bytes]] = [
        lambda: chance.randbytes(8),
        lambda: hands.tag(chance.uniform(-2, 12)),
        lambda: hands.tag(chance.uniform(-2, 12))[:4] + b"\xff\xff\xff\xff",
        lambda: struct.pack(">q", -chance.randint(1, 2**62)),
        lambda: struct.pack(">d", float("nan")),
        lambda: struct.pack(">Q", chance.randint(0, 3)),
    ]
    return chance.choice(kinds)()


def test_any_tags_in_any_nesting_lose_nothing(bench: Bench, hands: Hands) -> None:
    chance = random.Random(11)
    sent = 0

    def packet(depth: int) -> bytes:
        nonlocal sent
        elements = []
        for _ in range(chance.randint(1, 3)):
            if depth < 4 and chance.random() < 0.4:
                elements.append(packet(depth + 1))
            else:
                sent += 1
                elements.append(PING)
        return bundle(*elements, tag=random_tag(chance, hands))

    answers = 0
    for _ in range(500):
        answers += len(bench.send(packet(0)))
        hands.wait(chance.uniform(0, 0.2))
    assert bench.office.schedule.waiting > 0
    hands.wait(11.0)
    answers += len(due_now(bench))
    assert (answers, bench.office.schedule.waiting) == (sent, 0)


def test_an_empty_schedule_has_nothing_due() -> None:
    schedule = Schedule(True)
    assert schedule.next_ns() is None and schedule.pop(2**70) is None
