"""Replies: types, request ids, length."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.osc import guard
from daemon.osc.clients import Address
from daemon.osc.outbox import DATAGRAM_BYTES, Asker, Outbox, message

HERE: Address = ("127.0.0.1", 1)
THERE: Address = ("127.0.0.1", 2)


class Sent(list[tuple[Address, str, tuple[object, ...]]]):
    def __call__(self, datagram: bytes, target: Address) -> None:
        (found,) = guard.read(datagram).messages
        self.append((target, found.address, found.arguments))


def test_the_request_id_stands_second_or_last() -> None:
    sent = Sent()
    outbox = Outbox(sent, lambda: ())
    for asker in (Asker((HERE,), "/ditto/x", 7), Asker((HERE,), "/ditto/x")):
        outbox.done(asker, 1, "a")
        outbox.fail(asker, "code", "text")
        outbox.queued(asker, 2)
        outbox.reply(asker, "/ditto/pong", 0.5)
    assert [found[1:] for found in sent] == [
        ("/ditto/done", ("/ditto/x", 7, 1, "a")),
        ("/ditto/fail", ("/ditto/x", 7, "code", "text")),
        ("/ditto/queued", ("/ditto/x", 7, 2)),
        ("/ditto/pong", (0.5, 7)),
        ("/ditto/done", ("/ditto/x", -1, 1, "a")),
        ("/ditto/fail", ("/ditto/x", -1, "code", "text")),
        ("/ditto/queued", ("/ditto/x", -1, 2)),
        ("/ditto/pong", (0.5,)),
    ]


def test_replies_go_to_all_targets_and_events_to_the_others() -> None:
    sent = Sent()
    outbox = Outbox(sent, lambda: (HERE, THERE))
    outbox.done(Asker((HERE, THERE), "/ditto/x"))
    outbox.event("/ditto/state", "ready", "", without=(HERE,))
    assert [found[0] for found in sent] == [HERE, THERE, THERE]


def test_only_i_f_and_s_are_sent() -> None:
    datagram = message("/a", (1, 0.5, "x"))
    assert datagram == b"/a\0\0,ifs\0\0\0\0\0\0\0\1\x3f\x00\x00\x00x\0\0\0"


def test_long_text_is_cut_and_short_text_is_not() -> None:
    datagram = message("/ditto/fail", ("/ditto/x", 3, "code", "ü" * 5000))
    assert DATAGRAM_BYTES - 8 <= len(datagram) <= DATAGRAM_BYTES
    (found,) = guard.read(datagram).messages
    assert found.arguments[:3] == ("/ditto/x", 3, "code")
    text = found.arguments[3]
    assert isinstance(text, str) and text.endswith("ü...")


@given(st.lists(st.one_of(st.text(max_size=3000), st.integers(), st.floats()), max_size=30))
def test_whatever_is_sent_can_be_read_and_is_short(values: list[int | float | str]) -> None:
    datagram = message("/ditto/fail", tuple(values))
    assert len(datagram) <= DATAGRAM_BYTES
    (found,) = guard.read(datagram).messages
    assert len(found.arguments) == len(values)


@pytest.mark.parametrize(
    ("value", "sent"),
    [(2**40, 2**31 - 1), (-(2**40), -(2**31)), (1e300, math.inf), ("a\0b", "a b")],
)
def test_what_does_not_fit_is_bent(value: int | float | str, sent: object) -> None:
    (found,) = guard.read(message("/a", (value,))).messages
    assert found.arguments == (sent,)
