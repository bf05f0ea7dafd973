"""The sound card, or what stands for one, through PortAudio. sounddevice is loaded when asked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHANNELS = 2


class NoDevice(Exception):
    """There is nothing to play on; the sentence says why."""


@dataclass(frozen=True)
class Output:
    """A device that can play."""

    index: int
    name: str
    channels: int


def find(wanted: str) -> Output:
    """Return the output whose name holds `wanted`, or has that number; '': the system's choice.

    Raises NoDevice.
    """
    try:
        import sounddevice
    except OSError as error:
        raise NoDevice(f"PortAudio is not there ({error}); install libportaudio2") from error
    try:
        key: Any = int(wanted) if wanted.isdecimal() else wanted or None
        found = sounddevice.query_devices(key, "output")
    except (sounddevice.PortAudioError, ValueError) as error:
        names = [d["name"] for d in sounddevice.query_devices() if d["max_output_channels"] > 0]
        if not names and not wanted:
            raise NoDevice("this machine has no audio output") from error
        allowed = ", ".join(names) or "none, because this machine has no audio output"
        raise NoDevice(f"audio device is {wanted!r}; allowed: {allowed}") from error
    channels = min(CHANNELS, int(found["max_output_channels"]))
    return Output(int(found["index"]), str(found["name"]), channels)


def open_stream(
    output: Output, rate_hz: int, block_frames: int, callback: int, addresses: NDArray[np.int64]
) -> Any:
    """Return a stream that is not started; `callback` is the address of a C function.

    It is called with the address of `addresses`, which must live as long as the stream. Raises
    NoDevice where the device refuses, as at another rate than its own.
    """
    import sounddevice

    ffi = sounddevice._ffi
    try:
        return sounddevice._StreamBase(
            "output",
            samplerate=rate_hz,
            blocksize=block_frames,
            device=output.index,
            channels=output.channels,
            dtype="float32",
            latency="low",
            callback=ffi.cast("PaStreamCallback*", callback),
            userdata=ffi.cast("void*", addresses.ctypes.data),
        )
    except sounddevice.PortAudioError as error:
        raise NoDevice(f"{output.name} does not open at {rate_hz} Hz: {error}") from error
