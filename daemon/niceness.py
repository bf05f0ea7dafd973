"""Who comes first where cores are short: the player, then the control process, then the engine."""

import os
from contextlib import suppress
from pathlib import Path

_AUTOGROUP, _TASKS = Path("/proc/self/autogroup"), Path("/proc/self/task")


def set_niceness(niceness: int) -> None:
    """Come before other programs (-20) or after them (19); threads made later inherit it.

    Linux weighs sessions first and niceness inside of each, so a process that leads a session of
    its own takes that one along. Raises OSError where the system does not allow it.
    """
    if not hasattr(os, "setpriority"):
        return
    # There it is each thread's own, and some run already, those of libraries among them.
    threads = [int(task.name) for task in _TASKS.iterdir()] if _TASKS.exists() else [0]
    for thread in threads:
        # One that has ended meanwhile has no niceness.
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
    if os.getsid(0) == os.getpid():
        # Not there where the kernel has no such groups, and closed in some containers.
        with suppress(OSError):
            _AUTOGROUP.write_text(str(niceness), "ascii")
