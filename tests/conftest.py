"""What tests of both packages share."""

import os
import shutil
import sys
from collections.abc import Callable

import pytest

from daemon.audio.store import keep_compiled_code

# As in the audio process: what another layout of its memory was compiled for would be called else.
keep_compiled_code()


@pytest.fixture
def program() -> Callable[[str], str]:
    """Return a function that gives a program's path; without the program the test is skipped.

    Where REQUIRE_CLIENTS=1 the test fails instead, so that a full check cannot pass by skipping.
    """

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None and os.environ.get("REQUIRE_CLIENTS") == "1":
            pytest.fail(f"{name} is missing, and REQUIRE_CLIENTS=1 asks for it")
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find


@pytest.fixture(autouse=True)
def _smallest_numbers(request: pytest.FixtureRequest) -> None:
    """Undo the model's flushing of denormal numbers where hypothesis draws them."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(request.function, "hypothesis"):
        torch.set_flush_denormal(False)
