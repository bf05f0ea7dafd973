"""One entry as one safetensors file that says by itself what it is and whether it is whole.

The index can be made again from these files alone. C channels, H height, W latent steps,
N samples.
"""

import json
from dataclasses import dataclass

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError

from daemon.cache import digest
from daemon.cache.request import Request
from ditto_rt.spec import Report

SUFFIX = ".safetensors"
# One label and not two, whose order safetensors draws anew each time.
_LABEL = "ditto-rt"


class Damaged(ValueError):
    """Bytes that are no whole entry; the sentence says why."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A take, the noise x_T (1, C, H, W) it grew from, what was asked and what was reached."""

    request: Request
    report: Report
    x_T: NDArray[np.float32]
    audio_N: NDArray[np.float32]
    made_s: float


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    request: Request
    report: Report
    made_s: float


def pack(entry: Entry) -> bytes:
    """Return the entry as a file's bytes, with a digest of all it holds."""
    record = _Record(request=entry.request, report=entry.report, made_s=entry.made_s)
    # By json and not by pydantic, which would turn NaN into null.
    text = json.dumps(record.model_dump())
    tensors = {"x_T": np.ascontiguousarray(entry.x_T), "audio": np.ascontiguousarray(entry.audio_N)}
    label = f"{_digest(text, tensors)} {text}"
    data: bytes = safetensors.numpy.save(tensors, {_LABEL: label})
    return data


def unpack(data: bytes) -> Entry:
    """Return the entry in a file's bytes. Raises Damaged for whatever pack did not write."""
    try:
        # The strict parser goes first: behind it the header is known to be small, flat JSON.
        tensors = safetensors.numpy.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        held, _, text = header["__metadata__"][_LABEL].partition(" ")
        if held != _digest(text, tensors):
            raise Damaged("its digest does not fit what it holds")
        record = _Record.model_validate(json.loads(text))
        x_T, audio_N = tensors["x_T"], tensors["audio"]
    except (SafetensorError, KeyError, TypeError, RecursionError) as error:
        raise Damaged(f"it is no entry ({type(error).__name__}: {error})") from error
    except Damaged:
        raise
    except ValueError as error:
        raise Damaged(f"it is no entry ({str(error).splitlines()[0]})") from error
    fits = x_T.ndim == 4 and audio_N.shape == (record.report.frames,)
    if not fits or {x_T.dtype, audio_N.dtype} != {np.dtype(np.float32)}:
        raise Damaged(f"its arrays are {x_T.dtype}{x_T.shape} and {audio_N.dtype}{audio_N.shape}")
    return Entry(record.request, record.report, x_T, audio_N, record.made_s)


def _digest(text: str, tensors: dict[str, NDArray[np.float32]]) -> str:
    arrays = [(name, array) for name, array in sorted(tensors.items())]
    shapes = repr([(name, str(array.dtype), array.shape) for name, array in arrays])
    return digest.of_bytes(
        text.encode(), shapes.encode(), *(array.tobytes() for _, array in arrays)
    )
