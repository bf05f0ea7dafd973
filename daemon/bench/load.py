"""What a busy set asks of a daemon: threads that render, play, knock, come and go until the end.

Each thread has clients of its own and owns nothing else; failures of a thread are kept and told.
"""

import itertools
import random
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from daemon.bench.hostile import hostile, is_obeyed
from daemon.bench.process import Daemon, Peer, Reply

RENDERED = range(4)
PLAYED = range(4, 8)
MELODIC, FORMED = 2, 3
HOSTILE_BURST, HOSTILE_PAUSE_S = 20, 0.1
PLAY_PAUSE_S, CLIENT_PAUSE_S, PAGE_PAUSE_S = 0.7, 0.5, 2.0
SCENES, SCENE_EVERY = 4, 24
RECALLS = "recalls asked"
ANSWER_S = 20.0
AUTOMATION_PER_S = 100


@dataclass
class Load:
    """A set on a daemon, from `start` to `stop`; `counts` says how much of each was asked."""

    daemon: Daemon
    plays: bool
    seed: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin."""
        parts: list[Callable[[Peer, random.Random], None]] = [
            self._render,
            self._knock,
            self._come_and_go,
            self._look,
        ]
        if self.plays:
            parts += [self._play, self._automate]
        for number, part in enumerate(parts):
            chance = random.Random(1000 * self.seed + number)
            thread = threading.Thread(target=self._run, args=(part, chance), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End, once what was asked last is answered."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, part: Callable[[Peer, random.Random], None], chance: random.Random) -> None:
        while not self._stop.is_set():
            peer = Peer(self.daemon.osc_port)
            try:
                part(peer, chance)
            except (TimeoutError, OSError, ValueError) as error:
                if not self._stop.is_set():
                    self.troubles.append(f"{part.__name__}: {type(error).__name__}: {error}"[:300])
            finally:
                peer.close()

    def _render(self, peer: Peer, chance: random.Random) -> None:
        peer.ask("/ditto/notify", 1)
        for number in itertools.count():
            if self._stop.is_set():
                return
            slot = number % len(RENDERED)
            peer.ask("/ditto/slot/tempo", slot, 120.0, 4.0)
            peer.ask("/ditto/slot/seed", slot, chance.randrange(2**31))
            levels = [float(chance.randrange(-36, -6)) for _ in range(2)]
            peer.ask("/ditto/slot/intensity", slot, 0.0, levels[0], 4.0, levels[1])
            if slot == MELODIC:
                peer.ask("/ditto/slot/melody", slot, chance.randrange(48, 72), 0.0, 4.0)
            if slot == FORMED:
                peer.ask("/ditto/slot/structure", slot, "AB")
            recalls = self.counts[RECALLS]
            peer.send("/ditto/render", slot, number)
            while (reply := peer.until("/ditto/done", "/ditto/fail", limit_s=120)[-1])[1][:2] != [
                "/ditto/render",
                number,
            ]:
                pass
            self._note(reply, self.counts[RECALLS] > recalls)

    def _note(self, reply: Reply, recalled: bool) -> None:
        """Count how a render ended: a failure is a trouble, where no scene cancelled it."""
        if reply[0] == "/ditto/done":
            self.counts["takes"] += 1
        elif recalled and reply[1][2] == "cancelled":
            self.counts["renders cancelled by a recall"] += 1
        else:
            self.troubles.append(f"a render failed: {reply[1]}"[:300])

    def _play(self, peer: Peer, chance: random.Random) -> None:
        scenes = 0
        for number in itertools.count(1):
            if self._stop.wait(PLAY_PAUSE_S):
                return
            slot = chance.choice([*RENDERED, *PLAYED])
            kind = chance.choice(["play", "play", "stop", "gain", "rollback"])
            if number % SCENE_EVERY == 0:
                kind = "scene"
            match kind:
                case "gain":
                    reply = peer.ask("/ditto/gain", slot, chance.uniform(-30, 0), limit_s=ANSWER_S)
                case "rollback":
                    reply = peer.ask("/ditto/rollback", slot, limit_s=ANSWER_S)
                case "scene" if scenes < SCENES:
                    scenes += 1
                    reply = peer.ask("/ditto/scene/save", f"soak {scenes}", limit_s=ANSWER_S)
                case "scene":
                    name = f"soak {chance.randrange(SCENES) + 1}"
                    # Before it is asked: what it cancels may be told to another thread at once.
                    self.counts[RECALLS] += 1
                    reply = peer.ask("/ditto/scene/recall", name, limit_s=ANSWER_S)
                case _:
                    reply = peer.ask(f"/ditto/{kind}", slot, 1.0, limit_s=ANSWER_S)
            self.counts[kind if reply[0] == "/ditto/done" else f"{kind} refused"] += 1

    def _automate(self, peer: Peer, chance: random.Random) -> None:
        while not self._stop.wait(1 / AUTOMATION_PER_S):
            beat, level_db = chance.uniform(0, 4), chance.uniform(-30, -6)
            peer.send("/ditto/automation", chance.choice(RENDERED), beat, level_db)
            self.counts["automation"] += 1
            if self.counts["automation"] % AUTOMATION_PER_S == 0:
                peer.drain()

    def _knock(self, peer: Peer, chance: random.Random) -> None:
        # One in good order may be a /ditto/cancel of what another thread of this set waits for.
        damaged = hostile(chance.randrange(2**31), silent=True)
        packets = (packet for packet in damaged if not is_obeyed(packet))
        while not self._stop.wait(HOSTILE_PAUSE_S):
            for packet in itertools.islice(packets, HOSTILE_BURST):
                peer.raw(packet)
            peer.drain()
            self.counts["hostile datagrams"] += HOSTILE_BURST

    def _come_and_go(self, _: Peer, chance: random.Random) -> None:
        while not self._stop.wait(CLIENT_PAUSE_S):
            client = Peer(self.daemon.osc_port)
            client.ask(
                "/ditto/notify", 1, client.port, f"client {chance.random()}", limit_s=ANSWER_S
            )
            if chance.random() < 0.5:
                client.ask("/ditto/notify", 0, limit_s=ANSWER_S)
            client.close()
            self.counts["clients"] += 1

    def _look(self, _: Peer, chance: random.Random) -> None:
        while not self._stop.wait(PAGE_PAUSE_S):
            for path in ("status.json", "metrics", ""):
                with urllib.request.urlopen(self.daemon.url(path), timeout=10) as answer:
                    answer.read()
            self.counts["pages"] += 1


def wait(seconds: float, process_ends: Callable[[], bool]) -> None:
    """Sleep; raise RuntimeError as soon as the daemon has ended."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        if process_ends():
            raise RuntimeError("the daemon ended")
        time.sleep(0.1)
