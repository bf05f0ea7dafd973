"""The C library's heap: held to a size where a process runs all evening, kept where one computes.

Large blocks glibc takes from the system one by one and gives back, small ones lie in its heap. It
moves the border up to 32 MiB as a program goes on, and opens up to eight heaps for each core. What
lies between two blocks that stay is not given back, so a process grows in steps. Other systems'
libraries have none of these settings, and nothing is done there.
"""

import ctypes
import sys
from functools import cache

# Blocks from here on are the system's own from the first to the last.
_MAP_BYTES = 128 * 1024
# More than the table has places with all of the control process imported (21,845).
_NAMES = 25_000
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# The largest border that glibc takes, and what may lie free at the heap's end: more than an
# iteration's tensors need.
_LARGEST_MAP_BYTES, _KEPT_BYTES = 32 * 2**20, 512 * 2**20

# For a process that is started, whatever its libraries do first.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "2"}


@cache
def _library() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    # musl, for one, has neither.
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def settle() -> None:
    """Fix the border and one heap for all threads, before there are any."""
    if library := _library():
        library.mallopt(_MMAP_THRESHOLD, _MAP_BYTES)
        library.mallopt(_ARENA_MAX, 1)


def keep_pages() -> None:
    """Let what is freed stay in the heap, until `give_back`.

    An iteration of a search makes and drops the same tensors as the last one. By glibc's own choice
    their pages go back to the system, which clears them anew: a quarter of a call of the vocoder.
    """
    if library := _library():
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_MAP_BYTES)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def settle_names() -> None:
    """Let Python's table of interned names grow now, and not in the middle of an evening.

    Each part of a path is such a name. Names that came and went leave their places used until the
    table is made anew, from then on with room for three times those in use. So it does that once,
    by 940 KiB with all of the control process imported, and at the same size ever after.
    """
    for number in range(_NAMES):
        sys.intern(f"name {number}")


def give_back() -> None:
    """Give the system what no block lies in; some milliseconds, so not where somebody waits."""
    if library := _library():
        library.malloc_trim(0)
