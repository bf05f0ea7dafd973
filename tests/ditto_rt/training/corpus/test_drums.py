"""One-shots begin and end in silence, peak at one and sound where they should."""

import numpy as np
import pytest

from ditto_rt.training.corpus.drums import LEVELS, KitStyle, make_kit
from ditto_rt.training.corpus.genres import GENRE_STYLES
from ditto_rt.training.corpus.oscillators import Floats

KITS = [
    make_kit(style.kit, np.random.default_rng(seed))
    for seed, style in enumerate(GENRE_STYLES.values())
]


def centroid_hz(audio_N: Floats) -> float:
    power = np.abs(np.fft.rfft(audio_N)) ** 2
    return float(np.sum(np.fft.rfftfreq(len(audio_N), 1 / 44100) * power) / power.sum())


@pytest.mark.parametrize("drum", sorted(LEVELS))
def test_shots_peak_at_one_and_fade_at_both_ends(drum: str) -> None:
    for kit in KITS:
        shot_N = kit[drum]
        assert np.abs(shot_N).max() == pytest.approx(1, abs=1e-5)
        assert shot_N[0] == shot_N[-1] == 0 and len(shot_N) < 44100


def test_drums_lie_in_their_bands() -> None:
    for kit in KITS:
        assert centroid_hz(kit["kick"]) < 400
        assert 300 < centroid_hz(kit["snare"]) < 9000
        assert centroid_hz(kit["hat"]) > 5000
        assert centroid_hz(kit["low tom"]) < centroid_hz(kit["high tom"]) < 500


def test_kits_differ_by_seed_and_repeat_by_seed() -> None:
    one, again, other = (make_kit(KitStyle(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    for drum in LEVELS:
        assert np.array_equal(one[drum], again[drum])
        assert len(one[drum]) != len(other[drum]) or not np.allclose(one[drum], other[drum])
