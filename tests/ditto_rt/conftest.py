"""The real built-in model, loaded once."""

from collections.abc import Iterator

import pytest
import torch

from ditto_rt import builtin


@pytest.fixture(scope="session")
def model() -> builtin.Builtin:
    torch.set_num_threads(1)
    return builtin.load(torch.device("cpu"))


@pytest.fixture(autouse=True)
def flushed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Flush denormals as the engine does, but only beside the model: Hypothesis counts on them."""
    torch.set_flush_denormal("model" in request.fixturenames)
    yield
    torch.set_flush_denormal(False)
