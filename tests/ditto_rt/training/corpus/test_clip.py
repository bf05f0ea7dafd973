"""Clips: determinism, lengths, loudness, moods that can be heard, loops without a seam."""

from dataclasses import FrozenInstanceError
from functools import cache

import numpy as np
import pytest

from ditto_rt.training.corpus import HELD_OUT_SEEDS, Clip, make_clip, oscillators
from ditto_rt.training.corpus.plan import make_plan

CLIPS = 60


@cache
def clips() -> tuple[Clip, ...]:
    return tuple(make_clip(HELD_OUT_SEEDS[0] + index, 4.0) for index in range(CLIPS))


@cache
def loops() -> tuple[Clip, ...]:
    seeds = (seed for seed in range(300) if make_plan(None, np.random.default_rng(seed)).loop)
    return tuple(make_clip(seed) for seed, _ in zip(seeds, range(25), strict=False))


def rms_db(clip: Clip) -> float:
    return float(10 * np.log10(np.mean(clip.audio_N.astype(np.float64) ** 2)))


def centroid_hz(clip: Clip) -> float:
    size = np.abs(np.fft.rfft(clip.audio_N))
    return float(np.sum(np.fft.rfftfreq(len(clip.audio_N), 1 / 44100) * size) / size.sum())


def test_the_same_seed_gives_the_same_clip() -> None:
    first = make_clip(7, 3.0)
    oscillators.table.cache_clear()
    make_clip(8, 2.0)
    again = make_clip(7, 3.0)
    assert np.array_equal(first.audio_N, again.audio_N)
    assert (first.melody, first.chords, first.sections) == (
        again.melody,
        again.chords,
        again.sections,
    )
    assert not np.array_equal(first.audio_N, make_clip(9, 3.0).audio_N)


def test_clips_are_what_the_interface_says() -> None:
    for clip in clips():
        assert clip.audio_N.dtype == np.float32 and clip.audio_N.shape == (4 * 44100,)
        assert clip.rate_hz == 44100 and 0.02 < np.abs(clip.audio_N).max() <= 1
        assert clip.sections[0][1] == clip.chords[0][0] == 0
        assert clip.chords[0][1] == clip.key
    with pytest.raises(FrozenInstanceError):
        clips()[0].loop = True  # type: ignore[misc]


def test_a_free_length_is_from_2_to_12_seconds() -> None:
    for seed in range(12):
        assert 2 * 44100 - 1 <= len(make_clip(seed).audio_N) <= 12 * 44100 + 1


@pytest.mark.parametrize(("seed", "seconds"), [(-1, 2.0), (1, 0.1), (1, 61.0), (1, float("nan"))])
def test_nonsense_is_refused_by_value(seed: int, seconds: float) -> None:
    with pytest.raises(ValueError, match=r"is (-1|0\.1|61\.0|nan); it must be"):
        make_clip(seed, seconds)


def test_loudness_is_spread_around_minus_18_without_offset_or_clipping() -> None:
    levels = [rms_db(clip) for clip in clips()]
    assert -21 < np.median(levels) < -16
    assert np.percentile(levels, 90) - np.percentile(levels, 10) > 7
    for clip in clips():
        assert abs(float(clip.audio_N.mean())) < 1e-3
        assert np.mean(np.abs(clip.audio_N) > 0.95) < 0.01


def test_moods_are_audible() -> None:
    by_mood = {mood: [c for c in clips() if c.mood == mood] for mood in ("dark", "bright")}
    centroid = {mood: np.median([centroid_hz(c) for c in found]) for mood, found in by_mood.items()}
    assert centroid["bright"] > 1.25 * centroid["dark"]
    levels = {
        mood: np.median([rms_db(c) for c in clips() if c.mood == mood])
        for mood in ("calm", "energetic")
    }
    assert levels["energetic"] > levels["calm"] + 5
    minor = {mood: np.mean([c.mode == "minor" for c in found]) for mood, found in by_mood.items()}
    assert minor["dark"] > 0.8 and minor["bright"] < 0.4


def test_no_genre_lacks_lows_or_highs() -> None:
    for genre in {clip.genre for clip in clips()}:
        power = sum(np.abs(np.fft.rfft(c.audio_N)) ** 2 for c in clips() if c.genre == genre)
        hz = np.fft.rfftfreq(4 * 44100, 1 / 44100)
        low_db = 10 * np.log10(power[(hz > 20) & (hz < 200)].sum() / power.sum())
        high_db = 10 * np.log10(power[hz > 5000].sum() / power.sum())
        assert low_db > -12 and high_db > -40, (genre, low_db, high_db)


def test_loops_are_whole_bars_and_close_without_a_click() -> None:
    for clip in loops():
        bars = len(clip.audio_N) * clip.tempo_bpm / 60 / 44100 / 4
        assert clip.loop and bars == pytest.approx(round(bars), abs=1e-4)
        steps = np.abs(np.diff(clip.audio_N))
        assert abs(clip.audio_N[0] - clip.audio_N[-1]) <= np.percentile(steps, 99.9)
