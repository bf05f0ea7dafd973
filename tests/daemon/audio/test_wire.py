"""Messages to and from the audio process survive the pipe; anything else is refused."""

import pytest

from daemon.audio import wire

ORDERS = (
    wire.Begin(5, 6),
    wire.Load("/a b.wav"),
    wire.Play(1, "/ä.wav", -1, 7, 90_709, 127),
    wire.Play(1, "/a", 5, 5, 4800, 1, 8.0, ((0.0, -20.0), (8.0, -12.5))),
    wire.Stop(2, 3),
    wire.Hold(2, 3),
    wire.Gain(3, 0.5, 9),
    wire.Aim(3, ((0.0, -20.0),), 9),
    wire.Aim(3, (), 9),
    wire.Panic(),
)
EVENTS = (
    wire.Opened("system", 48_000, 2, 0.01),
    wire.Silent("none"),
    wire.Clock(1, 2, 3, 4, 5, (0.0, -6.5), 6),
    wire.Meter(wire.Times(5, 3, ((7, 2), (9, 1))), wire.Times()),
    wire.Trouble(1, "t"),
)


def test_messages_come_back_as_they_were() -> None:
    assert [wire.read_order(wire.encode(order)) for order in ORDERS] == list(ORDERS)
    assert [wire.read_event(wire.encode(event)) for event in EVENTS] == list(EVENTS)


@pytest.mark.parametrize(
    "line", [b"{", b"{}", b'["Song", {}]', b'["Stop", {"slot": 1}]', b'["Stop", {"a": 1}]', b"3"]
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        wire.read_order(line)
    with pytest.raises(ValueError):
        wire.read_event(line)
