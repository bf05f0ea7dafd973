"""Cache entries made from a number: small, whole, and each unlike the others."""

import numpy as np

from daemon.cache.blob import Entry
from daemon.cache.request import Request
from ditto_rt.spec import Intensity, Job, Point, Report, SeamReport

SAMPLES = 4_000
SHAPE = (1, 4, 1, 8)


def rising(to_db: float, beats: float = 8.0) -> Intensity:
    """Return a curve from -30 dB to `to_db`."""
    return Intensity(points=(Point(beat=0, db=-30), Point(beat=beats, db=to_db)))


def request(job: Job, weights: str = "w", rate_hz: int = 48_000) -> Request:
    """Return a request to a model of tests."""
    return Request(job=job, rate_hz=rate_hz, model="m", weights=weights)


def entry(number: int, job: Job | None = None) -> Entry:
    """Return an entry whose seed, loss, latent and audio come from `number`."""
    rng = np.random.default_rng(number)
    report = Report(
        sample_rate=48_000,
        frames=SAMPLES,
        seconds=SAMPLES / 48_000,
        wall_s=1.0,
        iterations=2,
        loss=(3.0, 1.0 + number),
        seam=SeamReport(ratio=float("nan")),
        model="m",
        device="cpu",
    )
    return Entry(
        request=request(job or Job(seed=number)),
        report=report,
        x_T=rng.normal(size=SHAPE).astype(np.float32),
        audio_N=rng.normal(size=SAMPLES).astype(np.float32),
        made_s=float(number),
    )
