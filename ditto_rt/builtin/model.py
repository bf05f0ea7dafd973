"""The built-in model behind the Model door: compact latent, denoiser and vocoder.

B batch, C channels, H groups, W latent steps, G grid channels, N samples.
"""

from pathlib import Path

import torch
from torch import Tensor

from ditto_rt import limits
from ditto_rt.builtin import weights
from ditto_rt.builtin.denoiser import Denoiser, Jump, grid_GW
from ditto_rt.builtin.latent import COMPONENTS, FRAMES, GROUPS, Latent
from ditto_rt.builtin.mel import HOP, RATE_HZ, log_mel_BMF
from ditto_rt.builtin.vocoder import Vocoder
from ditto_rt.model import Conditioning
from ditto_rt.tags import GENRES, MOODS, Tags


class Builtin:
    """Frozen weights and the arithmetic that joins them; see ditto_rt.model.JumpModel."""

    name = "builtin"
    sample_rate_hz = RATE_HZ
    latent_hop = HOP * FRAMES

    def __init__(self, latent: Latent, denoiser: Denoiser, vocoder: Vocoder) -> None:
        """Take networks that are on one device already."""
        self._latent, self._denoiser, self._vocoder = latent, denoiser, vocoder

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self._latent.mean_M.device
        return device

    def latent_shape(self, samples: int) -> tuple[int, int, int]:
        """Return (16, 4, W) with W steps of 2048 samples that cover `samples`."""
        return COMPONENTS, GROUPS, -(-samples // self.latent_hop)

    def condition(self, tags: Tags, bpm: float, start_beat: float, width: int) -> Conditioning:
        """Return tag tokens (1, 3, 192) and the beat grid (1, 12, 4, width)."""
        genre = 0 if tags.genre is None else 1 + GENRES.index(tags.genre)
        mood = 0 if tags.mood is None else 1 + MOODS.index(tags.mood)
        grid = grid_GW(bpm, start_beat, width, self.latent_hop / RATE_HZ).to(self.device)
        grid_BGHW = grid[None, :, None].expand(-1, -1, GROUPS, -1)
        return Conditioning(self._tokens(genre, mood, bpm), grid_BGHW)

    def unconditioned(self, cond: Conditioning) -> Conditioning:
        """Return null tokens on the same beat grid."""
        return Conditioning(self._tokens(0, 0, 0.0), cond.grid_BGHW)

    def _tokens(self, genre: int, mood: int, bpm: float) -> Tensor:
        genre_B, mood_B = (torch.tensor([i], device=self.device) for i in (genre, mood))
        tokens: Tensor = self._denoiser.tokens(
            genre_B, mood_B, torch.tensor([bpm], device=self.device)
        )
        return tokens

    def denoise(self, x_BCHW: Tensor, t: Tensor, cond: Conditioning) -> Tensor:
        """Return x_0 = alpha x - sigma v at time t (0-dim), without guidance."""
        return self.jump(x_BCHW, t, t, cond, limits.GUIDANCE.low)

    def jump(
        self, x_BCHW: Tensor, t: Tensor, s: Tensor, cond: Conditioning, guidance: float
    ) -> Tensor:
        """Return alpha x - sigma v with the v of the whole jump from t to s (0-dim)."""
        batch = x_BCHW.shape[0]
        angle = 0.5 * torch.pi * t
        strength = torch.full((batch,), guidance, dtype=x_BCHW.dtype, device=x_BCHW.device)
        v_BCHW = self._denoiser(
            x_BCHW,
            Jump(t.expand(batch), s.expand(batch), strength),
            cond.tokens_BKD.expand(batch, -1, -1),
            cond.grid_BGHW.expand(batch, -1, -1, -1),
        )
        x0_BCHW: Tensor = angle.cos() * x_BCHW - angle.sin() * v_BCHW
        return x0_BCHW

    def encode(self, audio_BN: Tensor) -> Tensor:
        """Return x_0 (B, 16, 4, W); the last step is filled up with silence."""
        spare = -audio_BN.shape[-1] % self.latent_hop
        padded = torch.nn.functional.pad(audio_BN, (0, spare))
        return self._latent.encode(log_mel_BMF(padded))

    def decode(self, x0_BCHW: Tensor) -> Tensor:
        """Return audio (B, 2048 W)."""
        return self.vocode(self.mel_of(x0_BCHW))

    def mel_of(self, x0_BCHW: Tensor) -> Tensor:
        """Return the log-mel (B, 128, 4 W) that a latent stands for."""
        return self._latent.decode(x0_BCHW)

    def vocode(self, mel_BMF: Tensor, circular: bool = False) -> Tensor:
        """Return audio (B, 512 F) of a log-mel (B, 128, F), as a loop where `circular` says so."""
        audio_BN: Tensor = self._vocoder(mel_BMF, circular)
        return audio_BN


def load(device: torch.device, folder: Path = weights.FOLDER) -> Builtin:
    """Load the shipped model onto `device`; raises NoModel where its files are not usable."""
    latent, denoiser, vocoder = Latent(), Denoiser(), Vocoder()
    files = ((latent, weights.LATENT), (denoiser, weights.DENOISER), (vocoder, weights.VOCODER))
    for network, name in files:
        weights.load_into(network, name, folder)
        network.to(device)
    return Builtin(latent, denoiser, vocoder)
