"""What a daemon of its own shows: how it starts, answers, plays and renders on this machine."""

import json
import time
import urllib.request
from collections.abc import Callable

import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

from daemon.bench.process import Daemon, Peer
from daemon.config import Config
from daemon.doctor.findings import BEATS, BPM, Engine, Sound

LISTEN_S = 2.0
OPEN_S, LOAD_S, RENDER_S = 20.0, 300.0, 300.0
PINGS = 300
FEW, MORE = 1, 4

Tell = Callable[[str], None]


def settings(config: Config, sound: bool) -> str:
    """Return the user's settings as far as they count for what is measured."""
    audio = config.audio if sound else config.audio.model_copy(update={"output": "off"})
    parts = {"engine": config.engine, "audio": audio, "render": config.render}
    return "".join(_section(name, held) for name, held in parts.items())


def _section(name: str, held: BaseModel) -> str:
    rows = [f"{key} = {json.dumps(value)}\n" for key, value in held.model_dump().items()]
    return f"[{name}]\n{''.join(rows)}"


def trip_ms(peer: Peer) -> tuple[float, float]:
    """Return how long a ping takes there and back, p50 and p99."""
    taken_ms = []
    for number in range(PINGS):
        began_s = time.perf_counter()
        peer.ask("/ditto/ping", number, limit_s=10)
        taken_ms.append(1000 * (time.perf_counter() - began_s))
        time.sleep(0.002)
    p50, p99 = np.percentile(taken_ms, [50, 99])
    return float(p50), float(p99)


def sound(peer: Peer, page: str) -> Sound:
    """Wait until the output is open, listen to it for some seconds, and return what it did.

    page: the address of /metrics.
    """
    until_s = time.monotonic() + OPEN_S
    while (values := peer.ask("/ditto/audio", limit_s=10)[1])[0] == "starting":
        if time.monotonic() > until_s:
            return Sound("starting", f"the output did not open within {OPEN_S:g} s")
        time.sleep(0.1)
    if values[0] != "on":
        return Sound(values[0], values[7])
    time.sleep(LISTEN_S)
    values = peer.ask("/ditto/audio", limit_s=10)[1]
    # The audio process tells its times once a second.
    time.sleep(1.0)
    told = scraped(page)
    return Sound(
        state="on",
        device=values[1],
        rate_hz=values[2],
        block_frames=values[3],
        underruns=values[5],
        period_p99_s=told["ditto_audio_period_quantile_seconds", "0.99"],
        period_longest_s=told["ditto_audio_period_quantile_seconds", "1"],
        callback_p99_s=told["ditto_audio_callback_quantile_seconds", "0.99"],
    )


def scraped(page: str) -> dict[tuple[str, ...], float]:
    """Return the samples of /metrics by name and label values."""
    with urllib.request.urlopen(page, timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {(s.name, *s.labels.values()): s.value for each in families for s in each.samples}


def engine(daemon: Daemon, start_s: float, tell: Tell) -> Engine:
    """Wait for the model and render the loop twice; return what it took.

    Raises TimeoutError, and RuntimeError where the model cannot be loaded or a render fails.
    """
    peer = daemon.peer()
    tell("loading the model")
    until_s = daemon.started_s + LOAD_S
    while (state := peer.ask("/ditto/status", limit_s=10)[1])[0] != "ready":
        if state[0] == "failed" or time.monotonic() > until_s:
            raise RuntimeError(f"the engine is {state[0]}: {daemon.output()[-300:]}")
        time.sleep(0.1)
    load_s = time.monotonic() - daemon.started_s
    peer.ask("/ditto/slot/tempo", 0, BPM, BEATS)
    peer.ask("/ditto/slot/intensity", 0, 0.0, -30.0, BEATS, -12.0)
    tell("rendering 4 bars")
    render_s(daemon, peer, 0)
    first_s, few_s = render_s(daemon, peer, FEW)
    tell(f"rendering 4 bars with {MORE} iterations of a search")
    _, more_s = render_s(daemon, peer, MORE)
    iteration_s = max((more_s - few_s) / (MORE - FEW), 1e-6)
    rest_s = max(few_s - FEW * iteration_s, 0.0)
    return Engine(state[2], start_s, load_s, first_s, iteration_s, rest_s)


def render_s(daemon: Daemon, peer: Peer, iterations: int) -> tuple[float, float]:
    """Return how long the slot's render takes to its first version and to its end."""
    peer.ask("/ditto/slot/quality", 0, 20, iterations)
    began_s, first_s = time.perf_counter(), None
    peer.send("/ditto/render", 0)
    while True:
        address, values = peer.until("/ditto/take", "/ditto/done", "/ditto/fail", limit_s=RENDER_S)[
            -1
        ]
        taken_s = time.perf_counter() - began_s
        if address == "/ditto/take" and first_s is None:
            first_s = taken_s
        elif address == "/ditto/done":
            return first_s or taken_s, taken_s
        elif address == "/ditto/fail":
            raise RuntimeError(f"a render failed: {values[3]}")


def running_here(config: Config) -> Peer | None:
    """Return a client of the daemon on the configured port, None where none answers."""
    peer = Peer(config.osc.port)
    peer.send("/ditto/version")
    try:
        reply = peer.receive(1.0)
    except OSError:
        reply = None
    if reply and reply[0] == "/ditto/version.reply":
        return peer
    peer.close()
    return None
