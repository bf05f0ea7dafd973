"""From a job and its layout to the controls that pull on the latent.

B batch, C channels, H height, W latent steps, N samples, T frames.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ditto_rt import controls, features, targets
from ditto_rt.controls import Control, Rendered
from ditto_rt.features import ChromaSpec, MelSpec
from ditto_rt.layout import Layout
from ditto_rt.loudness import headroom_db
from ditto_rt.model import Model
from ditto_rt.spec import Job
from ditto_rt.timing import frame_count

RMS_HOP = 512
# What a take may be turned down or up by as a whole; further up, more than peaks would be held.
FADER_DB = (-60.0, 6.0)
# Of the attacks that a form should leave alone, beside the form's own loss.
ATTACKS_WEIGHT = 1.0
# The built-in encoder's analysis window reaches this far beyond a latent step.
ENCODER_REACH = 1024


@dataclass(frozen=True, eq=False)
class Target:
    """All controls of a job. Those in `seams` look at the lead too, the others at the take.

    `kept`: what was not asked, and should stay as it is; a search need not bring it to anything.
    """

    controls: Sequence[Control]
    seams: Sequence[Control]
    lead: int
    kept: Sequence[Control] = ()

    def loss(self, model: Model, x0_BCHW: Tensor) -> Mapping[str, Tensor]:
        """Return each control's weighted loss; decodes once, and only if one listens."""
        everything = [*self.controls, *self.kept, *self.seams]
        audio_BN = model.decode(x0_BCHW) if any(c.needs_audio for c in everything) else None
        take_BN = None if audio_BN is None else audio_BN[:, self.lead :]
        return {
            **controls.total([*self.controls, *self.kept], Rendered(x0_BCHW, take_BN)),
            **controls.total(self.seams, Rendered(x0_BCHW, audio_BN)),
        }


def reference_latent(layout: Layout, model: Model) -> Tensor:
    """Return the latent (1, C, H, W) of the layout's known audio."""
    assert layout.canvas is not None
    audio_BN = torch.from_numpy(layout.canvas.audio_N)[None].to(model.device)
    with torch.inference_mode():
        x0_BCHW = model.encode(audio_BN)
    return x0_BCHW.clone()


def known_latent(layout: Layout, model: Model) -> tuple[Tensor, Tensor]:
    """Return the latent (1, C, H, W) of the layout's known audio, and mask_W: 1 where it holds."""
    assert layout.canvas is not None
    reference_BCHW = reference_latent(layout, model)
    width = reference_BCHW.shape[-1]
    mask_W = targets.latent_mask(
        layout.canvas.known_N, model.latent_hop, width, reach=ENCODER_REACH
    ).to(model.device)
    return reference_BCHW, mask_W


def _latent_match(job: Job, layout: Layout, model: Model) -> Control | None:
    if job.region is None or job.region.mode in ("vary", "continue") or layout.canvas is None:
        return None
    reference_BCHW, mask_W = known_latent(layout, model)
    return controls.LatentMatch(job.region.mode, reference_BCHW, mask_W)


def _intensity(job: Job, layout: Layout, model: Model) -> controls.Intensity | None:
    if job.intensity is None:
        return None
    frames = frame_count(layout.take, RMS_HOP)
    db_T = targets.decibels(job.intensity, job.bpm, frames, RMS_HOP, model.sample_rate_hz)
    # Smoothing over one second; Savitzky-Golay wants an odd number of frames.
    window = round(model.sample_rate_hz / RMS_HOP) // 2 * 2 + 1
    return controls.Intensity(
        torch.from_numpy(db_T).to(model.device),
        layout.take,
        hop=RMS_HOP,
        window=window,
        # What goes on from known audio is as loud as that is.
        fader_db=FADER_DB if job.region is None else None,
    )


def level_db(job: Job, layout: Layout, model: Model, audio_BN: Tensor) -> float:
    """Return by how much to turn a job's decoded audio up as a whole.

    A take with a curve to the curve's mean, another one down until it fits below full scale, and
    what goes on from known audio not at all.
    """
    if job.region is not None:
        return 0.0
    take_BN = audio_BN[:, layout.lead :]
    asked = _intensity(job, layout, model)
    if asked is not None:
        return float(asked.gain_db_B(Rendered(audio_BN, take_BN))[0])
    return headroom_db(take_BN[0, : layout.take].float().cpu().numpy())


def _melody(job: Job, layout: Layout, model: Model) -> Control | None:
    if job.melody is None:
        return None
    chroma = ChromaSpec(model.sample_rate_hz)
    frames = frame_count(layout.take, chroma.hop)
    class_T, mask_T = targets.pitch_classes(
        job.melody, job.bpm, frames, chroma.hop, model.sample_rate_hz
    )
    return controls.Melody(
        torch.from_numpy(class_T).to(model.device),
        torch.from_numpy(mask_T).to(model.device),
        layout.take,
        chroma,
    )


def _structure(job: Job, layout: Layout, model: Model) -> Control | None:
    if job.structure is None:
        return None
    frames, window = targets.similarity_grid(
        layout.take, model.sample_rate_hz, len(job.structure.pattern)
    )
    target_TT = targets.pattern_similarity(job.structure.pattern, frames, window)
    return controls.Structure(
        target_TT.to(model.device), layout.take, MelSpec(model.sample_rate_hz), window
    )


def _seam(job: Job, layout: Layout, model: Model) -> Control | None:
    if job.loop is None or not layout.closed:
        return None
    return controls.LoopSelf(layout.take, layout.lead, MelSpec(model.sample_rate_hz))


def assemble(job: Job, layout: Layout, model: Model) -> Target:
    """Return the job's target with the paper's weights; raises BadTarget as its parts do."""
    found = [part(job, layout, model) for part in (_latent_match, _intensity, _melody, _structure)]
    own = [control for control in found if control is not None]
    seam = _seam(job, layout, model)
    seams = [seam] if seam else []
    weights = controls.default_weights([control.name for control in [*own, *seams]])
    own, seams = ([_weighted(c, weights[c.name]) for c in group] for group in (own, seams))
    return Target(own, seams, layout.lead)


def keep_attacks(target: Target, layout: Layout, model: Model, x0_BCHW: Tensor) -> Target:
    """Return the target with the attacks kept that the take of x_0 has."""
    mel = MelSpec(model.sample_rate_hz)
    with torch.inference_mode():
        take_BN = model.decode(x0_BCHW)[:, layout.lead :][:, : layout.take]
        flux_BGT = features.flux(features.log_mel(take_BN, mel))
    attacks = controls.Attacks(flux_BGT.clone(), layout.take, mel, ATTACKS_WEIGHT)
    return dataclasses.replace(target, kept=[attacks])


def _weighted(control: Control, weight: float) -> Control:
    assert dataclasses.is_dataclass(control) and not isinstance(control, type)
    changed: Control = dataclasses.replace(control, weight=weight)
    return changed
