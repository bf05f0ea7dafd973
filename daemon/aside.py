"""Work that waits for a disk, away from the event loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from daemon.errors import Refusal
from ditto_rt.errors import DittoError

FILE_CHECK_S = 5.0

T = TypeVar("T")


async def in_thread(look: Callable[[], T]) -> T:
    """Look at a file away from the event loop; a disk that does not answer is a Refusal."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(look), FILE_CHECK_S)
    except DittoError as error:
        raise Refusal(error.code, str(error)) from error
    except TimeoutError as error:
        raise Refusal("bad_file", f"file did not answer within {FILE_CHECK_S:g} s") from error
    except OSError as error:
        raise Refusal("disk", f"the disk refuses: {error}") from error
