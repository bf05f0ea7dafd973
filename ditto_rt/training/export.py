"""From checkpoints to the half-precision files that the package ships."""

import json
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from torch import Tensor

from ditto_rt.builtin import weights

SHARD_BYTES = 14_000_000
NETWORKS = (weights.VOCODER, weights.DENOISER, weights.TAGGER)


def _half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.half().contiguous() for name, value in state.items()}


def _trained(folder: Path) -> dict[str, dict[str, Any]]:
    paths = {name: folder / f"{name}.pt" for name in NETWORKS}
    return {n: torch.load(p, weights_only=True) for n, p in paths.items() if p.exists()}


def export(folder: Path, target: Path = weights.FOLDER) -> dict[Path, int]:
    """Write what was trained in `folder`, and a card of how it came to be; return sizes in bytes.

    A network without a checkpoint there stays as it is. The latent is kept in single precision: its
    statistics are small and exact.
    """
    target.mkdir(parents=True, exist_ok=True)
    trained = _trained(folder)
    latent = torch.load(folder / "latent.pt", weights_only=True)
    files = {
        name: _half({**saved["network"], **saved["average"]}) for name, saved in trained.items()
    }
    files[weights.LATENT] = {name: value.contiguous() for name, value in latent.items()}
    for name, state in files.items():
        (target / name).mkdir(exist_ok=True)
        save_torch_state_dict(state, target / name, max_shard_size=SHARD_BYTES)
    card_path = target / weights.CARD
    card = json.loads(card_path.read_text()) if card_path.exists() else {}
    for name, saved in trained.items():
        card[name] = {"steps": saved["step"], "minutes": round(saved["seconds"] / 60, 1)}
    card_path.write_text(json.dumps(card, indent=2) + "\n")
    return {path: path.stat().st_size for name in files for path in (target / name).iterdir()}
