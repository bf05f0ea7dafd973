"""A process that keeps its size: what glibc and Python would do later, done at the start."""

import os
import subprocess
import sys

import pytest

from ditto_rt import heap
from tests.source_tree import ROOT

# As the control process uses them: large blocks, small ones that stay between them, and names.
GROWS = """
import sys, psutil
from ditto_rt import heap
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


def printed(script: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **heap.ENVIRONMENT},
    )
    return int(done.stdout)


@pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info >= (3, 12), reason="glibc and Python 3.11 do this"
)
def test_a_settled_process_keeps_its_size() -> None:
    assert printed(GROWS.format(settled=False)) > 900 * 1024
    assert printed(GROWS.format(settled=True)) < 200 * 1024


# As an iteration does: tensors of some megabytes, made and dropped in another order each time. A
# heap that is kept grows for as long as a worse order comes, so count when it has seen many.
ITERATES = """
import random, resource
import torch
from ditto_rt import heap
if {kept}:
    heap.keep_pages()
def iterate():
    blocks = [torch.zeros(random.randrange(500_000, 2_000_000)) for _ in range(12)]
    random.shuffle(blocks)
    while blocks:
        blocks.pop()
random.seed(0)
for _ in range(60):
    iterate()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    iterate()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc does this")
def test_an_iteration_takes_the_pages_of_the_last_one() -> None:
    kept = printed(ITERATES.format(kept=True))
    assert kept < 500
    assert printed(ITERATES.format(kept=False)) > 2 * kept
