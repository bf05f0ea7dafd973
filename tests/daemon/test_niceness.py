"""Niceness from inside a process of its own: the tests' own could not come back from it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

GIVES_WAY = """
import _thread, os, threading
from daemon.niceness import set_niceness
ended = threading.Event()
early = threading.Thread(target=ended.wait)
early.start()
# One that `threading` knows nothing of, as those of libraries are.
_thread.start_new_thread(ended.wait, ())
set_niceness(7)
tasks = os.listdir("/proc/self/task")
print(*{os.getpriority(os.PRIO_PROCESS, int(task)) for task in tasks})
print(open("/proc/self/autogroup").read() if os.path.exists("/proc/self/autogroup") else "")
ended.set()
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at threads as Linux has")
@pytest.mark.parametrize("leads", [True, False])
def test_all_threads_give_way_and_the_session_where_it_is_their_own(leads: bool) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    made = subprocess.run(
        [sys.executable, "-c", GIVES_WAY],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=leads,
    )
    threads, group, *_ = [*made.stdout.splitlines(), ""]
    assert threads == "7" and before != 7
    if group:
        assert group.endswith("nice 7") == leads
