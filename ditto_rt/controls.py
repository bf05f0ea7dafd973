"""Controls: what a take should follow, each as a loss on what was rendered (ditto.md section 2).

Each is a frozen record of its target with `loss(rendered)`. Those that listen to audio look at the
take's own samples only, not at what follows its loop point; LoopSelf compares the two.
Shapes: B clips, C channels, H height, W latent steps, N samples, T frames, K pitch classes.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor

from ditto_rt import features
from ditto_rt.features import ChromaSpec, MelSpec


@dataclass(frozen=True, eq=False)
class Rendered:
    """A clean latent and, where a control needs it, its audio from the take's first sample on."""

    x0_BCHW: Tensor
    audio_BN: Tensor | None = None

    def take(self, samples: int) -> Tensor:
        """Return the first `samples` samples; raises ValueError where they are not there."""
        if self.audio_BN is None or self.audio_BN.shape[1] < samples:
            have = 0 if self.audio_BN is None else self.audio_BN.shape[1]
            raise ValueError(f"audio has {have} samples; allowed: {samples} or more")
        return self.audio_BN[:, :samples]


class Control(Protocol):
    """A loss with a name; `total` applies its weight."""

    @property
    def name(self) -> str:
        """Key of its loss."""

    @property
    def weight(self) -> float:
        """Its lambda in the sum."""

    @property
    def needs_audio(self) -> bool:
        """Whether it listens to audio, so that the latent must be decoded."""

    def loss(self, rendered: Rendered) -> Tensor:
        """Return the unweighted loss, 0-dim, mean over the clips."""


@dataclass(frozen=True, eq=False)
class LatentMatch:
    """Be like a reference latent where mask_W says so: outpainting, inpainting, looping.

    Mean squared error of M x_0 against M x_ref; both lie on the same time axis
    (`targets.Canvas` lays the reference out, `targets.latent_mask` makes the mask).
    """

    name: str
    reference_BCHW: Tensor
    mask_W: Tensor
    weight: float = 1.0
    needs_audio: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty mask with ValueError: its mean would not be a number."""
        if not self.mask_W.any():
            raise ValueError(f"{self.name} has 0 known latent steps; allowed: 1 or more")

    def loss(self, rendered: Rendered) -> Tensor:
        """Return the mean of the squared error over the masked steps."""
        square_W = (rendered.x0_BCHW - self.reference_BCHW).square().mean(dim=(0, 1, 2))
        return (self.mask_W * square_W).sum() / self.mask_W.sum()


@dataclass(frozen=True, eq=False)
class LoopSelf:
    """Loop without a reference: what follows the loop point should equal the start (appendix E).

    On the audio, because a loop's length is no multiple of a latent step: squared difference of
    the log-mel over the overlap, and, with `wave_weight`, of the waveform over its first
    `wave_samples`, relative to its power.
    """

    samples: int
    overlap: int
    mel: MelSpec
    wave_samples: int = 2048
    wave_weight: float = 0.25
    weight: float = 1.0
    name: str = "seam"
    needs_audio: bool = True

    def loss(self, rendered: Rendered) -> Tensor:
        """Return the difference between the overlap after the loop point and the start."""
        whole_BN = rendered.take(self.samples + self.overlap)
        start_BN, after_BN = whole_BN[:, : self.overlap], whole_BN[:, self.samples :]
        mel = F.mse_loss(features.log_mel(after_BN, self.mel), features.log_mel(start_BN, self.mel))
        start_BN, after_BN = start_BN[:, : self.wave_samples], after_BN[:, : self.wave_samples]
        # A floor of -60 dB, below which a jump is no click.
        power = (start_BN.square() + after_BN.square()).mean() / 2 + 1e-6
        return mel + self.wave_weight * (after_BN - start_BN).square().mean() / power


@dataclass(frozen=True, eq=False)
class Intensity:
    """Follow a loudness curve: squared error in dB^2 of the smoothed level (section 4.3).

    db_T holds the target at each RMS frame (`targets.decibels`). Level and target pass through the
    same Savitzky-Golay filter, so that a corner in the curve costs nothing. mask_T chooses frames;
    None takes all.

    Where fader_db is given, the whole clip may be turned up or down within these bounds before it
    is compared, as `gain_db_B` says: a fader costs no music, and the shape is what is searched.
    """

    db_T: Tensor
    samples: int
    frame: int = 2048
    hop: int = 512
    window: int = 87
    mask_T: Tensor | None = None
    fader_db: tuple[float, float] | None = None
    weight: float = 1.0
    name: str = "intensity"
    needs_audio: bool = True

    def loss(self, rendered: Rendered) -> Tensor:
        """Return the mean squared error in dB^2."""
        level_BT, target_T = self.curves(rendered)
        return (level_BT + self._gain_db_B(level_BT, target_T)[:, None] - target_T).square().mean()

    def gain_db_B(self, rendered: Rendered) -> Tensor:
        """Return by how much to turn each clip up, so that its mean level is the target's."""
        return self._gain_db_B(*self.curves(rendered))

    def _gain_db_B(self, level_BT: Tensor, target_T: Tensor) -> Tensor:
        low_db, high_db = self.fader_db or (0.0, 0.0)
        return (target_T - level_BT).mean(dim=1).clamp(low_db, high_db)

    def curves(self, rendered: Rendered) -> tuple[Tensor, Tensor]:
        """Return the smoothed level_BT and target_T in dB, at the frames that count."""
        level_BT = features.rms_db(rendered.take(self.samples), self.frame, self.hop)
        smooth_BT = features.savgol(level_BT, self.window)
        target_T = features.savgol(self.db_T, self.window)
        if self.mask_T is None:
            return smooth_BT, target_T
        return smooth_BT[:, self.mask_T], target_T[self.mask_T]


@dataclass(frozen=True, eq=False)
class IntensityShape:
    """Follow a loudness curve's shape at any level: 1 - Pearson's correlation (appendix C)."""

    curve: Intensity
    weight: float = 1.0
    name: str = "intensity"
    needs_audio: bool = True

    def loss(self, rendered: Rendered) -> Tensor:
        """Return 1 - rho, from 0 (same shape) to 2 (upside down)."""
        level_BT, target_T = self.curve.curves(rendered)
        centred_BT = level_BT - level_BT.mean(dim=1, keepdim=True)
        rho_B = F.cosine_similarity(centred_BT, (target_T - target_T.mean())[None], dim=1)
        return 1 - rho_B.mean()


@dataclass(frozen=True, eq=False)
class Melody:
    """Play these pitch classes: negative log likelihood of the log-chroma (section 4.3), sharpened.

    class_T holds 0 (C) to 11 (B) at each chroma frame, mask_T where a note sounds
    (`targets.pitch_classes`); frames without a note are free.

    The likelihood is that of shares^sharpness, in nats of one share: 1 is the paper's, and the
    limit of large ones is how far the asked class lies behind the strongest. The paper's asks all
    others to be silent together, drums and pads as well; at 4 only what is nearly as strong as the
    asked class has to give way, and the genre is still heard (docs/model.md).
    """

    class_T: Tensor
    mask_T: Tensor
    samples: int
    chroma: ChromaSpec
    sharpness: float = 4.0
    weight: float = 1.0
    name: str = "melody"
    needs_audio: bool = True

    def loss(self, rendered: Rendered) -> Tensor:
        """Return the mean negative log likelihood over the frames with a note, in nats."""
        logp_BKT = features.log_chroma(rendered.take(self.samples), self.chroma)
        asked_BT = self.class_T[self.mask_T].expand(len(logp_BKT), -1)
        return (
            F.cross_entropy(self.sharpness * logp_BKT[:, :, self.mask_T], asked_BT) / self.sharpness
        )


@dataclass(frozen=True, eq=False)
class Structure:
    """Have this self-similarity of timbre over time: mean squared error (section 4.3).

    target_TT comes from `targets.pattern_similarity` or `targets.recording_similarity`, with the
    same smoothing window; its size sets the frames the take is divided into.
    """

    target_TT: Tensor
    samples: int
    mel: MelSpec
    window: int = 11
    weight: float = 1.0
    name: str = "structure"
    needs_audio: bool = True

    def loss(self, rendered: Rendered) -> Tensor:
        """Return the mean squared error between the two self-similarity matrices."""
        timbre_BCT = features.timbre(
            rendered.take(self.samples), self.mel, frames=len(self.target_TT)
        )
        similarity_BTT = features.self_similarity(timbre_BCT, self.window)
        return (similarity_BTT - self.target_TT).square().mean()


@dataclass(frozen=True, eq=False)
class Attacks:
    """Keep the attacks as they are: relative squared error of the spectral flux.

    For a form, that asks for timbres as unlike as can be: a search finds that most easily where it
    takes the drums out of some sections, and the genre goes with them (docs/model.md).
    flux_BGT is that of the take which the search begins with (`features.flux`).
    """

    flux_BGT: Tensor
    samples: int
    mel: MelSpec
    weight: float = 1.0
    name: str = "attacks"
    needs_audio: bool = True

    def loss(self, rendered: Rendered) -> Tensor:
        """Return the squared error over the power of what it began with; 1 is no attack left."""
        flux_BGT = features.flux(features.log_mel(rendered.take(self.samples), self.mel))
        power = self.flux_BGT.square().mean().clamp_min(1e-6)
        return (flux_BGT - self.flux_BGT).square().mean() / power


def total(controls: Iterable[Control], rendered: Rendered) -> dict[str, Tensor]:
    """Return each control's weighted loss by name; raises ValueError for two of one name."""
    losses: dict[str, Tensor] = {}
    for control in controls:
        if control.name in losses:
            raise ValueError(f"two controls are called {control.name!r}; allowed: one")
        losses[control.name] = control.weight * control.loss(rendered)
    return losses


def default_weights(names: Collection[str]) -> Mapping[str, float]:
    """Return a weight for each control present (appendix H): all 1, but intensity less.

    Its dB^2 are large numbers: 1/40 beside a latent match, a seam or a structure, else 1/4 beside
    a melody, else 1.
    """
    small = {"outpaint", "inpaint", "loop", "seam", "structure"} & set(names)
    intensity = 1 / 40 if small else 1 / 4 if "melody" in names else 1.0
    return {name: intensity if name == "intensity" else 1.0 for name in names}
