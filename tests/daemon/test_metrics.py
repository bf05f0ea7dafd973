"""What a scrape shows, read with prometheus_client's own parser."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.audio.wire import Clock, Meter, Opened, Times
from daemon.bench.osc_bytes import message
from daemon.commands.tally import Tally
from daemon.metrics import Metrics, quantile_s, upper_s
from tests.daemon_office import Bench


@dataclass
class Process:
    pid: int | None
    starts: int


def scraped(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and the values of its labels, by their names."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.outbox.on_fail = made.office.tally.failure
    return made


def metrics_of(bench: Bench) -> Metrics:
    children = {"engine": Process(os.getpid(), 3), "audio": Process(None, 1)}
    return Metrics(bench.office, children, lambda: 4)


def test_commands_and_refusals_are_counted_by_name(bench: Bench) -> None:
    for _ in range(3):
        bench.send(message("/ditto/ping"))
    bench.send(message("/ditto/slot/seed", "ii", 0, -1))
    bench.send(message("/no/such/thing"))
    bench.send(b"/broken")
    found = scraped(metrics_of(bench))
    assert found["ditto_osc_datagrams_total",] == 6
    assert found["ditto_osc_messages_total", "/ditto/ping"] == 3
    assert ("ditto_osc_messages_total", "/ditto/slot/seed") not in found
    assert found["ditto_failures_total", "out_of_range", "/ditto/slot/seed"] == 1
    assert found["ditto_failures_total", "unknown_command", "other"] == 1
    assert found["ditto_failures_total", "bad_packet", "other"] == 1
    assert found["ditto_osc_unsent_total",] == 4


def test_hostile_names_make_no_new_series(bench: Bench) -> None:
    for number in range(50):
        bench.send(message(f"/made/up/{number}"))
    names = [key for key in scraped(metrics_of(bench)) if key[0] == "ditto_failures_total"]
    assert names == [("ditto_failures_total", "unknown_command", "other")]


def test_renders_and_processes(bench: Bench) -> None:
    metrics = metrics_of(bench)
    bench.desk.on_take = lambda take: metrics.job(take.report.wall_s)
    bench.get_ready()
    bench.send(message("/ditto/render", "i", 0))
    assert scraped(metrics)["ditto_queue",] == 1
    assert scraped(metrics)["ditto_engine_state", "rendering"] == 1
    bench.finish(bench.rendering())
    found = scraped(metrics)
    assert found["ditto_takes_total",] == 1 and found["ditto_queue",] == 0
    assert found["ditto_job_seconds_count",] == 1 and found["ditto_job_seconds_sum",] == 1.5
    assert found["ditto_process_restarts_total", "engine"] == 2
    assert found["ditto_process_resident_bytes", "control"] > 2**20
    assert found["ditto_process_resident_bytes", "audio"] == 0


def test_the_callback_times_are_a_histogram_and_quantiles(bench: Bench) -> None:
    metrics = metrics_of(bench)
    bench.stage.on_event(Opened("card", 48_000, 2, 0.01))
    bench.stage.on_event(Clock(0, 0, 480, 5, 2, clipped=3))
    # Bins 110 and 120: 2**13 * 14 ns and 2**15 * 8 ns, so at most 123 and 295 us.
    metrics.meter = Meter(Times(30_000_000, 290_000, ((110, 990), (120, 10))), Times())
    found = scraped(metrics)
    assert found["ditto_audio_underruns_total",] == 5
    assert found["ditto_audio_late_changes_total",] == 2
    assert found["ditto_audio_clipped_frames_total",] == 3
    assert found["ditto_audio_block_seconds",] == 0.01
    assert found["ditto_audio_callback_seconds_count",] == 1000
    assert found["ditto_audio_callback_seconds_bucket", "0.000131072"] == 990
    assert found["ditto_audio_callback_quantile_seconds", "0.5"] == upper_s(110)
    assert found["ditto_audio_callback_quantile_seconds", "0.99"] == upper_s(110)
    assert found["ditto_audio_callback_quantile_seconds", "1"] == 0.00029
    assert quantile_s(metrics.meter.busy, 0.995) == 0.00029


def test_the_rate_is_the_mean_of_the_last_ten_whole_seconds() -> None:
    tally = Tally()
    for tenth in range(200):
        tally.datagram(100 + tenth / 10)
    assert tally.datagrams_per_s(120.5) == 10
    assert tally.datagrams_per_s(125.0) == 5
    assert tally.datagrams_per_s(500.0) == 0
