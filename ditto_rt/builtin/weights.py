"""Where the shipped weights lie, and reading one file of them."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ditto_rt.errors import NoModel

FOLDER = Path(__file__).parent / "weights"
LATENT = "latent.safetensors"
VOCODER = "vocoder.safetensors"
DENOISER = "denoiser.safetensors"
CARD = "card.json"


def load_into(network: nn.Module, name: str, folder: Path = FOLDER) -> None:
    """Fill `network` from a file of half-precision weights, computing in single precision.

    Raises NoModel where the file is missing, damaged or made for another network.
    """
    path = folder / name
    try:
        state: dict[str, Tensor] = load_file(path)
        network.load_state_dict({key: value.to(torch.float32) for key, value in state.items()})
    except FileNotFoundError as error:
        raise NoModel(f"weights {path} are missing; make them with: make train") from error
    except (SafetensorError, RuntimeError) as error:
        raise NoModel(f"weights {path} cannot be used: {str(error).splitlines()[0]}") from error
    network.requires_grad_(False).eval()
