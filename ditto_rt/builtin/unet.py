"""diffusers' UNet2DConditionModel without torch's compiler: a fifth of an engine's start.

diffusers marks some functions and classes for torch.compile where it defines them, and each mark
loads the whole compiler, of which a step of the sampler uses nothing. So while diffusers is
imported the marks are there and do nothing. Who compiles a model later loads the compiler then; of
the marks it misses only that some blocks are taken as a whole.
"""

import logging
import sys
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"

log = logging.getLogger(__name__)


def _as_it_is(function: Any = None, *_: object, **__: object) -> Any:
    """Mark nothing, with or without arguments of its own."""
    return _as_it_is if function is None else function


def marks() -> ModuleType:
    """Return what stands for the compiler: its two marks."""
    module = ModuleType(COMPILER)
    module.__dict__.update(allow_in_graph=_as_it_is, disable=_as_it_is)
    return module


def unet_class(stand_in: ModuleType) -> Any:
    """Return diffusers' class; loads torch's compiler only where the stand-in is not enough."""
    if COMPILER not in sys.modules:
        sys.modules[COMPILER] = stand_in
        try:
            from diffusers import UNet2DConditionModel

            return UNet2DConditionModel
        except (ImportError, AttributeError, TypeError, RuntimeError) as error:
            log.debug("diffusers wants more of torch's compiler: %s", error)
        finally:
            sys.modules.pop(COMPILER, None)
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel
