"""Where the shipped weights lie, one folder for each network, and reading them."""

from pathlib import Path

from huggingface_hub import load_torch_model
from safetensors import SafetensorError
from torch import nn

from ditto_rt.errors import NoModel

FOLDER = Path(__file__).parent / "weights"
LATENT, VOCODER, DENOISER, TAGGER = "latent", "vocoder", "denoiser", "tagger"
CARD = "card.json"


def load_into(network: nn.Module, name: str, folder: Path = FOLDER) -> None:
    """Fill `network` from files of half-precision weights, computing in single precision.

    Raises NoModel where files are missing, damaged or made for another network.
    """
    path = folder / name
    try:
        load_torch_model(network, path, strict=True)
    except (OSError, ValueError, KeyError, SafetensorError, RuntimeError) as error:
        why = str(error).splitlines()[0]
        raise NoModel(
            f"weights in {path} cannot be used ({why}); make them with: make train"
        ) from error
    network.requires_grad_(False).eval()
