"""What the shipped denoiser does on clips it never saw.

B batch, C channels, H groups, W latent steps, N samples.
"""

import statistics
from collections.abc import Sequence
from itertools import islice

import torch
from torch import Tensor

from ditto_rt.builtin import Builtin
from ditto_rt.sampling import guided, sample
from ditto_rt.schedule import times
from ditto_rt.spec import Quality
from ditto_rt.tags import Tags
from ditto_rt.training.corpus import HELD_OUT_SEEDS, Clip, make_clip

SECONDS = 6.0
TIMES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


def held_out(count: int) -> list[Clip]:
    """Return the first clips of the held-out seeds, 6 s each."""
    return [make_clip(seed, SECONDS) for seed in islice(HELD_OUT_SEEDS, count)]


def _audio_BN(clip: Clip, model: Builtin) -> Tensor:
    whole = len(clip.audio_N) // model.latent_hop * model.latent_hop
    return torch.from_numpy(clip.audio_N[:whole])[None].to(model.device)


@torch.inference_mode()
def denoiser_figures(model: Builtin, clips: Sequence[Clip]) -> dict[float, float]:
    """Return the mean squared error of v at several times, on held-out clips."""
    found: dict[float, list[float]] = {t: [] for t in TIMES}
    generator = torch.Generator().manual_seed(0)
    for clip in clips:
        x0_BCHW = model.encode(_audio_BN(clip, model))
        noise = torch.randn(x0_BCHW.shape, generator=generator).to(model.device)
        cond = model.condition(Tags(clip.genre, clip.mood), clip.tempo_bpm, 0.0, x0_BCHW.shape[-1])
        for t in TIMES:
            angle = torch.tensor(0.5 * torch.pi * t)
            noisy = angle.cos() * x0_BCHW + angle.sin() * noise
            made = model.denoise(noisy, torch.tensor(t, device=model.device), cond)
            # The error of v is that of x_0 over sigma, because x_0 = alpha x - sigma v.
            error = (made - x0_BCHW).square().mean() / angle.sin().square()
            found[t].append(float(error))
    return {t: statistics.mean(errors) for t, errors in found.items()}


@torch.inference_mode()
def step_figures(model: Builtin, clips: Sequence[Clip]) -> dict[str, float]:
    """Return how far few-step samples end from those of 20 steps, from the same noise and tags.

    Squared distance over the variance of the latter; and that of another noise, as a measure.
    """
    found: dict[str, list[float]] = {}
    for number, clip in enumerate(clips):
        shape = (1, *model.latent_shape(len(clip.audio_N)))
        generator = torch.Generator().manual_seed(number)
        noise, other = (torch.randn(shape, generator=generator).to(model.device) for _ in range(2))
        cond = model.condition(Tags(clip.genre, clip.mood), clip.tempo_bpm, 0.0, shape[-1])
        denoise = guided(model, cond, Quality().guidance)
        made = {f"{n} steps": sample(denoise, noise, times(n)) for n in (20, 4, 2, 1)}
        made["another noise"] = sample(denoise, other, times(20))
        full = made.pop("20 steps")
        for name, x_0 in made.items():
            far = (x_0 - full).square().mean() / full.var()
            found.setdefault(name, []).append(float(far))
    return {name: statistics.mean(figures) for name, figures in found.items()}
