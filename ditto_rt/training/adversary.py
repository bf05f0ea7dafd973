"""The other player of adversarial training: a discriminator that learns while it judges.

B batch, N samples.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ditto_rt.training.discriminator import (
    Discriminator,
    feature_distance,
    hinge,
    not_believed,
)

LEARNING_RATE = 5e-4
# It learns alone at first, and then its pull grows.
ALONE_STEPS = 200
RAMP_STEPS = 300
# Its pull at the waveform, in parts of that of the distances.
SHARE = 1.0


@dataclass(frozen=True)
class Verdict:
    """What the discriminator made of a batch, and which way (B, N) it pulls the made audio."""

    losses: dict[str, Tensor]
    pull_BN: Tensor


class Adversary:
    """Owns the discriminator and its optimiser; its state belongs into the run's checkpoint."""

    def __init__(self, device: torch.device) -> None:
        """Begin with a discriminator that knows nothing."""
        self.network = Discriminator()
        # Channels last: a fifth faster on a CPU.
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=LEARNING_RATE, betas=(0.8, 0.99)
        )
        self.step = 0

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]

    def share(self) -> float:
        """Return how strongly it pulls now, in parts of the pull of the distances."""
        return SHARE * min(1.0, max(0.0, (self.step - ALONE_STEPS) / RAMP_STEPS))

    def judge(self, made_BN: Tensor, real_BN: Tensor) -> Verdict:
        """Judge a batch, then learn from it. One forward pass serves both.

        To be cheap it listens to one half of the batch's time, another in each step.
        """
        made_BN = made_BN.detach().requires_grad_()
        half = made_BN.shape[1] // 2
        start = int(torch.randint(0, half + 1, ()))
        heard_BN = torch.cat((real_BN, made_BN))[:, start : start + half]
        answers = self.network(heard_BN)
        real = [[a[: len(real_BN)] for a in part] for part in answers]
        made = [[a[len(real_BN) :] for a in part] for part in answers]
        believed = not_believed(made)
        features = feature_distance([[a.detach() for a in part] for part in real], made)
        (pull_BN,) = torch.autograd.grad(believed + features, made_BN, retain_graph=True)
        told_apart = hinge(real, made)
        self._learn(told_apart)
        losses = {"adversarial": believed, "features": features, "told_apart": told_apart}
        return Verdict({name: loss.detach() for name, loss in losses.items()}, pull_BN)

    def _learn(self, loss: Tensor) -> None:
        parameters = list(self.network.parameters())
        for parameter, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = slope
        nn.utils.clip_grad_norm_(parameters, 1.0)
        self.optimiser.step()
        self.step += 1


def balanced(near_BN: Tensor, pull_BN: Tensor, share: float) -> Tensor:
    """Return near + pull, the pull scaled to `share` of the size of near.

    As EnCodec balances its losses (Defossez et al. 2022, section 3.4): by their gradients at the
    waveform, so that neither loss' scale matters.
    """
    scale: Tensor = share * near_BN.norm() / pull_BN.norm().clamp_min(1e-12)
    return near_BN + scale * pull_BN
