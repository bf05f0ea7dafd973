"""How long a call, a take and an iteration of a search last: medians, in milliseconds.

B batch, C channels, H groups, W latent steps.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from ditto_rt import schedule
from ditto_rt.assemble import assemble
from ditto_rt.builtin import Builtin
from ditto_rt.evaluate.asked import with_control
from ditto_rt.layout import lay_out
from ditto_rt.sampling import guided, sample
from ditto_rt.spec import Quality
from ditto_rt.tags import Tags

REPEATS, WARM_UPS = 15, 3


def _median_ms(call: Callable[[], object]) -> float:
    found = []
    for _ in range(WARM_UPS + REPEATS):
        before_s = time.perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        found.append(1000.0 * (time.perf_counter() - before_s))
    return statistics.median(found[WARM_UPS:])


def speed_figures(model: Builtin) -> dict[str, float]:
    """Return medians for 6 s of audio, with the threads that torch is set to."""
    job = with_control("intensity", 0, Quality(search_steps=1))
    layout = lay_out(job, model.sample_rate_hz, model.sample_rate_hz)
    shape = (1, *model.latent_shape(layout.total))
    with torch.inference_mode(False), torch.no_grad():
        cond = model.condition(Tags(job.genre, job.mood), job.bpm, 0.0, shape[-1])
        target = assemble(job, layout, model)
    denoise = guided(model, cond, job.quality.guidance)
    times_S = schedule.times(1, 1.0, device=model.device, dtype=torch.float32)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(model.device)

    @torch.inference_mode()
    def step() -> Tensor:
        return sample(denoise, noise, times_S)

    @torch.inference_mode()
    def take() -> Tensor:
        return model.decode(step())

    def iteration() -> None:
        x_T = noise.clone().requires_grad_()
        losses = target.loss(model, sample(denoise, x_T, times_S))
        torch.autograd.grad(torch.stack(list(losses.values())).sum(), x_T)

    with torch.inference_mode():
        x0_BCHW = step()
        return {
            "one step of the sampler": _median_ms(step),
            "vocoder": _median_ms(lambda: model.decode(x0_BCHW)),
            "1-step take with vocoder": _median_ms(take),
        } | _outside_inference(iteration)


def _outside_inference(iteration: Callable[[], None]) -> dict[str, float]:
    with torch.inference_mode(False):
        return {"one iteration, intensity, forward and backward": _median_ms(iteration)}


def machine() -> dict[str, object]:
    """Return what figures of time depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }
