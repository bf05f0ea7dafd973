"""The client of measurements."""

import socket
import sys
import time

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from daemon.bench.process import Peer


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not say when")
def test_an_answer_counts_from_when_it_came_in_and_not_from_when_it_was_looked_at() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        peer = Peer(daemon.getsockname()[1])
        sent_ns = time.time_ns()
        daemon.sendto(OscMessageBuilder("/ditto/pong").build().dgram, ("127.0.0.1", peer.port))
        looked_ns = time.time_ns()
        time.sleep(0.2)
        assert peer.receive(1.0) == ("/ditto/pong", [])
        assert sent_ns <= peer.arrived_ns <= looked_ns
        peer.close()
