"""Log-mel to waveform: ConvNeXt blocks and an inverse-STFT head, with an oscillator bank.

In the manner of Vocos (Siuzdak 2023): a network at frame rate, one inverse STFT. Two additions:
the magnitude starts from the pseudo-inverse of the mel filters (FreeV, 2024), and held tones come
from one oscillator for each semitone, drawn straight into the STFT (Rodet and Depalle 1992). A
network that sees the same frame again and again cannot know how far a tone's phase has turned;
an oscillator does. Last, the mel of what came out is held against the mel that was asked
(`mel_match`).

Circular in time on request: convolutions and overlap-add go round, and each oscillator is detuned
so little that it comes round in phase, so that a loop is vocoded as a loop.
B batch, M mel bands, F frames, K bins, O oscillators, D width, L lobe bins.
"""

import math

import torch
from torch import Tensor, nn

from ditto_rt.builtin.frames import reach, synthesise
from ditto_rt.builtin.magnitudes import from_polar
from ditto_rt.builtin.mel import BANDS, HOP, N_FFT, RATE_HZ, filters_MK
from ditto_rt.builtin.mel_match import match_mel

WIDTH = 256
HIDDEN = 640
BLOCKS = 6
BINS = N_FFT // 2 + 1
LOWEST_PITCH = 26
OSCILLATORS = 88
LOBE = torch.arange(-3, 4)
KERNEL = 7


class Block(nn.Module):
    """ConvNeXt: depthwise convolution over time, then a pointwise bottleneck, residual."""

    def __init__(self) -> None:
        """Start near the identity."""
        super().__init__()
        self.mix = nn.Conv1d(WIDTH, WIDTH, KERNEL, groups=WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.wide = nn.Linear(WIDTH, HIDDEN)
        self.narrow = nn.Linear(HIDDEN, WIDTH)
        self.scale = nn.Parameter(torch.full((WIDTH,), 1.0 / BLOCKS))

    def forward(self, x_BFD: Tensor, circular: bool) -> Tensor:
        """Map (B, F, D) to (B, F, D)."""
        mixed = self.mix(reach(x_BFD.transpose(1, 2), KERNEL // 2, circular)).transpose(1, 2)
        update: Tensor = self.narrow(nn.functional.gelu(self.wide(self.norm(mixed))))
        return x_BFD + self.scale * update


def hann_lobe(offset_bins: Tensor) -> Tensor:
    """Return the Hann window's spectrum at `offset_bins` from a sinusoid, 1 at the middle.

    For a window centred on time zero: sinc(d) / (1 - d^2), even and real.
    """
    near_one = (offset_bins.abs() - 1.0).abs() < 1e-4
    safe = torch.where(near_one, torch.full_like(offset_bins, 0.5), offset_bins)
    lobe = torch.sinc(safe) / (1.0 - safe.square())
    return torch.where(near_one, torch.full_like(offset_bins, 0.5), lobe)


def close_turns(turn_BFO: Tensor) -> Tensor:
    """Return the phase steps of each frame changed alike, so that they add up to whole turns."""
    total_BO = turn_BFO.sum(1, keepdim=True)
    spare_BO = total_BO - 2.0 * math.pi * (total_BO / (2.0 * math.pi)).round()
    return turn_BFO - spare_BO / turn_BFO.shape[1]


class Vocoder(nn.Module):
    """Turns log-mel (B, 128, F) into audio (B, 512 F)."""

    inverse_MK: Tensor
    signs_K: Tensor
    pitch_hz_O: Tensor
    start_phase_O: Tensor

    def __init__(self) -> None:
        """Fixed tables are made here and are not part of the state dict."""
        super().__init__()
        self.enter = nn.Conv1d(BANDS, WIDTH, KERNEL)
        self.enter_norm = nn.LayerNorm(WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.leave_norm = nn.LayerNorm(WIDTH)
        self.noise = nn.Linear(WIDTH, 2 * BINS)
        self.tones = nn.Linear(WIDTH, 2 * OSCILLATORS)
        nn.init.normal_(self.tones.weight, std=0.01)
        nn.init.constant_(self.tones.bias, 0.0)
        mel_MK = filters_MK(torch.zeros(1))
        pitch_hz = 440.0 * 2.0 ** ((LOWEST_PITCH + torch.arange(OSCILLATORS) - 69) / 12.0)
        tables = {
            "inverse_MK": torch.linalg.pinv(mel_MK).T.contiguous(),
            "signs_K": 1.0 - 2.0 * (torch.arange(BINS) % 2),
            "pitch_hz_O": pitch_hz,
            # Golden-ratio phases: fixed, and no two neighbours start in step.
            "start_phase_O": (torch.arange(OSCILLATORS) * 0.61803399 % 1.0) * 2.0 * math.pi,
        }
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def forward(self, mel_BMF: Tensor, circular: bool = False) -> Tensor:
        """Return audio (B, 512 F) whose sample 512 f lies under the middle of frame f.

        With `circular` the last frame is followed by the first.
        """
        return match_mel(self.unmatched(mel_BMF, circular), mel_BMF, circular)

    def unmatched(self, mel_BMF: Tensor, circular: bool) -> Tensor:
        """Return what the network alone makes of the mel."""
        entering = self.enter(reach(mel_BMF, KERNEL // 2, circular))
        x_BFD = self.enter_norm(entering.transpose(1, 2))
        for block in self.blocks:
            x_BFD = block(x_BFD, circular)
        x_BFD = self.leave_norm(x_BFD)
        prior_BFK = (mel_BMF.transpose(1, 2).contiguous().exp() @ self.inverse_MK).clamp_min(1e-4)
        tones_BFK = self._tones(x_BFD, prior_BFK, circular)
        centred_BFK = self._noise(x_BFD, prior_BFK) + tones_BFK
        # From a frame's middle to its first sample: half a frame is a sign of (-1)^k.
        return synthesise(centred_BFK * self.signs_K, circular)

    def _noise(self, x_BFD: Tensor, prior_BFK: Tensor) -> Tensor:
        gain_BFK, phase_BFK = self.noise(x_BFD).chunk(2, -1)
        magnitude_BFK = prior_BFK * (gain_BFK - 0.7).clamp(max=3.0).exp()
        return from_polar(magnitude_BFK, phase_BFK)

    def _tones(self, x_BFD: Tensor, prior_BFK: Tensor, circular: bool) -> Tensor:
        gain_BFO, bend_BFO = self.tones(x_BFD).chunk(2, -1)
        hz_BFO = self.pitch_hz_O * torch.exp2(0.5 / 12.0 * bend_BFO.tanh())
        turn_BFO = (2.0 * math.pi * HOP / RATE_HZ) * hz_BFO
        if circular:
            turn_BFO = close_turns(turn_BFO)
        # Trapezoidal integration: the phase at a frame's middle follows both half-hops before it.
        phase_BFO = turn_BFO.cumsum(1) - 0.5 * (turn_BFO + turn_BFO[:, :1]) + self.start_phase_O
        at_bin_BFO = turn_BFO * (N_FFT / (2.0 * math.pi * HOP))
        centre_O = (self.pitch_hz_O * (N_FFT / RATE_HZ)).round().long()
        level_BFO = prior_BFK[..., centre_O] * (gain_BFO - 0.7).clamp(max=3.0).exp()
        tone_BFO = from_polar(level_BFO, phase_BFO)
        bins_OL = centre_O[:, None] + LOBE.to(centre_O.device)
        lobe_BFOL = hann_lobe(bins_OL - at_bin_BFO[..., None])
        drawn = (tone_BFO[..., None] * lobe_BFOL).flatten(2)
        spectrum_BFK = torch.zeros_like(prior_BFK, dtype=drawn.dtype)
        inside = bins_OL.flatten().clamp(0, BINS - 1)
        return spectrum_BFK.index_add(2, inside, drawn)
