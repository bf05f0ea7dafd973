"""A box that is full drops and counts; a stream makes room before anything else is lost."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from daemon.bench.osc_bytes import message
from daemon.commands.mailbox import CAPACITY_BYTES, LATE_S, Mailbox
from daemon.osc.guard import BLOB_BYTES
from tests.daemon_office import OTHER, SENDER


def value(number: int, slot: int = 0) -> bytes:
    return message("/ditto/automation", "iff", slot, 1.0, -float(number))


def contents(box: Mailbox) -> list[bytes]:
    async def empty() -> list[bytes]:
        found = []
        while True:
            try:
                found.append((await asyncio.wait_for(box.get(), 0.001))[0])
            except TimeoutError:
                return found

    return asyncio.run(empty())


def test_a_full_mailbox_drops_and_counts() -> None:
    box = Mailbox(4)
    for number in range(6):
        box.put(bytes([number]), SENDER)
    assert box.dropped == 2
    assert contents(box) == [bytes([number]) for number in range(4)]


def test_a_mailbox_is_bounded_in_bytes_too() -> None:
    box = Mailbox(10_000)
    for _ in range(2000):
        box.put(b"x" * BLOB_BYTES, SENDER)
    assert box.dropped == 2000 - CAPACITY_BYTES // BLOB_BYTES


@given(st.integers(1, 400), st.integers(0, 40))
def test_a_flood_of_one_stream_loses_no_command_and_not_its_last_value(
    values: int, commands: int
) -> None:
    box, every = Mailbox(100), max(1, values // max(1, commands))
    asked = []
    for number in range(values):
        box.put(value(number), SENDER)
        if number % every == 0 and len(asked) < commands:
            asked.append(message("/ditto/ping", "i", number))
            box.put(asked[-1], SENDER)
    found = contents(box)
    assert box.dropped == 0
    assert [each for each in found if each.startswith(b"/ditto/ping")] == asked
    assert [each for each in found if each.startswith(b"/ditto/a")][-1] == value(values - 1)


def test_a_burst_is_kept_whole_but_a_stream_that_is_late_is_not() -> None:
    box = Mailbox(10_000)
    for number in range(1000):
        box.put(value(number % 80), SENDER)
    assert len(contents(box)) == 1000
    box = Mailbox(10_000)
    box.put(value(1), SENDER)
    time.sleep(1.1 * LATE_S)
    for number in range(2, 60):
        box.put(value(number), SENDER)
    assert contents(box) == [value(59)]


def test_half_full_each_slot_and_client_keeps_its_own_newest() -> None:
    box = Mailbox(10)
    for number in range(50):
        for slot, source in ((0, SENDER), (1, SENDER), (0, OTHER)):
            box.put(value(number, slot), source)
    found = contents(box)
    assert box.dropped == 0 and len(found) <= 10
    assert {value(49, 0), value(49, 1)} <= set(found) and found.count(value(49, 0)) == 2


def test_what_wants_an_answer_is_never_overtaken() -> None:
    box = Mailbox(10)
    asking = [message("/ditto/automation", "iffi", 0, 1.0, -1.0, number) for number in range(9)]
    for each in asking:
        box.put(each, SENDER)
    assert contents(box) == asking
