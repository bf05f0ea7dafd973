"""How loud a finished take is: what would be too loud is turned down, its last peaks are held.

A model says nothing about full scale: of takes without a curve, half go above it, by up to 18 dB.
N samples.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d, uniform_filter1d

Audio = NDArray[np.float32]

# -1 dB: between two samples the sound is a little higher than at either.
CEILING = 0.89
# A take is turned down until all but this share of its samples are below the ceiling.
PEAKS_SHARE = 0.001
# How far round a peak it is quieter; a bass of 50 Hz is at a peak or a trough every 10 ms.
REACH_S = 0.01


def headroom_db(audio_N: Audio) -> float:
    """Return by how much to turn a take up so that it fits below full scale: 0 or less."""
    loud = float(np.quantile(np.abs(audio_N), 1.0 - PEAKS_SHARE)) if len(audio_N) else 0.0
    return 20.0 * float(np.log10(CEILING / loud)) if loud > CEILING else 0.0


def limit(audio_N: Audio, rate_hz: int, circular: bool) -> Audio:
    """Return a take whose peaks are at the ceiling, quieter round each and nowhere bent.

    A look-ahead limiter: the gain that each sample needs, the least within the reach, smoothed over
    as much, so it is never above what is needed. `circular`: the end is beside the start. A take
    without such peaks comes back as it is.
    """
    needed_N = CEILING / np.maximum(np.abs(audio_N).astype(np.float64), CEILING)
    if needed_N.min(initial=1.0) == 1.0:
        return audio_N
    half = round(REACH_S * rate_hz / 2)
    mode = "wrap" if circular else "nearest"
    least_N = minimum_filter1d(needed_N, 4 * half + 1, mode=mode)
    # Twice over half of it: a triangle, which has no corners that one hears.
    smooth_N = uniform_filter1d(least_N, 2 * half + 1, mode=mode)
    gain_N = uniform_filter1d(smooth_N, 2 * half + 1, mode=mode)
    limited_N = np.clip(audio_N * gain_N, -CEILING, CEILING)
    return np.asarray(limited_N, np.float32)
