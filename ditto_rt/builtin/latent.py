"""A compact linear latent of the log-mel: principal components of small patches.

A patch is 4 frames of one of 4 groups of bands. Its 16 strongest components are kept, each
divided by the root of its deviation, so that strong ones stay stronger without drowning the
others. B batch, M mel bands, F frames, C components, H groups, W patches along time.
"""

import torch
from torch import Tensor, nn

from ditto_rt.builtin.mel import BANDS

FRAMES = 4
GROUP_EDGES = (0, 20, 44, 76, BANDS)
GROUPS = len(GROUP_EDGES) - 1
COMPONENTS = 16


class Latent(nn.Module):
    """Maps log-mel to latents of unit variance and back, both linear."""

    mean_M: Tensor
    std_M: Tensor

    def __init__(self) -> None:
        """Build with neutral statistics; `fit` or a state dict fills them."""
        super().__init__()
        self.register_buffer("mean_M", torch.zeros(BANDS))
        self.register_buffer("std_M", torch.ones(BANDS))
        for group in range(GROUPS):
            width = (GROUP_EDGES[group + 1] - GROUP_EDGES[group]) * FRAMES
            self.register_buffer(f"encode_{group}", torch.zeros(COMPONENTS, width))
            self.register_buffer(f"decode_{group}", torch.zeros(width, COMPONENTS))

    def _patches_BPW(self, mel_BMF: Tensor, group: int) -> Tensor:
        low, high = GROUP_EDGES[group], GROUP_EDGES[group + 1]
        normal_BMF = (mel_BMF - self.mean_M[:, None]) / self.std_M[:, None]
        batch, _, frames = mel_BMF.shape
        part = normal_BMF[:, low:high].reshape(batch, high - low, frames // FRAMES, FRAMES)
        return part.transpose(2, 3).reshape(batch, (high - low) * FRAMES, frames // FRAMES)

    def encode(self, mel_BMF: Tensor) -> Tensor:
        """Return the latent (B, 16, 4, F / 4); F must be a multiple of 4."""
        rows = [
            self.get_buffer(f"encode_{group}") @ self._patches_BPW(mel_BMF, group)
            for group in range(GROUPS)
        ]
        return torch.stack(rows, dim=2)

    def decode(self, x0_BCHW: Tensor) -> Tensor:
        """Return the log-mel (B, 128, 4 W) of a latent."""
        batch, _, _, width = x0_BCHW.shape
        bands = []
        for group in range(GROUPS):
            patch_BPW = self.get_buffer(f"decode_{group}") @ x0_BCHW[:, :, group]
            part = patch_BPW.reshape(batch, -1, FRAMES, width).transpose(2, 3)
            bands.append(part.reshape(batch, -1, width * FRAMES))
        return torch.cat(bands, 1) * self.std_M[:, None] + self.mean_M[:, None]

    def fit(self, mel_BMF: Tensor) -> float:
        """Find statistics and components of a corpus; return the share of variance kept."""
        self.mean_M.copy_(mel_BMF.mean((0, 2)))
        self.std_M.copy_(mel_BMF.std((0, 2)))
        kept = total = 0.0
        for group in range(GROUPS):
            patches = self._patches_BPW(mel_BMF, group).transpose(1, 2).flatten(0, 1).double()
            variance, basis = torch.linalg.eigh(patches.T @ patches / len(patches))
            variance, basis = variance.flip(0)[:COMPONENTS], basis.flip(1)[:, :COMPONENTS]
            kept, total = (
                kept + float(variance.sum()),
                total + float(patches.square().mean(0).sum()),
            )
            # Deviation to the power -1/2 leaves each component with the root of its deviation;
            # the common factor brings the mean variance of a group to one.
            scale = variance.pow(-0.25)
            scale = scale / (scale.square() * variance).mean().sqrt()
            self.get_buffer(f"encode_{group}").copy_((basis * scale).T)
            self.get_buffer(f"decode_{group}").copy_(basis / scale)
        return kept / total
