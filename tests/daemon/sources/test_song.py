"""Start, stop, continue and song positions: which beat it is, and who knows it."""

import random

import pytest

from daemon.sources.song import Song

PERIOD_S = 60 / 120 / 24


class Master:
    """A MIDI master at 120 bpm whose messages a test sends."""

    def __init__(self) -> None:
        self.song = Song()
        self.now_s = 100.0

    def clocks(self, count: int) -> None:
        for _ in range(count):
            self.now_s += PERIOD_S
            self.send("clock")

    def send(self, kind: str, position: int = 0) -> None:
        self.song = self.song.with_message(kind, self.now_s, position)

    def beat(self) -> float:
        reading = self.song.reading(round(self.now_s * 1e9), "'x'")
        assert reading.is_live, reading.text
        return reading.beat

    def knows(self) -> bool:
        return self.song.reading(round(self.now_s * 1e9), "'x'").cycle is None


def test_a_start_makes_the_next_clock_beat_0() -> None:
    master = Master()
    master.clocks(50)
    assert not master.knows() and master.song.running is None
    master.send("start")
    master.clocks(1)
    assert master.beat() == pytest.approx(0) and master.song.running and master.knows()
    master.clocks(48)
    assert master.beat() == pytest.approx(2)


def test_a_clock_that_comes_only_with_the_start() -> None:
    master = Master()
    master.send("start")
    master.clocks(24)
    assert master.beat() == pytest.approx(23 / 24) and master.knows()


def test_a_stop_and_a_continue_go_on_where_it_was() -> None:
    master = Master()
    master.send("start")
    master.clocks(49)
    master.send("stop")
    assert master.song.running is False and not master.knows()
    master.clocks(100)
    master.send("continue")
    master.clocks(1)
    assert master.beat() == pytest.approx(49 / 24) and master.song.running


def test_a_position_holds_from_the_continue_on() -> None:
    master = Master()
    master.clocks(30)
    master.send("songpos", 64)
    master.clocks(30)
    assert not master.knows()
    master.send("continue")
    master.clocks(25)
    assert master.beat() == pytest.approx(17) and master.knows()


def test_a_position_while_it_plays_is_a_jump() -> None:
    master = Master()
    master.send("start")
    master.clocks(40)
    master.send("songpos", 400)
    master.clocks(1)
    assert master.beat() == pytest.approx(100)


def test_a_continue_without_a_position_tells_only_the_tempo() -> None:
    master = Master()
    master.send("continue")
    master.clocks(30)
    assert master.song.running and not master.knows()
    master.beat()


def test_what_is_missing_is_told() -> None:
    master = Master()
    texts = [Song().reading(0, "'x'").text]
    master.clocks(3)
    texts.append(master.song.reading(round(master.now_s * 1e9), "'x'").text)
    master.clocks(30)
    texts.append(master.song.reading(round(master.now_s * 1e9), "'x'").text)
    texts.append(master.song.reading(round(master.now_s * 1e9) + 10**9, "'x'").text)
    assert [text.removeprefix("MIDI port 'x' ") for text in texts] == [
        "has not sent a clock yet",
        "has just begun to send its clock",
        "has not said where its song is",
        "sends no clock any more",
    ]


def test_any_messages_in_any_order_are_survived() -> None:
    chance, master = random.Random(5), Master()
    kinds = ["clock"] * 8 + ["start", "stop", "continue", "songpos", "note_on", "reset"]
    for _ in range(3000):
        master.now_s += chance.expovariate(60)
        master.send(chance.choice(kinds), chance.randint(0, 2**14 - 1))
        reading = master.song.reading(round(master.now_s * 1e9), "'x'")
        assert reading.is_live or reading.text
        assert not reading.is_live or reading.bpm > 0
