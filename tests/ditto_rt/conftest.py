"""The real built-in model, loaded once."""

import pytest
import torch

from ditto_rt import builtin
from ditto_rt.devices import set_numerics


@pytest.fixture(scope="session")
def model() -> builtin.Builtin:
    set_numerics(1)
    return builtin.load(torch.device("cpu"))
