"""From checkpoints to the half-precision files that the package ships."""

import json
from pathlib import Path

import torch
from huggingface_hub import save_torch_state_dict
from torch import Tensor

from ditto_rt.builtin import weights

SHARD_BYTES = 14_000_000


def _half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.half().contiguous() for name, value in state.items()}


def export(folder: Path, target: Path = weights.FOLDER) -> dict[Path, int]:
    """Write codec and denoiser weights and a card of how they came to be; return sizes in bytes.

    The codec's latent stays in single precision: its statistics are small and exact.
    """
    target.mkdir(parents=True, exist_ok=True)
    vocoder = torch.load(folder / "vocoder.pt", weights_only=True)
    denoiser = torch.load(folder / "denoiser.pt", weights_only=True)
    latent = torch.load(folder / "latent.pt", weights_only=True)
    files = {
        weights.VOCODER: _half({**vocoder["network"], **vocoder["average"]}),
        weights.DENOISER: _half({**denoiser["network"], **denoiser["average"]}),
        weights.LATENT: {name: value.contiguous() for name, value in latent.items()},
    }
    for name, state in files.items():
        (target / name).mkdir(exist_ok=True)
        save_torch_state_dict(state, target / name, max_shard_size=SHARD_BYTES)
    card = {
        part: {"steps": saved["step"], "minutes": round(saved["seconds"] / 60, 1)}
        for part, saved in (("vocoder", vocoder), ("denoiser", denoiser))
    }
    (target / weights.CARD).write_text(json.dumps(card, indent=2) + "\n")
    return {path: path.stat().st_size for name in files for path in (target / name).iterdir()}
