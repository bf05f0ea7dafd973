"""Following a source: no silent jump, launches and loops on its beat, silence and its end told."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daemon.audio.wire import Clock, Hold, Opened, Order, Play, Stop
from daemon.bench.osc_bytes import message
from daemon.osc.outbox import Asker
from daemon.sources.reading import Reading
from tests.daemon_office import RATE_HZ, SENDER, Bench

LATENCY_S = 0.02
DRIFT = 1 + 50e-6


@dataclass
class Master:
    """A source whose beat a test sets; it keeps its tempo by the system's clock."""

    beat: float = 0.0
    since_ns: int = 0
    bpm: float = 120.0
    cycle: float | None = None
    running: bool | None = None
    is_live: bool = True
    text: str = ""
    peers: int = 1
    wishes: list[Any] = field(default_factory=list)

    def read(self, now_ns: int) -> Reading:
        beat = self.beat + (now_ns - self.since_ns) / 1e9 * self.bpm / 60
        rest = (beat, self.bpm, 0.001, self.running, self.cycle, self.peers)
        return Reading(self.is_live, now_ns, self.text, *rest)

    def wish_tempo(self, bpm: float) -> None:
        self.wishes.append(bpm)

    def wish_running(self, running: bool) -> None:
        self.wishes.append(running)

    def close(self) -> None:
        self.wishes.append("closed")


class World:
    """A daemon with a device whose clock is 50 ppm fast, a master, and time that a test lets go."""

    def __init__(self, folder: Path) -> None:
        self.ns = 10**12
        self.bench = Bench(folder)
        self.stage, self.conductor = self.bench.stage, self.bench.conductor
        self.chance = random.Random(1)
        self.master = Master(since_ns=self.ns)
        self.bench.get_ready()
        for slot, beats in ((0, 4.0), (1, 4.0)):
            self.bench.desk.slots[slot] = self.bench.desk.fresh
            self.bench.send(message("/ditto/slot/tempo", "iff", slot, 120.0, beats))
            self.bench.desk.submit(slot, Asker((SENDER,), "/ditto/render"))
            self.bench.finish(self.bench.rendering(), frames=round(beats * RATE_HZ / 2))
        self.bench.stage.on_event(Opened("card", RATE_HZ, 2, LATENCY_S))
        self.bench.clients.register(SENDER, SENDER[1], "", 0.0)
        self.clock()
        self.bench.take()
        self.bench.played.clear()

    def clock(self) -> None:
        """Let the device say where it is, a little late as threads are."""
        late_ns = self.chance.randint(0, 2_000_000)
        frame = round((self.ns - late_ns - 10**12) * 1e-9 * RATE_HZ * DRIFT)
        self.stage.on_event(Clock(frame, self.ns, 256, 0, 0))

    def lead(self) -> None:
        """Let the master lead from now on, as /ditto/transport/source does."""
        self.conductor._settle("midi", self.master)

    def go(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.ns += 10**8
            self.clock()
            self.conductor.step(self.ns)

    def heard_beat(self) -> float:
        """Return the beat that leaves the device now."""
        return float(self.stage.transport.beat_at(self.stage.heard_at(self.ns)))

    def off_ms(self) -> float:
        wanted = self.master.read(self.ns).beat
        return (self.heard_beat() - wanted) * 60_000 / self.master.bpm

    def events(self, address: str) -> list[tuple[Any, ...]]:
        return [values for found, values in self.bench.take() if found == address]

    def ask(self, address: str, tags: str = "", *values: object) -> tuple[Any, ...]:
        found = [values for name, values in self.bench.send(message(address, tags, *values))]
        return found[-1]

    def told(self, slot: int) -> list[Order]:
        kinds = (Play, Stop, Hold)
        return [o for o in self.bench.played if isinstance(o, kinds) and o.slot == slot]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    box: list[World] = []
    monkeypatch.setattr(time, "monotonic_ns", lambda: box[0].ns if box else 10**12)
    box.append(World(tmp_path))
    return box[0]


def test_a_source_that_is_near_is_joined_without_a_jump(world: World) -> None:
    world.go(3)
    world.master.beat, world.master.since_ns = world.heard_beat() + 0.05, world.ns
    world.lead()
    world.go(5)
    assert world.events("/ditto/transport/jumped") == []
    assert abs(world.off_ms()) < 0.6


def test_a_source_that_is_far_is_joined_with_one_jump_that_is_told(world: World) -> None:
    world.go(3)
    world.master.beat, world.master.since_ns = 101.3, world.ns
    world.lead()
    world.go(5)
    ((came, goes, size),) = world.events("/ditto/transport/jumped")
    assert 6 < came < 7 and 101 < goes < 103 and size == pytest.approx(goes - came, abs=1e-4)
    assert abs(world.off_ms()) < 0.6


def test_a_phase_within_a_bar_moves_by_half_a_bar_at_most(world: World) -> None:
    world.go(3)
    world.master.beat, world.master.since_ns, world.master.cycle = 101.3, world.ns, 4.0
    world.lead()
    world.go(5)
    ((_, _, size),) = world.events("/ditto/transport/jumped")
    assert abs(size) <= 2.0
    off = (world.heard_beat() - world.master.read(world.ns).beat) % 4
    assert min(off, 4 - off) < 0.005


def test_a_tempo_without_a_phase_never_jumps(world: World) -> None:
    world.go(3)
    world.master.beat, world.master.since_ns, world.master.cycle = 77.7, world.ns, 0.0
    world.lead()
    world.go(2)
    world.master.beat, world.master.since_ns, world.master.bpm = 500.0, world.ns, 133.0
    before = world.heard_beat()
    world.go(3)
    assert world.events("/ditto/transport/jumped") == []
    assert world.heard_beat() - before == pytest.approx(3 * 133 / 60, abs=0.05)
    assert world.ask("/ditto/transport/beat", "f", 8.0)[2:] == (8.0,)
    world.go(1)
    assert world.heard_beat() == pytest.approx(8 + 133 / 60, abs=0.1)


def test_drift_is_followed(world: World) -> None:
    world.master.since_ns = world.ns
    world.lead()
    world.go(20)
    worst = []
    for _ in range(60):
        world.go(7)
        worst.append(abs(world.off_ms()))
    # By itself it would be off by 21 ms.
    assert max(worst) < 0.6
    assert world.events("/ditto/transport/jumped") == []


def test_a_loop_stays_on_the_beat(world: World) -> None:
    world.master.since_ns, world.master.bpm = world.ns, 120.05
    world.lead()
    world.go(3)
    reply = world.ask("/ditto/play", "if", 0, 4.0)
    assert reply[4:] == (reply[4], 120.0, 1), "in time, though a bit faster"
    offs = []
    for _ in range(200):
        world.go(1)
        held = world.stage.plans[0].at(world.stage.now())
        if held and held.loop and held.start is not None:
            passed = round((world.stage.now() - held.origin) / held.loop.period)
            beat = held.start + passed * held.loop.beats
            frame = held.origin + round(passed * held.loop.period)
            offs.append((frame - world.stage.transport.frame_of(beat)) / RATE_HZ * 1000)
    assert len(offs) > 190
    assert max(map(abs, offs)) < 6.0, "4 ms are left, and the drift of a pass"
    aligned = [order for order in world.told(0) if isinstance(order, Play)]
    # 0.05 bpm are 0.83 ms a pass: about every fifth pass of 100.
    assert 8 < len(aligned) < 50
    assert {order.path for order in aligned} == {aligned[0].path}


def test_a_planned_launch_lands_on_the_source_s_beat(world: World) -> None:
    world.master.since_ns = world.ns
    world.lead()
    world.go(3)
    beat = world.ask("/ditto/play", "if", 0, 16.0)[4]
    assert beat == 16.0
    world.go(2)
    now = world.master.read(world.ns).beat
    world.master.beat, world.master.since_ns, world.master.bpm = now, world.ns, 90.0
    world.go((16.0 - now) * 60 / 90 - 0.3)
    at = world.told(0)[-1]
    assert isinstance(at, Play)
    due_ns = world.ns + round((16.0 - world.master.read(world.ns).beat) * 60e9 / 90)
    assert abs(at.at - world.stage.heard_at(due_ns)) < 0.002 * RATE_HZ
    assert len(world.told(0)) < 12, "it is not told ten times a second"


def test_a_jump_moves_what_is_planned_to_the_new_grid(world: World) -> None:
    world.go(3)
    first = world.ask("/ditto/play", "if", 0, 4.0)[4]
    world.ask("/ditto/stop", "if", 1, 4.0)
    old = world.told(0)[-1]
    world.master.beat, world.master.since_ns = 101.3, world.ns
    world.lead()
    world.go(0.2)
    slot = world.stage.state(0)
    assert first == 8.0 and slot[3] == 1 and slot[4] % 4 == 0 and slot[4] >= 104
    new = world.told(0)[-1]
    assert isinstance(old, Play) and isinstance(new, Play)
    assert old.at <= new.at < old.at + 2.1 * RATE_HZ


def test_silence_is_told_and_the_tempo_goes_on(world: World) -> None:
    world.master.since_ns, world.master.bpm = world.ns, 97.0
    world.lead()
    world.go(4)
    world.bench.take()
    world.master.is_live, world.master.text = False, "MIDI port 'x' sends no clock any more"
    before = world.heard_beat()
    world.go(10)
    (values,) = world.events("/ditto/transport.reply")
    assert values[4] == "lost" and "no clock any more; the transport runs on at 97" in values[7]
    assert world.heard_beat() - before == pytest.approx(10 * 97 / 60, abs=0.01)
    assert world.stage.transport.pull == 1
    world.master.is_live, world.master.text = True, ""
    world.go(1)
    assert world.events("/ditto/transport.reply")[-1][4] == "following"


def test_a_master_starts_and_stops_all(world: World) -> None:
    world.master.since_ns, world.master.running, world.master.cycle = world.ns, True, None
    world.lead()
    world.go(3)
    world.ask("/ditto/play", "if", 0, 1.0)
    world.go(1)
    world.master.running, world.master.cycle = False, 0.0
    world.go(1)
    assert not world.stage.transport.running and isinstance(world.told(0)[-1], Stop)
    world.master.running, world.master.cycle = True, None
    world.master.beat, world.master.since_ns = 0.0, world.ns
    world.bench.take()
    world.go(1)
    assert world.stage.transport.running and abs(world.off_ms()) < 1
    assert world.events("/ditto/transport/jumped") == [], "it stood still: nothing jumps"


def test_joining_what_stands_does_not_stop_what_plays(world: World) -> None:
    world.master.since_ns, world.master.running, world.master.cycle = world.ns, False, 4.0
    world.go(1)
    world.lead()
    world.go(2)
    assert world.stage.transport.running


def test_who_has_the_beat_is_asked(world: World) -> None:
    world.master.since_ns = world.ns
    world.lead()
    world.go(2)
    for address, values in (("/ditto/transport/beat", (8.0,)), ("/ditto/transport/start", (8.0,))):
        reply = world.ask(address, "f", *values)
        assert reply[2] == "bad_value" and "source own" in reply[3]
    world.ask("/ditto/transport/tempo", "f", 99.0)
    world.ask("/ditto/transport/stop")
    assert not world.stage.transport.running
    world.go(2)
    assert not world.stage.transport.running, "the user's word holds until the user's next"
    world.ask("/ditto/transport/start")
    world.go(1)
    assert world.stage.transport.running and abs(world.off_ms()) < 1
    assert world.master.wishes == [99.0, False, True]


def test_back_to_the_own_clock_without_a_jump(world: World) -> None:
    world.master.since_ns = world.ns
    world.lead()
    world.go(5)
    before = world.stage.transport
    frame = world.stage.now()
    assert world.ask("/ditto/transport/source", "s", "own")[2:] == ("own",)
    own = world.stage.transport
    assert own.beat_at(frame) == before.beat_at(frame)
    assert (own.bpm, own.pull, own.slack) == (120, 1, 0)
    assert world.master.wishes == ["closed"]
    world.go(1)
    assert world.ask("/ditto/transport")[0::4] == ("own", "own")


def test_a_tempo_that_nobody_can_play_is_not_followed(world: World) -> None:
    world.master.since_ns, world.master.bpm = world.ns, 640.0
    world.lead()
    world.go(1)
    reply = world.ask("/ditto/transport")
    assert reply[1] == 120.0 and "is 640; allowed: 20 to 300 bpm" in reply[7]


def test_what_cannot_be_had_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch, importing: Callable[[str], None]
) -> None:
    for source, package in (("link", "aalink"), ("midi", "rtmidi")):
        importing(package)
        reply = world.ask("/ditto/transport/source", "s", source)
        assert reply[2] == "no_source"
        assert package in reply[3] and f"pip install 'ditto-rt[{source}]'" in reply[3]
    assert world.ask("/ditto/transport")[0] == "own"


@pytest.fixture
def importing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what makes a package impossible to import."""
    import sys

    return lambda name: monkeypatch.setitem(sys.modules, name, None)
