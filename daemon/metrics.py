"""What /metrics tells Prometheus: read from the parts that own it, at the moment of a scrape.

A registry of its own: what prometheus_client keeps for all of a process belongs to nobody here.
Names follow https://prometheus.io/docs/practices/naming/: seconds, bytes, `_total` for counts.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import psutil
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from daemon.audio.wire import Meter, Times
from daemon.commands.office import Office
from ditto_rt import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
JOB_EDGES_S = (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256)
# Bins of the callback's times: eight for each doubling; a scrape shows every eighth edge.
SHARE = 8
OCTAVES = range(10, 28)
QUANTILES = (0.5, 0.99)
STATES = ("loading", "ready", "rendering", "failed")


class Child(Protocol):
    """A process that works for this one, as its link sees it now."""

    starts: int

    @property
    def pid(self) -> int | None:
        """Its process id, None while there is none."""


@dataclass(eq=False)
class Metrics(Collector):
    """Reads an office when it is scraped. Owned by the event loop."""

    office: Office
    children: Mapping[str, Child]
    unsent: Callable[[], int]
    meter: Meter = Meter()
    _registry: CollectorRegistry = field(default_factory=CollectorRegistry, repr=False)

    def __post_init__(self) -> None:
        """Make the registry; only the job times are kept here, all else is read."""
        self._registry.register(self)
        self._job_s = Histogram(
            "ditto_job_seconds", "Wall time of finished renders.", buckets=JOB_EDGES_S,
            registry=self._registry,
        )  # fmt: skip

    def job(self, wall_s: float) -> None:
        """Count a finished render."""
        self._job_s.observe(wall_s)

    def text(self) -> bytes:
        """Return the page in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield what the parts hold now."""
        yield InfoMetricFamily("ditto", "Version and model.", value=self._labels())
        yield from self._osc()
        yield from self._renders()
        yield from self._audio()
        yield from self._processes()

    def _labels(self) -> dict[str, str]:
        desk = self.office.desk
        return {"version": __version__, "model": desk.model, "device": desk.device}

    def _osc(self) -> Iterator[Metric]:
        tally = self.office.tally
        yield _count("ditto_osc_datagrams", "Datagrams carried out.", tally.datagrams)
        rate = tally.datagrams_per_s()
        yield _gauge("ditto_osc_datagrams_per_second", "Mean of the last ten seconds.", rate)
        dropped = self.office.dropped()
        yield _count("ditto_osc_dropped", "Datagrams lost: too many at once.", dropped)
        yield _count("ditto_osc_unsent", "Replies that the system did not take.", self.unsent())
        commands = CounterMetricFamily(
            "ditto_osc_messages", "Commands that were read and carried out.", labels=["command"]
        )
        for address, number in sorted(tally.commands.items()):
            commands.add_metric([address], number)
        yield commands
        failures = CounterMetricFamily(
            "ditto_failures", "Answers /ditto/fail: refused or failed.", labels=["command", "code"]
        )
        for (address, code), number in sorted(tally.failures.items()):
            failures.add_metric([address, code], number)
        yield failures

    def _renders(self) -> Iterator[Metric]:
        desk = self.office.desk
        state = GaugeMetricFamily("ditto_engine_state", "1 for what it is.", labels=["state"])
        for name in STATES:
            state.add_metric([name], name == desk.state)
        yield state
        yield _gauge("ditto_queue", "Renders that wait or run.", len(desk.line))
        yield _count("ditto_takes", "Takes made.", desk.jobs_done)
        hits = CounterMetricFamily(
            "ditto_cache_lookups", "What the cache had for a render.", labels=["hit"]
        )
        for hit, number in desk.hits.items():
            hits.add_metric([hit], number)
        yield hits
        deadlines = CounterMetricFamily(
            "ditto_deadlines", "Renders that had to be ready by a beat.", labels=["outcome"]
        )
        for outcome, number in desk.deadlines.items():
            deadlines.add_metric([outcome], number)
        yield deadlines
        unsaved = len(desk.takes.unsaved)
        yield _gauge("ditto_takes_unsaved", "Takes in memory that the disk refused.", unsaved)

    def _audio(self) -> Iterator[Metric]:
        stage = self.office.stage
        output, clock = stage.output, stage.clock
        yield _gauge("ditto_audio_on", "1 where a device plays.", output.state == "on")
        yield _count("ditto_audio_underruns", "Told by the device, this stream.", clock.underruns)
        yield _count("ditto_audio_late_changes", "Changes that came late.", clock.late)
        yield _count("ditto_audio_clipped_frames", "Louder than full scale.", clock.clipped)
        block_s = clock.block_frames / stage.transport.rate_hz
        yield _gauge("ditto_audio_block_seconds", "What the device asks for at once.", block_s)
        yield _gauge("ditto_audio_latency_seconds", "As the device tells it.", output.latency_s)
        yield _gauge("ditto_transport_bpm", "Tempo.", float(stage.transport.bpm))
        told = (
            ("ditto_audio_callback", "How long the callback took.", self.meter.busy),
            ("ditto_audio_period", "How far apart the callback's calls were.", self.meter.period),
        )
        for name, text, times in told:
            yield _histogram(f"{name}_seconds", text, times)
            yield _quantiles(f"{name}_quantile_seconds", text, times)

    def _processes(self) -> Iterator[Metric]:
        restarts = CounterMetricFamily(
            "ditto_process_restarts", "Starts after the first.", labels=["process"]
        )
        memory = GaugeMetricFamily(
            "ditto_process_resident_bytes", "Memory in use.", labels=["process"]
        )
        memory.add_metric(["control"], resident_bytes(os.getpid()))
        for name, child in self.children.items():
            restarts.add_metric([name], max(0, child.starts - 1))
            memory.add_metric([name], resident_bytes(child.pid))
        yield restarts
        yield memory


def resident_bytes(pid: int | None) -> int:
    """Return the resident memory of a process, 0 where it is gone."""
    try:
        return 0 if pid is None else int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def upper_s(number: int) -> float:
    """Return where a bin of the callback's times ends."""
    octave, share = divmod(number, SHARE)
    return float(2**octave * (SHARE + share + 1)) / 1e9


def quantile_s(times: Times, share: float) -> float:
    """Return a bound that this share of the calls stayed below, at most an eighth too high."""
    total = sum(count for _, count in times.bins)
    seen = 0
    for number, count in times.bins:
        seen += count
        if seen >= share * total:
            return min(upper_s(number), times.longest_ns / 1e9)
    return 0.0


def _histogram(name: str, text: str, times: Times) -> Metric:
    buckets = []
    for octave in OCTAVES:
        edge_ns = 2**octave
        below = sum(n for at, n in times.bins if upper_s(at) <= edge_ns / 1e9)
        buckets.append((str(edge_ns / 1e9), float(below)))
    buckets.append(("+Inf", float(sum(count for _, count in times.bins))))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=times.sum_ns / 1e9)


def _quantiles(name: str, text: str, times: Times) -> Metric:
    found = GaugeMetricFamily(name, f"{text} Since the stream began.", labels=["quantile"])
    for share in QUANTILES:
        found.add_metric([str(share)], quantile_s(times, share))
    found.add_metric(["1"], times.longest_ns / 1e9)
    return found


def _count(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
