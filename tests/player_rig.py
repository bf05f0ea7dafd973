"""The player's shared memory, commands put into it by hand, and what its core makes of them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from daemon.audio import mixing
from daemon.audio.layout import COMMAND, START, Memory, allocate

RATE_HZ, BLOCK, FADE, LENGTH = 48_000, 256, 240, 4800
RAMP = RATE_HZ // 50

Audio = NDArray[np.float32]


def take(length: int = LENGTH, seed: int = 0) -> Audio:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, length).astype(np.float32)


class Rig:
    """Shared memory, commands into it, and blocks out of it."""

    def __init__(self, channels: int = 1, frames: int = 10_000) -> None:
        self.memory = allocate(RATE_HZ, channels, frames)
        self.channels = channels

    def do(self, kind: int, slot: int = 0, voice: int = 0, at: int = 0, **more: ArrayLike) -> bool:
        command = np.zeros(1, COMMAND)
        for name, value in {"kind": kind, "slot": slot, "voice": voice, "at": at, **more}.items():
            command[name] = value
        return bool(mixing.push(self.memory.state, self.memory.ring, command))

    def start(
        self, audio: Audio, at: int, slot: int = 0, voice: int = 0, **more: ArrayLike
    ) -> None:
        self.memory.takes_SVN[slot, voice, : len(audio)] = audio
        usual = {"length": len(audio), "period": len(audio), "parts": 1, "origin": at, "fade": FADE}
        assert self.do(START, slot, voice, at, **{**usual, **more})

    def block(self, frames: int = BLOCK) -> Audio:
        out_NC = np.full((frames, self.channels), np.nan, np.float32)
        m: Memory = self.memory
        mixing.mix(out_NC, m.state, m.ring, m.voices_SV, m.gains_S, m.takes_SVN)
        return out_NC

    def play(self, frames: int, block: int = BLOCK) -> Audio:
        """Return the first channel of the next frames."""
        blocks = [self.block(min(block, frames - at))[:, 0] for at in range(0, frames, block)]
        return np.concatenate(blocks)

    def frame(self) -> int:
        return int(self.memory.state["frame"][0])

    def late(self) -> int:
        return int(self.memory.state["late"][0])


def looped(audio: Audio, first: int, frames: int, origin: int) -> Audio:
    return audio[(np.arange(first, first + frames) - origin) % len(audio)]
