"""Where the tensors live, and process-wide numerics set once at start-up."""

import torch

from ditto_rt import heap


def choose(name: str) -> torch.device:
    """Return the device called `name`; "auto" takes CUDA, then Metal, then the CPU.

    Raises ValueError for a name that torch does not know or a device that is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device is {name!r}; allowed: auto, cuda, mps, cpu") from error
    return device


def set_numerics(threads: int) -> None:
    """Use `threads` CPU threads, keep freed memory, and flush denormal numbers.

    Those slow a UNet fifteen times; clearing new memory costs the vocoder a quarter of its time.
    """
    heap.keep_pages()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
