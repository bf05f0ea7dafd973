"""One job from specification to finished take: search, decode, close the loop, measure.

B batch, C channels, H height, W latent steps, N samples.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from ditto_rt import schedule
from ditto_rt.assemble import (
    Target,
    assemble,
    keep_attacks,
    known_latent,
    level_db,
    reference_latent,
)
from ditto_rt.errors import BadTarget
from ditto_rt.layout import Layout, lay_out
from ditto_rt.loudness import Audio, limit
from ditto_rt.measure import measure
from ditto_rt.model import Conditioning, Model
from ditto_rt.optimise import UPDATES, Diverged, Settings, Step, optimise
from ditto_rt.sampling import Denoise, draw_noise, guided, holding, sample
from ditto_rt.spec import Job, Report
from ditto_rt.tags import Tags
from ditto_rt.timing import JOIN_S, close_loop

# The paper's iterations (section 5): 70, and 150 where melody or structure is asked.
ITERATIONS, LONG_ITERATIONS = 70, 150
# A search that gains less than this share in so many iterations has arrived.
PATIENCE, LEAST_GAIN = 15, 0.03
# A search stops when each of its controls is below its loss here, before weights: what is searched
# on from there is no longer heard as the target, but as another genre (docs/model.md). A level
# 1.4 dB off (root mean square), seven of eight frames on the asked note, the paper's form (0.024).
# Other controls go on while they gain.
ENOUGH = {"intensity": 2.0, "melody": 0.06, "structure": 0.0235}
# Share of a clip's values that dynamic thresholding leaves alone (Imagen, section 2.3).
THRESHOLD_PERCENTILE = 0.995
# A variation keeps the bars and sections of its source and draws the rest anew.
VARY_FROM = 0.7
# Above so many sampler steps the search keeps one step's activations at a time.
CHECKPOINT_ABOVE = 8
# Where nothing is searched, a first draft of one sampler step is worth its decoding from here on.
WORTH_A_DRAFT_STEPS = 4


log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Take:
    """A take, what it measures, and the noise x_T (1, C, H, W) that it grew from.

    `number`: that of the draft it was made of. `open_N`: where the take continues a region, what
    leads into it (`Layout.fade_frames`) and the take with its own end, before it was closed.
    """

    audio_N: Audio
    rate_hz: int
    report: Report
    x_T: NDArray[np.float32]
    number: int = 0
    open_N: Audio | None = None


@dataclass(frozen=True, eq=False)
class Draft:
    """The best so far. `take` makes it audible, which costs a decoding; nobody has to.

    `number` counts what was found better: the same number is the same sound.
    """

    number: int
    x_T: Tensor
    take: Callable[[], Take]


@dataclass(frozen=True)
class Progress:
    """How far a job is: 0 to 1, the search's latest loss where there is one, the best so far."""

    fraction: float
    loss: float | None
    draft: Draft | None = None


@dataclass(frozen=True, eq=False)
class _Path:
    """The way from x_T to x_0 for one job: a function of x_T alone."""

    denoise: Denoise
    job: Job
    noise_SBCHW: Tensor | None
    base_BCHW: Tensor | None
    thrifty: bool

    def generate(self, x_T: Tensor, steps: int) -> Tensor:
        """Return x_0; a variation starts from its source, noised by x_T, part of the way."""
        start = 1.0 if self.base_BCHW is None else VARY_FROM
        times_S = schedule.times(steps, start, device=x_T.device, dtype=x_T.dtype)
        if self.base_BCHW is not None:
            x_T = schedule.diffuse(self.base_BCHW, x_T, times_S[0])
        return sample(
            self.denoise,
            x_T,
            times_S,
            self.job.quality.sampler,
            self.noise_SBCHW,
            checkpointed=(self.thrifty or steps > CHECKPOINT_ABOVE) and torch.is_grad_enabled(),
        )


def iterations_of(job: Job) -> int:
    """Return how many iterations a job's search may take; 0 where nothing is asked."""
    asked = (job.region, job.intensity, job.melody, job.structure, job.loop)
    if all(one is None for one in asked) or (
        job.region and not any(asked[1:]) and job.region.mode in ("vary", "continue")
    ):
        return 0
    if job.quality.iterations is not None:
        return job.quality.iterations
    return LONG_ITERATIONS if job.melody or job.structure else ITERATIONS


def render(
    job: Job,
    model: Model,
    output_rate_hz: int,
    start: NDArray[np.float32] | None = None,
    thrifty: bool = False,
) -> Iterator[Progress | Take]:
    """Yield progress and, last, the take. The caller cancels by leaving the loop.

    Each progress carries the best so far as a draft, the first one before anything is computed:
    who wants to hear early, or has no time left, makes a take of it.

    `start`: the x_T (1, C, H, W) to begin with, as an earlier take's; None draws it by the seed.
    `thrifty`: the same in less memory and more time; one model call's activations at a time.
    Raises BadFile, BadRegion, BadTarget for what the job's files and targets cannot give, and
    ValueError for a start of another shape.
    """
    started_s = time.perf_counter()
    layout = lay_out(job, model.sample_rate_hz, output_rate_hz)
    drawn_T, path = _prepare(job, layout, model, thrifty)
    x_T = drawn_T if start is None else _like(drawn_T, start)
    maker = _Maker(job, model, layout, path, output_rate_hz, started_s)
    best = Draft(0, x_T, lambda: maker.take(0, x_T, _sampled(path, x_T, 1)))
    # A draft that costs what the take costs would only put it off.
    is_worth_it = iterations_of(job) or job.quality.steps >= WORTH_A_DRAFT_STEPS
    yield Progress(0.0, None, best if is_worth_it else None)
    losses: list[float] = []
    if iterations_of(job):
        target = assemble(job, layout, model)
        if job.structure is not None:
            before_BCHW = _sampled(path, x_T, job.quality.search_steps)
            target = keep_attacks(target, layout, model, before_BCHW)
        for step, share in _search(job, model, x_T, path, target):
            losses.append(step.total)
            if step.best:
                make = partial(maker.found, best.number + 1, step, tuple(losses))
                best = Draft(best.number + 1, step.x_T, make)
            yield Progress(share, step.total, best)
    if losses:
        last = best.take()
    else:
        last = maker.take(1, x_T, _sampled(path, x_T, job.quality.steps))
    ended = {"final": True, "loss": tuple(losses), "iterations": max(0, len(losses) - 1)}
    yield replace(last, report=last.report.model_copy(update=ended))


def _sampled(path: _Path, x_T: Tensor, steps: int) -> Tensor:
    with torch.inference_mode():
        return path.generate(x_T, steps)


@dataclass(frozen=True, eq=False)
class _Maker:
    """Makes what is heard of a latent: decodes, closes the loop, measures."""

    job: Job
    model: Model
    layout: Layout
    path: _Path
    output_rate_hz: int
    started_s: float

    def found(self, number: int, step: Step, losses: tuple[float, ...]) -> Take:
        """Return the take of a searched latent, decoded with more steps than it was searched in."""
        quality = self.job.quality
        same = quality.steps == quality.search_steps
        x0_BCHW = step.x_0 if same else _sampled(self.path, step.x_T, quality.steps)
        return self.take(number, step.x_T, x0_BCHW, losses)

    def take(
        self, number: int, x_T: Tensor, x0_BCHW: Tensor, losses: tuple[float, ...] = ()
    ) -> Take:
        """Return the take of x_0, not final, as one that was found after `losses`."""
        model, rate_hz = self.model, self.output_rate_hz
        with torch.inference_mode():
            audio_BN = model.decode(x0_BCHW)
            gain_db = level_db(self.job, self.layout, model, audio_BN)
            audio_N = (audio_BN[0] * 10.0 ** (gain_db / 20.0)).float().cpu().numpy()
        region = self.job.region
        continues = region is not None and region.mode == "continue"
        if continues:
            audio_N = _in_phase(audio_N, self.layout, model.sample_rate_hz)
        whole_N, first = _at_rate(audio_N, self.layout, model.sample_rate_hz, rate_hz)
        take_N = closed(whole_N, first, self.layout, rate_hz)
        open_N = _opened(whole_N, first, self.layout, rate_hz) if continues else None
        measured = measure(take_N, rate_hz, self.job)
        report = Report(
            final=False,
            sample_rate=rate_hz,
            frames=len(take_N),
            seconds=len(take_N) / rate_hz,
            wall_s=time.perf_counter() - self.started_s,
            iterations=max(0, len(losses) - 1),
            loss=losses,
            model=model.name,
            device=str(model.device),
            gain_db=gain_db,
            seam=measured.seam,
            intensity=measured.intensity,
            melody=measured.melody,
            structure=measured.structure,
        )
        return Take(take_N, rate_hz, report, x_T.detach().float().cpu().numpy(), number, open_N)


def _like(drawn: Tensor, start: NDArray[np.float32]) -> Tensor:
    if start.shape != tuple(drawn.shape):
        raise ValueError(f"start has shape {start.shape}; allowed: {tuple(drawn.shape)}")
    # A copy: the search asks its latent for gradients, and the caller's numbers are not ours.
    return torch.tensor(start, dtype=drawn.dtype, device=drawn.device)


def _prepare(job: Job, layout: Layout, model: Model, thrifty: bool) -> tuple[Tensor, _Path]:
    shape = (1, *model.latent_shape(layout.total))
    # Drawn on the CPU, so that a seed means the same on every device.
    generator = torch.Generator().manual_seed(job.seed)
    x_T = torch.randn(shape, generator=generator).to(model.device)
    most = max(job.quality.steps, job.quality.search_steps)
    stochastic = job.quality.sampler == "ddpm"
    noise_SBCHW = draw_noise(x_T, most, generator) if stochastic else None
    vary = job.region is not None and job.region.mode == "vary"
    base_BCHW = reference_latent(layout, model) if vary else None
    cond = _conditioning(job, layout, model, shape[-1])
    denoise = guided(model, cond, job.quality.guidance, THRESHOLD_PERCENTILE, apart=thrifty)
    if job.region is not None and job.region.mode == "continue":
        denoise = holding(denoise, *known_latent(layout, model))
    return x_T, _Path(denoise, job, noise_SBCHW, base_BCHW, thrifty)


def _conditioning(job: Job, layout: Layout, model: Model, width: int) -> Conditioning:
    before_beats = layout.lead / model.sample_rate_hz * job.bpm / 60.0
    with torch.inference_mode(False), torch.no_grad():
        return model.condition(Tags(job.genre, job.mood), job.bpm, -before_beats, width)


def goals_of(target: Target) -> Mapping[str, float]:
    """Return the weighted loss at which each control is met; 0 for one that is never met."""
    return {c.name: c.weight * ENOUGH.get(c.name, 0.0) for c in (*target.controls, *target.seams)}


def _search(
    job: Job, model: Model, x_T: Tensor, path: _Path, target: Target
) -> Iterator[tuple[Step, float]]:
    # Stops early once the loss has stood still for a while or is enough.
    most = iterations_of(job)
    settings = Settings(iterations=most, update=UPDATES[job.quality.optimiser](job.quality.rate))
    goals = goals_of(target)
    reached, since = float("inf"), 0
    steps = optimise(
        x_T,
        lambda x: path.generate(x, job.quality.search_steps),
        lambda x_0: target.loss(model, x_0),
        settings,
    )
    for step in _while_finite(steps):
        gained = step.total < reached - LEAST_GAIN * abs(reached) or reached == float("inf")
        reached, since = (step.total, 0) if gained else (reached, since + 1)
        yield step, (step.index + 1) / (most + 1)
        if since >= PATIENCE or all(step.losses[name] <= goal for name, goal in goals.items()):
            return


def _while_finite(steps: Iterator[Step]) -> Iterator[Step]:
    # A search that runs away after some good steps still has those.
    try:
        yield from steps
    except Diverged as error:
        if error.best is None:
            raise BadTarget(f"search has no loss to start from: {error}") from error
        log.warning("search ended early: %s; the best step before it is taken", error)


def _in_phase(audio_N: Audio, layout: Layout, rate_hz: int) -> Audio:
    """Return what continues a region with the sign that goes with the region's end.

    A vocoder's sign is arbitrary; where the two are crossfaded the wrong one would cancel.
    """
    assert layout.canvas is not None
    last = slice(layout.lead - round(JOIN_S * rate_hz), layout.lead)
    return -audio_N if np.vdot(audio_N[last], layout.canvas.audio_N[last]) < 0 else audio_N


def _at_rate(
    audio_N: Audio, layout: Layout, rate_hz: int, output_rate_hz: int
) -> tuple[Audio, int]:
    """Return all that was generated at the output rate, and where the take begins in it."""
    whole_N = soxr.resample(audio_N, rate_hz, output_rate_hz, "VHQ")
    first = round(layout.lead / rate_hz * output_rate_hz)
    missing = first + layout.out_frames - len(whole_N)
    return np.pad(whole_N, (0, max(0, missing)), mode="edge"), first


def closed(whole_N: Audio, first: int, layout: Layout, rate_hz: int) -> Audio:
    """Return the take that begins at sample `first`, exactly `out_frames` long, its loop closed.

    Peaks are held below full scale, round the loop point where the take leads into itself.
    """
    fade = layout.fade_frames if layout.closed else 0
    body_N = whole_N[first - fade : first + layout.out_frames]
    closed_N = np.roll(close_loop(body_N, layout.out_frames, fade), -fade)
    return limit(closed_N.astype(np.float32), rate_hz, circular=layout.closed)


def _opened(whole_N: Audio, first: int, layout: Layout, rate_hz: int) -> Audio:
    open_N = whole_N[first - layout.fade_frames : first + layout.out_frames]
    return limit(open_N, rate_hz, circular=False)
