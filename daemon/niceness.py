"""Who comes first where cores are short: the player, then the control process, then the engine."""

import os
import threading
from contextlib import suppress
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")


def set_niceness(niceness: int) -> None:
    """Come before other programs (-20) or after them (19); threads made later inherit it.

    Linux weighs sessions first and niceness inside of each, so a process that leads a session of
    its own takes that one along. Raises OSError where the system does not allow it.
    """
    if not hasattr(os, "setpriority"):
        return
    # There it is each thread's own, and some may run already.
    natives = [each.native_id for each in threading.enumerate() if each.native_id]
    for thread in natives if _AUTOGROUP.parent.exists() else [0]:
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
    if os.getsid(0) == os.getpid():
        # Not there where the kernel has no such groups, and closed in some containers.
        with suppress(OSError):
            _AUTOGROUP.write_text(str(niceness), "ascii")
