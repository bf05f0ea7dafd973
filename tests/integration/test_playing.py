"""The daemon plays into a real JACK server: what comes out is the take, sample for sample."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from daemon.files import write_json, write_wav
from daemon.slots import Slot
from daemon.takes import Take
from tests.daemon_office import report
from tests.daemon_process import QUALITY, Daemon, Peer, running
from tests.jack_server import PERIOD, RATE_HZ, Capture, capture, need_jack, server

pytestmark = pytest.mark.xdist_group("jack")

AUDIO = '[audio]\noutput = "auto"\n'
CROSS, FADE = RATE_HZ // 50, RATE_HZ // 200

Audio = NDArray[np.float32]


def write_take(folder: Path, slot: int, version: int, beats: float = 2.0) -> Audio:
    """Write a take as an engine leaves it: noise, so that each sample says where it is from."""
    frames = round(beats * 60 / 120 * RATE_HZ)
    random = np.random.default_rng(1000 * slot + version)
    audio = random.uniform(-0.05, 0.05, frames).astype(np.float32)
    wav = folder / f"slot{slot:02d}_v{version:04d}.wav"
    write_wav(audio, RATE_HZ, wav)
    made = report().model_copy(update={"frames": frames, "seconds": frames / RATE_HZ})
    asked = Slot(bpm=120.0, beats=beats).job()
    take = Take(slot=slot, version=version, asked=asked, report=made)
    write_json(take.plain(), wav.with_suffix(".json"))
    return audio


def test_without_a_device_all_else_goes_on(tmp_path: Path) -> None:
    more = '[audio]\ndevice = "no card has this name"\n'
    with running(tmp_path, more + QUALITY) as daemon:
        peer = daemon.peer()
        until_s = time.monotonic() + 30
        while (reply := peer.ask("/ditto/audio")[1])[0] != "none":
            assert time.monotonic() < until_s, reply
            time.sleep(0.1)
        assert "no card has this name" in reply[-1]
        assert daemon.status()["audio"]["state"] == "none"
        assert peer.ask("/ditto/gain", 0, -6.0)[0] == "/ditto/done"
        assert peer.ask("/ditto/play", 0, 1.0)[1][2] == "no_audio"
        assert daemon.output().count("nothing can be heard") == 1


@dataclass
class Hall:
    """A daemon that plays, somebody who listens, and takes from an earlier evening."""

    daemon: Daemon
    heard: Capture
    peer: Peer
    takes: dict[tuple[int, int], Audio]

    def play(self, slot: int, quantum: float = 0.0) -> list[object]:
        address, values = self.peer.ask("/ditto/play", slot, quantum)
        assert address == "/ditto/done", values
        return values[2:]

    def quiet(self) -> int:
        """Silence all; return the block from which on a test listens."""
        self.peer.ask("/ditto/panic")
        self.heard.wait(8 * PERIOD)
        return len(self.heard.blocks)

    def child(self, module: str) -> int:
        """Return the process of the daemon that runs a module."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
                parent = int((path.parent / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == self.daemon.process.pid and module.encode() in words:
                return int(path.parent.name)
        raise AssertionError(f"no process runs {module}")


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    need_jack()
    folder = tmp_path_factory.mktemp("hall")
    (folder / "takes").mkdir()
    takes = {
        (slot, version): write_take(folder / "takes", slot, version)
        for slot in range(4)
        for version in (1, 2)
    }
    with server(folder) as name, capture(name) as heard, running(folder, AUDIO + QUALITY) as daemon:
        heard.follow(30)
        peer = daemon.peer()
        peer.ask("/ditto/notify", 1)
        while peer.ask("/ditto/audio")[1][0] != "on":
            time.sleep(0.05)
        yield Hall(daemon, heard, peer, takes)


def launch_of(audio: Audio, take: Audio) -> int:
    """Return where the take's first pass begins: the only place that has its first samples."""
    probe = take[:64]
    places = np.flatnonzero(audio[:-64] == probe[0])
    found = [at for at in places if np.array_equal(audio[at : at + 64], probe)]
    assert found, "the take is not heard"
    return int(found[0])


def looped(take: Audio, frames: int, first: int = 0) -> Audio:
    return take[(first + np.arange(frames)) % len(take)]


def test_a_loop_is_the_take_sample_for_sample(hall: Hall) -> None:
    block = hall.quiet()
    assert hall.play(0)[:2] == [0, 2]
    hall.heard.wait(3 * RATE_HZ)
    audio = hall.heard.audio(block)
    at = launch_of(audio, hall.takes[0, 2])
    assert np.array_equal(audio[at:], looped(hall.takes[0, 2], len(audio) - at))
    assert not audio[: at - FADE].any()
    assert hall.peer.ask("/ditto/audio")[1][5:7] == [0, 0]


def test_the_audio_process_loads_no_torch(hall: Hall) -> None:
    mapped = Path(f"/proc/{hall.child('daemon.audio')}/maps").read_text()
    assert "portaudio" in mapped and "torch" not in mapped


def test_launches_and_stops_are_whole_beats_apart(hall: Hall) -> None:
    block = hall.quiet()
    beats = [hall.play(0, 1.0)[2]]
    hall.heard.wait(RATE_HZ)
    beats.append(hall.play(1, 4.0)[2])
    hall.heard.wait(2 * RATE_HZ + PERIOD)
    address, values = hall.peer.ask("/ditto/stop", 0, 1.0)
    beats.append(values[3])
    hall.heard.wait(RATE_HZ)
    audio = hall.heard.audio(block)
    first = launch_of(audio, hall.takes[0, 2])
    starts = [first + round((beat - beats[0]) * RATE_HZ / 2) for beat in beats]
    assert all(float(beat).is_integer() for beat in beats) and beats[1] % 4 == 0
    # The second is heard alone once the first is taken away.
    frames = len(audio) - first
    one, two = looped(hall.takes[0, 2], frames), looped(hall.takes[1, 2], frames)
    alone = audio[first:] - one
    later = slice(starts[1] - first, starts[2] - first - FADE)
    np.testing.assert_allclose(alone[later], two[: later.stop - later.start], atol=2e-8)
    tail = audio[starts[2] :]
    assert np.array_equal(tail, looped(hall.takes[1, 2], len(tail), starts[2] - starts[1]))


def test_a_rollback_swaps_at_the_end_of_the_loop(hall: Hall) -> None:
    block = hall.quiet()
    hall.play(2)
    hall.heard.wait(RATE_HZ // 3)
    address, values = hall.peer.ask("/ditto/rollback", 2)
    assert values[2:4] == [2, 1]
    hall.heard.wait(2 * RATE_HZ)
    audio = hall.heard.audio(block)
    new, old = hall.takes[2, 1], hall.takes[2, 2]
    start, swap = launch_of(audio, old), launch_of(audio, new)
    assert swap - start == len(old)
    assert np.array_equal(audio[start : swap - CROSS], old[: len(old) - CROSS])
    assert np.array_equal(audio[swap:], looped(new, len(audio) - swap))
    assert hall.peer.ask("/ditto/rollback", 2)[1][2] == "no_take"


def test_clients_hear_what_plays_and_what_comes(hall: Hall) -> None:
    hall.quiet()
    hall.peer.drain()
    beat = hall.play(3, 4.0)[2]
    events = [r for r in hall.peer.until("/ditto/slot/state")]
    assert events[-1][1] == [3, 0, 0, 2, beat]
    assert hall.peer.until("/ditto/slot/state")[-1][1] == [3, 1, 2, -1, -1.0]
    beats = [hall.peer.until("/ditto/heartbeat")[-1][1] for _ in range(2)]
    assert 1.8 < beats[1][0] - beats[0][0] < 2.6 and beats[0][1:] == [120.0, 1, "on", 0]


def test_a_tempo_change_moves_what_is_planned_for_a_beat(hall: Hall) -> None:
    block = hall.quiet()
    hall.peer.ask("/ditto/transport/beat", 8.0)
    beat = hall.play(1, 16.0)[2]
    assert beat == 16.0
    hall.peer.ask("/ditto/transport/tempo", 240.0)
    hall.heard.wait(3 * RATE_HZ)
    audio = hall.heard.audio(block)
    at = launch_of(audio, hall.takes[1, 2]) - 8 * PERIOD
    assert abs(at / RATE_HZ - 2.0) < 0.3, "8 beats at 240 bpm, and not at 120"
    assert hall.play(1, 0.0)[3:] == [120.0, 0], "the take is not in the transport's tempo"
    hall.peer.ask("/ditto/transport/tempo", 120.0)


def test_a_killed_engine_is_not_heard(hall: Hall) -> None:
    block = hall.quiet()
    hall.play(0)
    hall.heard.wait(RATE_HZ)
    os.kill(hall.child("daemon.engine"), signal.SIGKILL)
    hall.heard.wait(2 * RATE_HZ)
    audio = hall.heard.audio(block)
    at = launch_of(audio, hall.takes[0, 2])
    assert np.array_equal(audio[at:], looped(hall.takes[0, 2], len(audio) - at))


def test_a_killed_player_is_back_in_its_phase(hall: Hall) -> None:
    block = hall.quiet()
    hall.play(0)
    hall.peer.ask("/ditto/gain", 0, -6.0)
    hall.heard.wait(6 * RATE_HZ)
    killed = hall.heard.frames()
    os.kill(hall.child("daemon.audio"), signal.SIGKILL)
    # JACK takes a moment to see that its client is gone.
    while hall.heard.client.get_ports("PortAudio.*:out_0", is_output=True):
        time.sleep(0.01)
    hall.heard.follow()
    hall.heard.wait(3 * RATE_HZ)
    blocks = hall.heard.blocks
    take, gain = hall.takes[0, 2], np.float32(10 ** (-6 / 20))
    first = block + (killed // PERIOD - block) // 2
    phases = {}
    for name, index in (("before", first), ("after", len(blocks) - 4)):
        frame, samples = blocks[index]
        probe = samples[:256]
        fits = np.correlate(np.concatenate([take, take[:256]]), probe, "valid")
        phases[name] = (int(np.argmax(fits)) - frame) % len(take)
        start = int(np.argmax(fits))
        np.testing.assert_allclose(probe, looped(take, 256, start) * gain, atol=1e-7)
    shift = (phases["after"] - phases["before"] + len(take) // 2) % len(take) - len(take) // 2
    silent = [i for i, (_, x) in enumerate(blocks) if i > killed // PERIOD and not x.any()]
    gap_s = (max(silent) - min(silent) + 1) * PERIOD / RATE_HZ
    assert gap_s < 2.0 + 0.1
    assert abs(shift) / RATE_HZ < 0.03, f"{shift} frames beside its phase"


def test_a_finished_render_takes_over_at_the_end_of_the_loop(hall: Hall) -> None:
    peer = hall.peer
    # A client that never registered asks here, so this one gets copies of its answers.
    hall.daemon.wait_ready()
    peer.drain()
    block = hall.quiet()
    peer.ask("/ditto/slot/tempo", 1, 120.0, 2.0)
    hall.play(1)
    peer.send("/ditto/render", 1)
    replies = dict(peer.until("/ditto/done", "/ditto/fail"))
    assert "/ditto/take" in replies, replies
    path = replies["/ditto/take"][2]
    hall.heard.wait(4 * RATE_HZ)
    new, _ = soundfile.read(path, dtype="float32")
    audio, old = hall.heard.audio(block), hall.takes[1, 2]
    start, swap = launch_of(audio, old), launch_of(audio, new)
    assert (swap - start) % len(old) == 0
    assert np.array_equal(audio[start : swap - CROSS], looped(old, swap - CROSS - start))
    assert np.array_equal(audio[swap:], looped(new, len(audio) - swap))


def test_panic_is_silence(hall: Hall) -> None:
    for slot in range(4):
        hall.play(slot)
    hall.heard.wait(RATE_HZ // 2)
    assert hall.heard.audio(len(hall.heard.blocks) - 4).any()
    block = hall.quiet()
    hall.heard.wait(RATE_HZ // 2)
    assert not hall.heard.audio(block).any()
