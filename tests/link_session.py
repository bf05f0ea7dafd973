"""A daemon and another Link peer, in a network of their own; run by integration/test_link.py."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aalink import Link

from daemon.bench.process import Daemon, Peer, running

BPM = 97.3


class Player:
    """Another program with Link; aalink wants a loop that runs."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

        async def make() -> Link:
            return Link(BPM)

        self.link: Any = asyncio.run_coroutine_threadsafe(make(), self._loop).result(5)
        self.link.quantum = 4.0
        time.sleep(0.6)
        self.link.enabled = True


@pytest.fixture(scope="module")
def player() -> Player:
    return Player()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, player: Player) -> Iterator[Daemon]:
    # The session is older than the daemon, as a performer's is.
    time.sleep(1.0)
    folder: Path = tmp_path_factory.mktemp("daemon")
    with running(folder, "[transport]\nbpm = 140.0\n") as started:
        yield started


@pytest.fixture
def peer(daemon: Daemon) -> Peer:
    peer = daemon.peer()
    peer.ask("/ditto/notify", 1)
    return peer


def transport(peer: Peer) -> list[Any]:
    peer.send("/ditto/transport", 7)
    while (values := peer.until("/ditto/transport.reply", limit_s=10)[-1][1])[-1] != 7:
        pass
    return values


def wait(peer: Peer, is_so: Callable[[list[Any]], bool], limit_s: float = 8.0) -> list[Any]:
    until_s = time.monotonic() + limit_s
    while not is_so(values := transport(peer)):
        assert time.monotonic() < until_s, values
        time.sleep(0.05)
    return values


def off_ms(peer: Peer, player: Player) -> float:
    """Return by how much the daemon's phase in the bar is off; answers take their time."""
    found = []
    for _ in range(20):
        before = player.link.beat
        beat = transport(peer)[2]
        off = (beat - (before + player.link.beat) / 2 + 2) % 4 - 2
        found.append(abs(off) * 60_000 / player.link.tempo)
    return min(found)


def test_a_session_is_joined_as_it_is(peer: Peer, player: Player) -> None:
    assert transport(peer)[:2] == ["own", 140.0]
    assert peer.ask("/ditto/transport/source", "link")[1][2:] == ["link"]
    values = wait(peer, lambda v: v[5] == 1 and v[4] == "following")
    assert values[1] == pytest.approx(BPM, abs=1e-3) and values[7] == ""
    assert player.link.tempo == pytest.approx(BPM, abs=1e-3), "nobody asked for another tempo"
    time.sleep(3.0)
    assert off_ms(peer, player) < 5.0
    assert abs(transport(peer)[6]) < 5.0


def test_each_jump_is_told(peer: Peer, player: Player) -> None:
    before = transport(peer)[2]
    peer.drain()
    player.link.force_beat(player.link.beat + 1.37)
    address, values = peer.until("/ditto/transport/jumped", limit_s=5)[-1]
    came, goes, size = values
    assert came > before and goes - came == pytest.approx(size, abs=1e-3)
    assert abs(size) == pytest.approx(1.37, abs=0.1)
    time.sleep(2.0)
    assert off_ms(peer, player) < 5.0


def test_the_tempo_of_others_is_followed(peer: Peer, player: Player) -> None:
    player.link.tempo = 131.37
    wait(peer, lambda v: abs(v[1] - 131.37) < 1e-3, 2.0)
    time.sleep(2.0)
    assert off_ms(peer, player) < 5.0


def test_the_user_sets_the_tempo_for_all(peer: Peer, player: Player) -> None:
    assert peer.ask("/ditto/transport/tempo", 88.0)[0] == "/ditto/done"
    until_s = time.monotonic() + 3
    while abs(player.link.tempo - 88.0) > 1e-3:
        assert time.monotonic() < until_s, player.link.tempo
        time.sleep(0.02)
    assert transport(peer)[1] == pytest.approx(88.0, abs=1e-3)
    assert peer.ask("/ditto/transport/beat", 3.0)[1][2] == "bad_value"


def test_a_peer_that_leaves_is_told_and_the_beat_runs_on(
    peer: Peer, player: Player, daemon: Daemon
) -> None:
    peer.drain()
    player.link.enabled = False
    values = wait(peer, lambda v: v[5] == 0)
    assert "no Link peer" in values[7] and values[1] == pytest.approx(88.0, abs=1e-3)
    first = transport(peer)[2]
    time.sleep(1.0)
    assert transport(peer)[2] - first == pytest.approx(88.0 / 60, abs=0.2)
    status = daemon.status()["transport"]
    assert (status["source"], status["peers"]) == ("link", 0)
    assert peer.ask("/ditto/transport/source", "own")[0] == "/ditto/done"
    assert transport(peer)[0] == "own" and transport(peer)[1] == pytest.approx(88.0)
