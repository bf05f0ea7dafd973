"""Peak memory of a gradient through the sampler, with and without checkpointed steps.

Prints, for 5 to 50 DDIM steps, what one forward and backward pass to x_T needs beyond the weights,
and what it is relative to 5 steps. Each figure comes from a process of its own: on the CPU the
growth of the resident set's peak, on CUDA the allocator's.

    python -m benchmarks.memory [--device cpu|cuda] [--steps 5 10 20 50]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STEPS = (5, 10, 20, 50)
LATENT_BCHW = (1, 16, 4, 128)
MIB = 2**20


@dataclass(frozen=True)
class Figure:
    """Peak memory above the weights, and wall time, of one forward and backward pass."""

    steps: int
    checkpointed: bool
    peak_mib: float
    wall_s: float


def _peak_bytes(device: str) -> int:
    import torch

    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(steps: int, checkpointed: bool, device: str) -> Figure:
    """Measure in this process, which must have measured nothing before."""
    import torch
    from diffusers import UNet2DConditionModel

    from ditto_rt.sampling import sample
    from ditto_rt.schedule import alpha, sigma, times

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    unet: Any = UNet2DConditionModel(  # type: ignore[no-untyped-call]
        in_channels=LATENT_BCHW[1],
        out_channels=LATENT_BCHW[1],
        block_out_channels=(96, 128, 192),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=192,
        norm_num_groups=16,
    )
    unet = unet.to(device).eval().requires_grad_(False)
    tokens_BKD = torch.randn(1, 3, 192, device=device)

    def denoise(x: torch.Tensor, t: torch.Tensor, _s: torch.Tensor) -> torch.Tensor:
        v: torch.Tensor = unet(x, 1000 * t, tokens_BKD).sample
        return alpha(t) * x - sigma(t) * v

    x_T = torch.randn(LATENT_BCHW, device=device, requires_grad=True)
    # The first call loads libraries and picks algorithms, which is not what is measured.
    with torch.no_grad():
        half = torch.tensor(0.5, device=device)
        denoise(x_T, half, half)
    before = _peak_bytes(device)
    start_s = time.perf_counter()
    x_0 = sample(denoise, x_T, times(steps).to(device), checkpointed=checkpointed)
    torch.autograd.grad(x_0.square().mean(), x_T)
    wall_s = time.perf_counter() - start_s
    return Figure(steps, checkpointed, (_peak_bytes(device) - before) / MIB, wall_s)


def _in_a_process(steps: int, checkpointed: bool, device: str) -> Figure:
    # Freed tensors go back to the system at once, so that the peak is that of living ones.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    chosen = json.dumps([steps, checkpointed, device])
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", "--one", chosen],
        cwd=Path(__file__).parent.parent,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return Figure(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--steps", nargs="+", type=int, default=STEPS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        figure = measure(*json.loads(options.one))
        sys.stdout.write(json.dumps(figure.__dict__) + "\n")
        return
    sys.stdout.write("| steps | checkpointed | peak MiB | relative | s |\n|---|---|---|---|---|\n")
    for checkpointed in (True, False):
        first: float | None = None
        for steps in options.steps:
            figure = _in_a_process(steps, checkpointed, options.device)
            first = first or figure.peak_mib
            word = "yes" if checkpointed else "no"
            sys.stdout.write(
                f"| {steps} | {word} | {figure.peak_mib:.1f} | {figure.peak_mib / first:.2f} "
                f"| {figure.wall_s:.2f} |\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
