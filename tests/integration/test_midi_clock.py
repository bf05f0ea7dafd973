"""MIDI clock reaches a real daemon through JACK's MIDI: tempo, start, stop, position, silence."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from daemon.bench.jack import server
from daemon.bench.process import Daemon, Peer, running
from tests.jack_server import need_jack
from tests.source_tree import ROOT

pytestmark = pytest.mark.xdist_group("jack")

MORE = '[transport]\nsource = "midi"\nmidi_api = "UNIX_JACK"\nbpm = 90.0\n'


class Sequencer:
    """The other end of tests/sequencer.py."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "tests.sequencer"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, cwd=ROOT)

    def tell(self, order: str) -> int:
        """Give an order; return how many clocks were sent."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait(10)


def need_midi() -> None:
    """Skip where python-rtmidi is missing; fail where REQUIRE_CLIENTS=1 asks for it."""
    if importlib.util.find_spec("rtmidi"):
        return
    if os.environ.get("REQUIRE_CLIENTS") == "1":
        pytest.fail("python-rtmidi is missing, and REQUIRE_CLIENTS=1 asks for it")
    pytest.skip("python-rtmidi is not installed")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    need_jack()
    need_midi()
    folder = tmp_path_factory.mktemp("midi")
    with server(folder), running(folder, MORE) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def sequencer(daemon: Daemon) -> Iterator[Sequencer]:
    sequencer = Sequencer()
    # The port comes within the five seconds after which a missing one is tried again.
    sequencer.tell("connect")
    yield sequencer
    sequencer.close()


@pytest.fixture
def peer(daemon: Daemon) -> Peer:
    return daemon.peer()


def wait(peer: Peer, is_so: Callable[[list[Any]], bool], limit_s: float = 60.0) -> list[Any]:
    until_s = time.monotonic() + limit_s
    while True:
        peer.send("/ditto/transport", 7)
        # Events of the same address come without the request id.
        while (values := peer.until("/ditto/transport.reply", limit_s=10)[-1][1])[-1] != 7:
            pass
        if is_so(values):
            return values
        assert time.monotonic() < until_s, values
        time.sleep(0.05)


def test_before_a_clock_comes_the_own_tempo_holds(peer: Peer, sequencer: Sequencer) -> None:
    values = wait(peer, lambda v: v[0] == "midi")
    assert values[1] == 90.0 and values[3:5] == [1, "joining"]
    assert "has not sent a clock yet; the transport runs on at 90 bpm" in values[7]


def test_the_tempo_is_taken_over(peer: Peer, sequencer: Sequencer) -> None:
    sequencer.tell("run")
    # JACK moves each clock to the next of its blocks, 21 ms apart.
    values = wait(peer, lambda v: v[4] == "following" and abs(v[1] - 120.0) < 1.0)
    assert values[5] == 1 and "has not said where its song is" in values[7]
    assert peer.ask("/ditto/transport/tempo", 99.0)[1][2] == "bad_value"


def test_a_start_is_beat_0_and_each_jump_is_told(peer: Peer, sequencer: Sequencer) -> None:
    peer.ask("/ditto/notify", 1)
    peer.drain()
    first = sequencer.tell("send FA")
    (*_, (_, jumped)) = peer.until("/ditto/transport/jumped", limit_s=10)
    assert jumped[1] < 4.0 and jumped[1] - jumped[0] == pytest.approx(jumped[2], abs=1e-3)
    time.sleep(3.0)
    values = wait(peer, lambda v: v[7] == "")
    # A beat and a half at most: what is on its way, and what a busy machine holds up.
    assert values[2] == pytest.approx((sequencer.tell("count") - first) / 24, abs=0.75)


def test_a_stop_and_a_position(peer: Peer, sequencer: Sequencer) -> None:
    sequencer.tell("send FC")
    wait(peer, lambda v: v[3] == 0)
    sequencer.tell("send F2 40 00")
    first = sequencer.tell("send FB")
    values = wait(peer, lambda v: v[3] == 1)
    assert values[2] == pytest.approx(16 + (sequencer.tell("count") - first) / 24, abs=0.75)


def test_a_clock_that_falls_silent_is_told(peer: Peer, sequencer: Sequencer) -> None:
    time.sleep(3.0)
    sequencer.tell("pause")
    values = wait(peer, lambda v: v[4] == "lost")
    assert "sends no clock any more; the transport runs on at" in values[7]
    # JACK moves each clock to its blocks of 21 ms, a busy machine further.
    assert values[1] == pytest.approx(120.0, abs=4.0)
    time.sleep(1.0)
    assert wait(peer, lambda _: True)[2] > values[2] + 1.0
    sequencer.tell("run")
    wait(peer, lambda v: v[4] == "following")


def test_a_port_that_is_given_back_can_be_had_again(peer: Peer, sequencer: Sequencer) -> None:
    assert peer.ask("/ditto/transport/source", "own")[0] == "/ditto/done"
    assert wait(peer, lambda v: v[4] == "own")[0] == "own"
    assert peer.ask("/ditto/transport/source", "midi")[0] == "/ditto/done"
    sequencer.tell("connect")
    wait(peer, lambda v: v[4] == "following")
