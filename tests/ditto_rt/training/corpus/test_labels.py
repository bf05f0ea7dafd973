"""The labels, held against the sound by measures that share nothing with the composer."""

from functools import cache

import librosa
import numpy as np
from numpy.typing import NDArray

from ditto_rt.training.corpus import Clip, make_clip
from ditto_rt.training.corpus.compose import Score, compose
from ditto_rt.training.corpus.plan import Plan, make_plan

SECONDS = 7.0
# Krumhansl and Kessler (1982): how well each pitch class fits a key, from the tonic up.
PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


@cache
def planned(seed: int) -> tuple[Plan, Score]:
    rng = np.random.default_rng(seed)
    plan = make_plan(SECONDS, rng)
    return plan, compose(plan, rng)


@cache
def clip_of(seed: int) -> Clip:
    return make_clip(seed, SECONDS)


def flux(clip: Clip, hop: int) -> NDArray[np.float64]:
    """Return the onset strength of each hop: the rise of the log spectrum."""
    sound = np.abs(librosa.stft(clip.audio_N, n_fft=1024, hop_length=hop))
    rise = np.maximum(np.diff(np.log1p(100 * sound), axis=1), 0).sum(axis=0)
    return np.asarray(rise - rise.mean(), dtype=np.float64)


def grid_tempo_bpm(clip: Clip, around_bpm: float) -> float:
    """Return the tempo within 12 % whose beats, eighths and sixteenths fit the onsets best."""
    onsets = flux(clip, 128)
    seconds = np.arange(len(onsets)) * 128 / clip.rate_hz
    tempos = np.arange(0.88 * around_bpm, 1.12 * around_bpm, 0.1)
    waves = [np.exp(2j * np.pi * k * np.outer(tempos, seconds) / 60) for k in (1, 2, 4)]
    strength = sum(np.abs(wave @ onsets) for wave in waves)
    return float(tempos[np.argmax(strength)])


def test_tempo_is_that_of_the_onsets() -> None:
    seeds = [
        s for s in range(3000, 3060) if planned(s)[1].hits and planned(s)[0].genre != "ambient"
    ]
    found = {s: grid_tempo_bpm(clip_of(s), clip_of(s).tempo_bpm) for s in seeds[:24]}
    misses = [s for s, tempo in found.items() if abs(tempo - clip_of(s).tempo_bpm) > 0.5]
    assert len(misses) <= 2, misses
    # The measure must be able to say no: a label 3 % off is not confirmed.
    wrong = [grid_tempo_bpm(clip_of(s), 1.03 * clip_of(s).tempo_bpm) for s in seeds[:6]]
    assert all(
        abs(tempo - 1.03 * clip_of(s).tempo_bpm) > 0.5
        for s, tempo in zip(seeds, wrong, strict=False)
        if s not in misses
    )


def test_the_first_beat_is_at_the_start() -> None:
    seeds = [
        s
        for s in range(3000, 3100)
        if any(hit.drum == "kick" and hit.beat == 0 for hit in planned(s)[1].hits)
    ][:20]
    for seed in seeds:
        clip = clip_of(seed)
        half_beat = round(30 / clip.tempo_bpm * clip.rate_hz)
        before = np.zeros(4410, dtype=np.float32)
        padded = np.concatenate((before, clip.audio_N[:half_beat]))
        power = librosa.feature.rms(y=padded, frame_length=256, hop_length=32, center=False)[0]
        first = int(np.argmax(power > 0.1 * power.max())) * 32 + 256 - 4410
        assert abs(first) / clip.rate_hz < 0.02, (seed, first)


def chroma(clip: Clip, low_pitch: int, octaves: int, hop: int) -> NDArray[np.float64]:
    """Return pitch-class energy over time (12, frames) in a range of octaves."""
    bands = librosa.feature.chroma_cqt(
        y=clip.audio_N,
        sr=clip.rate_hz,
        hop_length=hop,
        fmin=librosa.midi_to_hz(low_pitch),
        n_octaves=octaves,
        tuning=0.0,
    )
    return np.asarray(bands, dtype=np.float64)


def test_key_is_the_best_of_twelve() -> None:
    ranks = []
    for seed in range(3100, 3130):
        clip = clip_of(seed)
        mean = chroma(clip, 36, 5, 2048).mean(axis=1)
        fits = [np.corrcoef(np.roll(PROFILES[clip.mode], key), mean)[0, 1] for key in range(12)]
        ranks.append(sum(fit > fits[clip.key] for fit in fits))
    # A clip of one or two chords fits its neighbours on the circle of fifths nearly as well.
    assert np.mean(np.array(ranks) == 0) > 0.7 and np.mean(np.array(ranks) <= 2) > 0.85, ranks


def test_chords_are_in_the_chroma() -> None:
    right, moved = [], []
    seeds = [s for s in range(3100, 3160) if "chords" in planned(s)[1].notes]
    for seed in seeds[:15]:
        plan, score = planned(seed)
        bands = chroma(clip_of(seed), 48, 3, 1024)
        for chord in score.chords:
            ends = [round(b * plan.beat_s * 44100 / 1024) for b in (0, chord.beats)]
            start = round(chord.beat * plan.beat_s * 44100 / 1024)
            part = bands[:, start : start + ends[1]]
            if part.shape[1] < 4:
                continue
            mean = part.mean(axis=1) / part.mean()
            tones = {pitch % 12 for pitch in chord.pitches}
            right.append(np.mean([mean[tone] for tone in tones]))
            moved.append(np.mean([mean[(tone + 1) % 12] for tone in tones]))
    assert np.mean(right) > 1.3 and np.mean(np.array(right) > np.array(moved)) > 0.9


def test_melody_is_the_chroma_of_its_octaves() -> None:
    shares = []
    seeds = [s for s in range(3200, 3300) if planned(s)[0].melody_led][:14]
    for seed in seeds:
        clip = clip_of(seed)
        loudest = chroma(clip, 58, 3, 512).argmax(axis=0)
        right = []
        for pitch, beat, beats in clip.melody:
            frames = [round(b * 60 / clip.tempo_bpm * 44100 / 512) for b in (beat, beat + beats)]
            right += list(loudest[frames[0] + 2 : frames[1]] == pitch % 12)
        shares.append(np.mean(right))
    assert np.mean(shares) > 0.85 and min(shares) > 0.5, shares


def test_sections_of_one_letter_sound_alike() -> None:
    better = []
    for seed in range(3300, 3420):
        plan, _ = planned(seed)
        whole = [(a, b) for a, b in plan.starts() if b + plan.section_beats <= plan.beats]
        letters = [letter for letter, _ in whole]
        if len(set(letters)) < 2 or len(set(letters)) == len(letters):
            continue
        clip = clip_of(seed)
        # Without coefficient 0 the level curve plays no part.
        mfcc = librosa.feature.mfcc(y=clip.audio_N, sr=44100, n_mfcc=20)[1:]
        hops = [
            [
                round(beat * plan.beat_s * 44100 / 512)
                for beat in (start, start + plan.section_beats)
            ]
            for _, start in whole
        ]
        means = [mfcc[:, first + 2 : last - 2].mean(axis=1) for first, last in hops]
        gaps: dict[bool, list[float]] = {True: [], False: []}
        for i, j in zip(*np.triu_indices(len(whole), 1), strict=True):
            gap = float(np.linalg.norm(means[i] - means[j]))
            gaps[letters[i] == letters[j]].append(gap)
        better.append(np.mean(gaps[True]) < np.mean(gaps[False]))
        if len(better) == 20:
            break
    assert len(better) >= 12 and np.mean(better) >= 0.85, better
