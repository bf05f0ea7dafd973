"""A long evening in short words: a daemon under a busy set, and how much memory each process takes.

Memory is what the system counts as resident (RSS), its share of what processes have in common
(PSS), and what would come back if it ended (USS). The verdict is on RSS: the median of the run's
last part against the same length right after the first minutes.
"""

import csv
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil

from daemon.bench import jack
from daemon.bench.hall import AUDIO, write_take
from daemon.bench.load import PLAYED, RENDERED, Load, wait
from daemon.bench.process import Daemon, running

SETTINGS = (
    "[render]\nsteps = 3\nsearch_steps = 2\niterations = 3\n[takes]\nkeep_per_slot = 4\n"
    '[cache]\nfolder = "{folder}/cache"\nmost_mb = 8\n'
)
WARM_UP_S, PART = 300.0, 0.1
# A shorter run ends while caches still fill: it shows that the set can be played, and no leak
# that is gross.
HONEST_S, GROWTH, SHORT_GROWTH = 900.0, 0.01, 0.25
MIB = 2**20


@dataclass(frozen=True)
class Sample:
    """One look at one process."""

    at_s: float
    process: str
    pid: int
    rss_bytes: int
    pss_bytes: int
    uss_bytes: int
    underruns: int


@dataclass(frozen=True)
class Growth:
    """How much larger a process was at the end than after the first minutes."""

    process: str
    before_bytes: float
    after_bytes: float
    limit: float
    pids: int

    @property
    def share(self) -> float:
        """Return the growth as a part of the size before."""
        return self.after_bytes / self.before_bytes - 1

    @property
    def passed(self) -> bool:
        """Return whether it is below the limit, and the process never ended."""
        return self.share < self.limit and self.pids == 1


@contextmanager
def stage(folder: Path) -> Iterator[tuple[Daemon, bool]]:
    """Start a daemon with takes to play; it plays into JACK where there is JACK. Yields both."""
    (folder / "takes").mkdir()
    for slot in (*RENDERED, *PLAYED):
        for version in (1, 2):
            write_take(folder / "takes", slot, version, 4.0)
    settings = SETTINGS.format(folder=folder)
    plays = not jack.missing()
    with ExitStack() as stack:
        if plays:
            name = stack.enter_context(jack.server(folder))
            # A server is up once somebody listens; a player that finds none looks again much later.
            heard = stack.enter_context(jack.capture(name, keeps=False))
            settings = AUDIO + settings
        daemon = stack.enter_context(running(folder, settings))
        if plays:
            heard.follow(60)
        daemon.wait_ready()
        yield daemon, plays


def _pid(daemon: Daemon, name: str) -> int:
    if name == "control":
        return daemon.process.pid
    if name == "engine":
        return daemon.child("daemon.engine")
    return daemon.child("daemon.audio", int(name == "reserve"))


def look(daemon: Daemon, plays: bool, at_s: float) -> list[Sample]:
    """Return how large each process is now."""
    underruns = int(daemon.status()["audio"]["underruns"])
    found = []
    for name in ("control", "engine", *(["audio", "reserve"] if plays else [])):
        try:
            pid = _pid(daemon, name)
            held = psutil.Process(pid).memory_full_info()
        except (LookupError, psutil.NoSuchProcess):
            # It has just died; the next look finds another process, and the verdict says so.
            continue
        # Other systems than Linux have no PSS.
        pss = int(getattr(held, "pss", 0))
        found.append(Sample(at_s, name, pid, int(held.rss), pss, int(held.uss), underruns))
    return found


def soak(folder: Path, minutes: float, every_s: float, log: Path) -> tuple[list[Sample], Load]:
    """Play for so long; return what was seen, and the set with its counts.

    log: where what the daemon said goes.
    """
    samples: list[Sample] = []
    with stage(folder) as (daemon, plays):
        load = Load(daemon, plays)
        load.start()
        began_s = time.monotonic()
        try:
            while (at_s := time.monotonic() - began_s) < 60 * minutes:
                samples += look(daemon, plays, at_s)
                wait(every_s, lambda: daemon.process.poll() is not None)
        finally:
            load.stop()
            log.write_text(daemon.output(), "utf-8")
        if "Traceback" in daemon.output():
            load.troubles.append(f"the daemon logged an error of its own, see {log}")
    return samples, load


def growths(samples: Sequence[Sample]) -> list[Growth]:
    """Return each process's growth from after the first minutes to the end."""
    length_s = max(sample.at_s for sample in samples)
    warm_s = min(WARM_UP_S, length_s / 2)
    part_s = max(PART * length_s, 1.0)
    limit = GROWTH if length_s >= HONEST_S else SHORT_GROWTH
    found = []
    for name in dict.fromkeys(sample.process for sample in samples):
        own = [sample for sample in samples if sample.process == name]
        first = [s.rss_bytes for s in own if warm_s <= s.at_s <= warm_s + part_s]
        last = [s.rss_bytes for s in own if s.at_s >= length_s - part_s]
        pids = len({sample.pid for sample in own})
        before, after = statistics.median(first), statistics.median(last)
        found.append(Growth(name, before, after, limit, pids))
    return found


def write_csv(samples: Sequence[Sample], path: Path) -> None:
    """Write all that was seen."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, [each.name for each in fields(Sample)])
        rows.writeheader()
        rows.writerows(asdict(sample) for sample in samples)


def plot(samples: Sequence[Sample], path: Path) -> None:
    """Draw each process's memory over time. Raises ImportError where matplotlib is missing."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(sample.process for sample in samples))
    figure, axes = pyplot.subplots(len(names), 1, sharex=True, figsize=(9, 2.5 * len(names)))
    for axis, name in zip(axes, names, strict=True):
        own = [sample for sample in samples if sample.process == name]
        for kind in ("rss", "pss", "uss"):
            sizes = [getattr(sample, f"{kind}_bytes") / MIB for sample in own]
            axis.plot([sample.at_s / 60 for sample in own], sizes, label=kind)
        axis.set_ylabel(f"{name}, MiB")
        axis.axvline(WARM_UP_S / 60, color="grey", linestyle=":")
    axes[0].legend(loc="lower right")
    axes[-1].set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
