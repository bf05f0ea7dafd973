"""A model that leaves off in the middle of a search's step once nobody wants its take any more.

A step is two sampler steps forward and back, 0.4 s on one core; who has asked for something else
should not wait for its end. B, C, H, W: see `ditto_rt.model`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ditto_rt.model import Conditioning, JumpModel, Model
from ditto_rt.tags import Tags


class Unwanted(Exception):
    """Nobody waits for what is computed."""


@dataclass(frozen=True, eq=False)
class Stoppable:
    """A model whose calls raise Unwanted, forward and backward, as soon as `is_unwanted`."""

    model: Model
    is_unwanted: Callable[[], bool]

    @property
    def name(self) -> str:
        """As the model's."""
        return self.model.name

    @property
    def device(self) -> torch.device:
        """As the model's."""
        return self.model.device

    @property
    def sample_rate_hz(self) -> int:
        """As the model's."""
        return self.model.sample_rate_hz

    @property
    def latent_hop(self) -> int:
        """As the model's."""
        return self.model.latent_hop

    def latent_shape(self, samples: int) -> tuple[int, int, int]:
        """As the model's."""
        return self.model.latent_shape(samples)

    def condition(self, tags: Tags, bpm: float, start_beat: float, width: int) -> Conditioning:
        """As the model's."""
        return self.model.condition(tags, bpm, start_beat, width)

    def unconditioned(self, cond: Conditioning) -> Conditioning:
        """As the model's."""
        return self.model.unconditioned(cond)

    def denoise(self, x_BCHW: Tensor, t: Tensor, cond: Conditioning) -> Tensor:
        """As the model's. Raises Unwanted."""
        return self._watched(self.model.denoise, x_BCHW, t, cond)

    def encode(self, audio_BN: Tensor) -> Tensor:
        """As the model's. Raises Unwanted."""
        return self._watched(self.model.encode, audio_BN)

    def decode(self, x0_BCHW: Tensor) -> Tensor:
        """As the model's. Raises Unwanted."""
        return self._watched(self.model.decode, x0_BCHW)

    def _watched(self, call: Callable[..., Tensor], *arguments: object) -> Tensor:
        self._check()
        found = call(*arguments)
        if found.requires_grad:
            # On its way back the gradient passes here before it enters the call.
            found.register_hook(self._check)  # type: ignore[no-untyped-call]
        return found

    def _check(self, _gradient: Tensor | None = None) -> None:
        if self.is_unwanted():
            raise Unwanted


@dataclass(frozen=True, eq=False)
class StoppableJump(Stoppable):
    """The same of a model that jumps."""

    model: JumpModel

    def jump(
        self, x_BCHW: Tensor, t: Tensor, s: Tensor, cond: Conditioning, guidance: float
    ) -> Tensor:
        """As the model's. Raises Unwanted."""
        return self._watched(self.model.jump, x_BCHW, t, s, cond, guidance)


def stoppable(model: Model, is_unwanted: Callable[[], bool]) -> Model:
    """Return the model as one that leaves off; it jumps where the model does."""
    if isinstance(model, JumpModel):
        return StoppableJump(model, is_unwanted)
    return Stoppable(model, is_unwanted)
