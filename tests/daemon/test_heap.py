"""A process that keeps its size: what glibc and Python would do later, done at the start."""

import subprocess
import sys

import pytest

from tests.source_tree import ROOT

# As the control process uses them: large blocks, small ones that stay between them, and names.
GROWS = """
import sys, psutil
from daemon import heap
import daemon.service
if {settled}:
    heap.settle()
    heap.settle_names()
rss = psutil.Process().memory_info
before, kept = rss().rss, []
for number in range(40):
    blocks = [bytearray(200_000) for _ in range(20)]
    kept.append(bytes(500 + number))
    for name in range(1000):
        sys.intern(f"take {{number}} {{name}}")
    del blocks
print(rss().rss - before)
"""


def growth_bytes(settled: bool) -> int:
    done = subprocess.run(
        [sys.executable, "-c", GROWS.format(settled=settled)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return int(done.stdout)


@pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info >= (3, 12), reason="glibc and Python 3.11 do this"
)
def test_a_settled_process_keeps_its_size() -> None:
    assert growth_bytes(settled=False) > 900 * 1024
    assert growth_bytes(settled=True) < 200 * 1024
