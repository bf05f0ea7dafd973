"""/metrics of a real daemon, scraped as Prometheus does."""

import time
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from daemon.bench.process import running


def test_a_scrape_shows_what_was_done(tmp_path: Path) -> None:
    with running(tmp_path) as daemon:
        daemon.wait_ready()
        peer = daemon.peer()
        peer.ask("/ditto/slot/tempo", 0, 120.0, 2.0)
        assert peer.ask("/ditto/render", 0)[0] == "/ditto/done"
        assert peer.ask("/ditto/play", 0, 1.0)[1][2] == "no_audio"
        until_s = time.monotonic() + 1
        with urllib.request.urlopen(daemon.url("metrics"), timeout=5) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = answer.read().decode()
        assert time.monotonic() < until_s
        found = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    assert found["ditto_takes_total",] == found["ditto_job_seconds_count",] == 1
    assert found["ditto_job_seconds_sum",] > 0.01
    assert found["ditto_osc_messages_total", "/ditto/render"] == 1
    assert found["ditto_failures_total", "no_audio", "/ditto/play"] == 1
    assert found["ditto_process_resident_bytes", "engine"] > 50 * 2**20
    assert found["ditto_audio_on",] == 0
