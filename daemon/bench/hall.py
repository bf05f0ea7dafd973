"""A daemon that plays into a JACK server, somebody who listens, and takes to play."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from daemon.bench.jack import PERIOD, RATE_HZ, Capture, capture, server
from daemon.bench.process import QUALITY, Daemon, Peer, running
from daemon.files import write_json, write_wav
from daemon.takes.slots import Slot
from daemon.takes.take import Take
from ditto_rt.spec import Report, SeamReport

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
    made = Report(
        sample_rate=RATE_HZ,
        frames=frames,
        seconds=frames / RATE_HZ,
        wall_s=0.0,
        iterations=0,
        loss=(),
        seam=SeamReport(ratio=0.5),
        model="noise",
        device="cpu",
    )
    asked = Slot(bpm=120.0, beats=beats).job()
    take = Take(slot=slot, version=version, asked=asked, report=made)
    write_json(take.plain(), wav.with_suffix(".json"))
    return audio


@dataclass
class Hall:
    """A daemon that plays, somebody who listens, and takes from an earlier evening."""

    daemon: Daemon
    heard: Capture
    peer: Peer
    takes: dict[tuple[int, int], Audio]

    def play(self, slot: int, quantum: float = 1.0) -> list[object]:
        """Play on a beat: beside other tests a player may be too late for 'now' to be exact."""
        address, values = self.peer.ask("/ditto/play", slot, quantum)
        if address != "/ditto/done":
            raise ValueError(f"slot {slot} is not played: {values}")
        return values[2:]

    def quiet(self) -> int:
        """Silence all; return the block from which on a test listens."""
        self.peer.ask("/ditto/panic")
        self.heard.wait(8 * PERIOD)
        return len(self.heard.blocks)


@contextmanager
def open_hall(
    folder: Path,
    waits: bool = True,
    more: str = QUALITY,
    beats: Mapping[int, float] = MappingProxyType(dict.fromkeys(range(4), 2.0)),
    versions: int = 2,
) -> Iterator[Hall]:
    """Start a server, somebody who listens, and a daemon that plays; write its takes first."""
    (folder / "takes").mkdir()
    takes = {
        (slot, version): write_take(folder / "takes", slot, version, length)
        for slot, length in beats.items()
        for version in range(1, versions + 1)
    }
    with (
        server(folder, waits) as name,
        capture(name) as heard,
        running(folder, AUDIO + more) as daemon,
    ):
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
    if not found:
        raise LookupError("the take is not heard")
    return int(found[0])


def looped(take: Audio, frames: int, first: int = 0) -> Audio:
    """Return `frames` of a loop from its frame `first` on."""
    return take[(first + np.arange(frames)) % len(take)]
