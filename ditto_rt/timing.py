"""Beats, samples and the loop point: exact lengths, and a seam that closes.

Rational arithmetic from the decimal text of a number, so that 120.1 bpm is 1201/10 and a take of
64 bars is as long as 64 takes of one bar to within half a sample. Standard library and numpy only.
Shapes: N samples; leading axes are channels or clips.
"""

from fractions import Fraction
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

# How long a take's end goes over into what leads to its start, where that is as long.
JOIN_S = 0.03

Audio = NDArray[np.floating[Any]]


def exact(value: float) -> Fraction:
    """Return the number its decimal text shows: 120.1 gives 1201/10."""
    return Fraction(repr(float(value)))


def samples_of(beats: float, bpm: float, rate_hz: int) -> int:
    """Return the samples in `beats` at `bpm`: rational, then rounded once (half to even)."""
    return round(exact(beats) * 60 / exact(bpm) * rate_hz)


def seconds_of(beats: float, bpm: float) -> float:
    """Return the length of `beats` at `bpm` in seconds."""
    return float(exact(beats) * 60 / exact(bpm))


def frame_count(samples: int, hop: int) -> int:
    """Return how many centred analysis frames `samples` of audio have."""
    return 1 + samples // hop


def frame_beats(frames: int, hop: int, bpm: float, rate_hz: int) -> NDArray[np.floating[Any]]:
    """Return the beat at the centre of each frame; frame i is centred on sample i * hop."""
    return np.arange(frames) * float(hop * exact(bpm) / (60 * rate_hz))


def frame_at(beat: float, hop: int, bpm: float, rate_hz: int) -> int:
    """Return the frame whose centre is nearest to `beat`."""
    return round(exact(beat) * 60 / exact(bpm) * rate_hz / hop)


def fade_gains(frames: int, correlation: float) -> tuple[Audio, Audio]:
    """Return (fade in, fade out) whose sum keeps its power for two equally loud signals.

    correlation, -1 to 1, is theirs: 0 gives an equal-power fade (sine and cosine); 1 gives gains
    that add to 1. Below -0.5 they are treated as -0.5, because what cancels cannot be turned up
    for ever.
    """
    angle = np.linspace(0, pi / 2, frames, endpoint=False)
    rise, fall = np.sin(angle), np.cos(angle)
    power = np.sqrt(1 + max(correlation, -0.5) * 2 * rise * fall)
    return rise / power, fall / power


def correlation(one_N: Audio, other_N: Audio) -> float:
    """Return the normalised inner product of two signals, -1 to 1; 0 where one is silent."""
    size = np.sqrt(float(np.vdot(one_N, one_N)) * float(np.vdot(other_N, other_N)))
    return float(np.vdot(one_N, other_N)) / size if size > 0 else 0.0


def close_loop(audio_N: Audio, frames: int, fade_frames: int) -> Audio:
    """Return the first `frames` samples, made to repeat without a click.

    What follows the loop point fades out over the start: the first sample is audio_N[frames], the
    true continuation of the last one, and after `fade_frames` (0: a plain cut) all is as it was.
    Raises ValueError for a fade longer than the loop or than what follows it.
    """
    tail = audio_N.shape[-1] - frames
    if not 0 <= fade_frames <= min(tail, frames):
        raise ValueError(
            f"fade is {fade_frames} frames; allowed: 0 to {max(0, min(tail, frames))}, "
            "the shorter of the loop and what follows it"
        )
    start = audio_N[..., :fade_frames].astype(np.float64)
    after = audio_N[..., frames : frames + fade_frames].astype(np.float64)
    fade_in, fade_out = fade_gains(fade_frames, correlation(start, after))
    closed = audio_N[..., :frames].copy()
    closed[..., :fade_frames] = start * fade_in + after * fade_out
    return closed
