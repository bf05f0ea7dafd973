"""Where numba keeps what it compiled, so that the audio process is back in a moment."""

import hashlib
import os
import sys
from pathlib import Path

APP_FOLDER = "ditto-rt"


def keep_compiled_code() -> None:
    """Let numba keep compiled code in a folder that belongs to these very sources.

    numba looks at the age of one file only: a callback that was compiled with yesterday's layout
    of the memory would be used today. Must come before numba is loaded. Where the folder cannot be
    made, numba compiles each time.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(sys.version.encode())
    for source in sources:
        digest.update(source.read_bytes())
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home, APP_FOLDER, "compiled", digest.hexdigest()[:16])
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder))
