"""What plays when, who is told, and what a new audio process hears; nothing is played here."""

import time
from pathlib import Path

import pytest

from daemon.audio.wire import (
    HERE_AND_NOW,
    Begin,
    Clock,
    Gain,
    Hold,
    Load,
    Opened,
    Panic,
    Play,
    Silent,
    Stop,
    Trouble,
)
from daemon.bench.osc_bytes import bundle, message
from daemon.osc.outbox import Asker
from daemon.osc.schedule import NTP_EPOCH_S
from daemon.playing.announcer import Announcer
from daemon.playing.stage import LEAD_S
from daemon.processes.child import Died
from tests.daemon_office import RATE_HZ, SENDER, Bench

BEAT = RATE_HZ // 2
BLOCK = 512


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return an office with a device, at frame 0, and one take in slot 3."""
    bench = Bench(tmp_path)
    bench.get_ready()
    render(bench, 3)
    bench.stage.on_event(Opened("card", RATE_HZ, 2, 0.01))
    at(bench, 0)
    bench.played.clear()
    return bench


def render(bench: Bench, slot: int) -> None:
    bench.desk.submit(slot, Asker((SENDER,), "/ditto/render"))
    bench.finish(bench.rendering())
    bench.take()


def at(bench: Bench, frame: int) -> None:
    """Let the device be at a frame, now."""
    bench.stage.clock = Clock(frame, time.monotonic_ns(), BLOCK, 0, 0)


def answer(bench: Bench, address: str, tags: str = "", *values: object) -> tuple[object, ...]:
    """Return the values behind the request id; a failure's code."""
    (found,) = bench.send(message(address, tags, *values))
    kind, rest = found
    assert kind in ("/ditto/done", "/ditto/fail"), found
    return rest[2:] if kind == "/ditto/done" else rest[2:3]


def play(bench: Bench, quantum: float = 4.0) -> tuple[object, ...]:
    return answer(bench, "/ditto/play", "if", 3, quantum)


def test_a_launch_that_a_bundle_announces_is_read_before_it_is_due(bench: Bench) -> None:
    bench.office.schedule.is_on = True
    tag = int((time.time() + NTP_EPOCH_S + 5) * 2**32).to_bytes(8, "big")
    launches = [message("/ditto/play", "if", slot, 0.0) for slot in (3, 4, 99)]
    assert bench.send(bundle(*launches, tag=tag)) == []
    assert bench.played == [Load(str(bench.desk.takes.sound(3, 1)))]


def test_a_launch_says_its_beat_and_is_planned_there(bench: Bench) -> None:
    at(bench, 5 * BEAT)
    assert play(bench) == (3, 1, 8.0, 120.0, 1)
    path = str(bench.desk.takes.sound(3, 1))
    assert bench.played == [Play(3, path, 8 * BEAT, 8 * BEAT, 4800, 1, 0.2)]
    assert bench.stage.state(3) == (3, 0, 0, 1, 8.0)
    at(bench, 8 * BEAT)
    assert bench.stage.state(3) == (3, 1, 1, -1, -1.0)


def test_a_launch_never_comes_too_late_for_its_beat(bench: Bench) -> None:
    at(bench, 8 * BEAT - BLOCK - round(LEAD_S * RATE_HZ) + 10)
    assert play(bench)[2] == 12.0


def test_what_cannot_be_played_is_refused(bench: Bench) -> None:
    assert answer(bench, "/ditto/play", "if", 4, 1.0) == ("no_take",)
    bench.stage.on_event(Silent("no card"))
    assert play(bench) == ("no_audio",)
    assert bench.played == []


def test_a_stop_and_a_gain_say_their_beats(bench: Bench) -> None:
    play(bench)
    at(bench, 13 * BEAT)
    assert answer(bench, "/ditto/stop", "if", 3, 4.0) == (3, 16.0)
    assert bench.played[-1] == Stop(3, 16 * BEAT)
    slot, beat = answer(bench, "/ditto/gain", "if", 3, -6.0)
    assert isinstance(beat, float) and 13.0 < beat < 13.5
    gain = bench.played[-1]
    assert isinstance(gain, Gain) and gain.gain == pytest.approx(10 ** (-6 / 20))
    answer(bench, "/ditto/gain", "if", 3, -90.0)
    assert bench.stage.gains[3] == 0.0


def test_a_tempo_change_keeps_the_beat_and_the_promise(bench: Bench) -> None:
    at(bench, 2 * BEAT)
    play(bench)
    bench.played.clear()
    (beat,) = answer(bench, "/ditto/transport/tempo", "f", 60.0)
    assert beat == pytest.approx(2.0, abs=0.05)
    hold, order = bench.played
    assert isinstance(hold, Hold) and isinstance(order, Play)
    assert order.at == order.origin == pytest.approx(2 * BEAT + 2 * RATE_HZ, abs=0.05 * RATE_HZ)
    assert bench.stage.state(3)[4] == 4.0
    assert play(bench)[3:] == (120.0, 0)


def test_the_transport_stops_with_all_that_plays_and_a_launch_starts_it(bench: Bench) -> None:
    play(bench)
    at(bench, 5 * BEAT)
    (beat,) = answer(bench, "/ditto/transport/stop")
    assert isinstance(beat, float) and 5.0 < beat < 5.5
    assert isinstance(bench.played[-1], Stop)
    at(bench, 50 * BEAT)
    assert bench.stage.transport.beat_at(bench.stage.now()) == pytest.approx(beat)
    assert answer(bench, "/ditto/transport/beat", "f", 8.0) == (8.0,)
    assert play(bench)[2] == 8.0, "it stands on a multiple of 4, so it is launched at once"
    assert bench.stage.transport.running


def test_the_transport_starts_where_it_is_told_to(bench: Bench) -> None:
    answer(bench, "/ditto/transport/stop")
    assert answer(bench, "/ditto/transport/start", "f", 32.0) == (32.0,)
    frame = bench.stage.transport.frame
    assert bench.stage.transport.beat_at(frame + BEAT) == 33


def test_a_new_take_is_swapped_in_at_the_end_of_the_loop(bench: Bench) -> None:
    play(bench)
    at(bench, 4 * BEAT + 100)
    bench.played.clear()
    render(bench, 3)
    load, order = bench.played
    path = str(bench.desk.takes.sound(3, 2))
    assert load == Load(path)
    assert isinstance(order, Play) and order.path == path
    assert (order.at - 4 * BEAT) % 4800 == 0
    assert bench.stage.state(3)[1:4] == (1, 1, 2)


def test_a_rollback_and_its_end(bench: Bench) -> None:
    render(bench, 3)
    bench.played.clear()
    assert answer(bench, "/ditto/rollback", "i", 3)[:2] == (3, 1)
    assert bench.played == [], "a silent slot only plays it the next time"
    assert play(bench)[1] == 1
    assert answer(bench, "/ditto/rollback", "i", 3) == ("no_take",)
    render(bench, 3)
    assert play(bench)[1] == 3


def test_panic_forgets_all(bench: Bench) -> None:
    play(bench)
    answer(bench, "/ditto/panic")
    assert bench.played[-1] == Panic()
    assert bench.stage.state(3) == (3, 0, 0, -1, -1.0)


def test_a_new_audio_process_goes_on_where_the_old_one_was(bench: Bench) -> None:
    play(bench)
    answer(bench, "/ditto/gain", "if", 3, -6.0)
    at(bench, 9 * BEAT)
    answer(bench, "/ditto/stop", "if", 3, 16.0)
    bench.stage.on_event(Died("was killed by signal 9"))
    assert bench.stage.output.state == "starting"
    bench.played.clear()
    bench.stage.on_event(Opened("card", RATE_HZ, 2, 0.01))
    begin, *rest = bench.played
    assert isinstance(begin, Begin) and begin.frame == pytest.approx(9 * BEAT, abs=RATE_HZ)
    mine = [order for order in rest if getattr(order, "slot", None) == 3]
    path = str(bench.desk.takes.sound(3, 1))
    assert mine == [
        Gain(3, bench.stage.gains[3], HERE_AND_NOW),
        Play(3, path, HERE_AND_NOW, 4 * BEAT, 4800, 1, 0.2),
        Stop(3, 16 * BEAT),
    ]


def test_trouble_is_told_to_who_asked_and_the_slot_is_silent(bench: Bench) -> None:
    play(bench)
    bench.stage.on_event(Trouble(3, "take x cannot be read"))
    assert bench.take() == [
        ("/ditto/fail", ("/ditto/play", -1, "bad_file", "take x cannot be read"))
    ]
    assert isinstance(bench.played[-1], Stop)


def test_a_missing_device_is_told_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        bench.stage.on_event(Silent("no card"))
        bench.stage.on_event(Died("ended with code 1"))
    assert caplog.text.count("no card") == 1
    (reply,) = bench.send(message("/ditto/audio"))
    assert (reply[1][0], reply[1][7]) == ("none", "no card")


def test_clients_are_told_what_changes_and_nothing_twice(bench: Bench) -> None:
    announcer = Announcer(bench.stage, bench.outbox)
    bench.clients.register(SENDER, SENDER[1], "", 0.0)
    announcer.tell(10.0)
    (beat,) = bench.take()
    assert beat[0] == "/ditto/heartbeat" and beat[1][1:] == (120.0, 1, "on", 0)
    play(bench)
    announcer.tell(10.1)
    announcer.tell(10.2)
    assert bench.take() == [("/ditto/slot/state", (3, 0, 0, 1, 4.0))]
    at(bench, 4 * BEAT)
    announcer.tell(10.9)
    assert bench.take() == [("/ditto/slot/state", (3, 1, 1, -1, -1.0))]
    announcer.tell(11.0)
    assert [address for address, _ in bench.take()] == ["/ditto/heartbeat"]
