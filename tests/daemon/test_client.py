"""`ditto-rt send`: arguments, and when an exchange is over."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from daemon.bench.osc_bytes import message
from daemon.client import argument, exchange, is_end
from daemon.osc.guard import Message, read
from daemon.protocol.messages import COMMANDS


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("3", 3),
        ("-30", -30),
        ("3.0", 3.0),
        ("-1.5", -1.5),
        ("abc", "abc"),
        ("s:3", "3"),
        ("i:3", 3),
        ("f:3", 3.0),
        ("f:", None),
        ("i:x", None),
        ("http://x", "http://x"),
        ("", ""),
    ],
)
def test_words_become_values(word: str, value: object) -> None:
    if value is None:
        with pytest.raises(ValueError, match=r"."):
            argument(word)
    else:
        assert (argument(word), type(argument(word))) == (value, type(value))


def test_every_command_knows_its_end() -> None:
    for address, command in COMMANDS.items():
        assert is_end(address, Message("/ditto/fail", (address, -1, "x", "y")))
        if command.done is None:
            assert is_end(address, Message(command.replies[-1], ()))
        else:
            assert is_end(address, Message("/ditto/done", (address, -1)))
    assert not is_end("/ditto/render", Message("/ditto/take", ()))
    assert not is_end("/ditto/nosuch", Message("/ditto/pong", ()))


@contextmanager
def answering(*replies: bytes) -> Iterator[tuple[str, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)

        def answer() -> None:
            data, sender = server.recvfrom(9999)
            assert read(data).messages == (Message("/ditto/render", (0, 0.5, "x")),)
            for reply in replies:
                server.sendto(reply, sender)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()
        thread.join()


def test_replies_come_up_to_the_end() -> None:
    done = message("/ditto/done", "si", "/ditto/render", -1)
    with answering(message("/ditto/queued"), done, message("/ditto/pong")) as server:
        found = list(exchange(server, "/ditto/render", (0, 0.5, "x"), 5.0))
    assert [reply.address for reply in found] == ["/ditto/queued", "/ditto/done"]


def test_silence_is_told() -> None:
    with answering() as server, pytest.raises(TimeoutError):
        list(exchange(server, "/ditto/render", (0, 0.5, "x"), 0.1))
