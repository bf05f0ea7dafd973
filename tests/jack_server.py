"""Whether this machine has what tests of the sound need."""

import os

import pytest

from daemon.bench.jack import missing


def need_jack() -> None:
    """Skip where jackd or PortAudio is missing; fail where REQUIRE_CLIENTS=1 asks for them."""
    lacking = missing()
    if lacking and os.environ.get("REQUIRE_CLIENTS") == "1":
        pytest.fail(lacking)
    if lacking:
        pytest.skip(lacking)
