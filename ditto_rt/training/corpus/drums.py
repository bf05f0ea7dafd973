"""Synthesised one-shot drums with random parameters. Shapes: N samples at 44.1 kHz."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from ditto_rt.training.corpus.oscillators import RATE_HZ, Floats

Rng = np.random.Generator


@dataclass(frozen=True)
class KitStyle:
    """What makes a genre's kit: lengths in seconds, pitches in Hz."""

    kick_hz: tuple[float, float] = (48, 56)
    kick_s: tuple[float, float] = (0.2, 0.35)
    kick_click: tuple[float, float] = (0.1, 0.5)
    kick_drive: tuple[float, float] = (1.0, 2.5)
    snare_hz: tuple[float, float] = (170, 220)
    snare_s: tuple[float, float] = (0.12, 0.22)
    snare_noise: tuple[float, float] = (0.5, 0.8)
    hat_hz: tuple[float, float] = (7000, 9500)
    hat_s: tuple[float, float] = (0.03, 0.06)
    open_s: tuple[float, float] = (0.18, 0.32)


def _time(seconds: float) -> Floats:
    return np.arange(int(seconds * RATE_HZ), dtype=np.float32) / np.float32(RATE_HZ)


def _noise(count: int, low_hz: float, high_hz: float, rng: Rng) -> Floats:
    band = butter(2, (low_hz, min(high_hz, 20000)), "bandpass", fs=RATE_HZ, output="sos")
    return np.asarray(sosfilt(band, rng.standard_normal(count)), dtype=np.float32)


def _finish(shot_N: NDArray[np.floating]) -> Floats:
    """Scale to a peak of 1; fade the first 0.5 ms in and the last 5 ms out, against clicks."""
    fade = min(220, len(shot_N))
    shot_N = shot_N.astype(np.float32)
    shot_N[:22] *= np.linspace(0, 1, 22, dtype=np.float32)
    shot_N[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return np.asarray(shot_N / np.abs(shot_N).max(), dtype=np.float32)


def kick(style: KitStyle, rng: Rng) -> Floats:
    """Sine with a falling pitch, a click, and drive."""
    base, length = rng.uniform(*style.kick_hz), rng.uniform(*style.kick_s)
    sweep, fall = rng.uniform(2, 6), rng.uniform(0.015, 0.04)
    t = _time(length * 1.6)
    turns = base * (t + sweep * fall * (1 - np.exp(-t / fall)))
    body = np.sin(2 * np.pi * turns) * np.exp(-((t / length) ** 1.5) * 2.5)
    click = _noise(len(t), 1500, 9000, rng) * np.exp(-t / 0.003) * rng.uniform(*style.kick_click)
    return _finish(np.tanh((body + click) * rng.uniform(*style.kick_drive)))


def snare(style: KitStyle, rng: Rng) -> Floats:
    """Two sines under filtered noise."""
    base, length = rng.uniform(*style.snare_hz), rng.uniform(*style.snare_s)
    t = _time(length * 2)
    tone = np.sin(2 * np.pi * base * t + 2 * np.exp(-t / 0.01)) * np.exp(-t / (0.35 * length))
    tone += 0.5 * np.sin(2 * np.pi * 1.6 * base * t) * np.exp(-t / (0.25 * length))
    noise = _noise(len(t), rng.uniform(900, 1800), rng.uniform(9000, 15000), rng)
    mix = rng.uniform(*style.snare_noise)
    return _finish((1 - mix) * tone + 1.6 * mix * noise * np.exp(-t / (0.45 * length)))


def clap(style: KitStyle, rng: Rng) -> Floats:
    """Three short bursts and a tail of band noise."""
    t = _time(0.28)
    spread, tail = rng.uniform(0.008, 0.013), rng.uniform(0.05, 0.09)
    bursts = sum(np.where(t >= k * spread, np.exp(-(t - k * spread) / 0.004), 0) for k in range(3))
    ring = np.where(t >= 2 * spread, np.exp(-(t - 2 * spread) / tail), 0)
    noise = _noise(len(t), rng.uniform(700, 1000), rng.uniform(4000, 9000), rng)
    return _finish(noise * (bursts + 0.6 * ring))


def hat(length_s: float, style: KitStyle, rng: Rng) -> Floats:
    """Noise and a cluster of inharmonic squares, high-passed."""
    t = _time(min(length_s * 4, 0.6))
    base = rng.uniform(300, 420)
    # Squares far from a harmonic series, as in analogue cymbals, so that no pitch is heard.
    ratios = (2.0, 3.0, 4.16, 5.43, 6.79, 8.21)
    metal = sum(np.sign(np.sin(2 * np.pi * base * r * t)) for r in ratios) / 4
    cut = butter(3, rng.uniform(*style.hat_hz), "highpass", fs=RATE_HZ, output="sos")
    body = sosfilt(cut, rng.uniform(0.2, 0.8) * metal + rng.standard_normal(len(t)))
    return _finish(body * np.exp(-t / length_s))


def tom(pitch_hz: float, rng: Rng) -> Floats:
    """Sine with a short fall of pitch."""
    t = _time(0.32)
    turns = pitch_hz * (t + 0.02 * (1 - np.exp(-t / 0.03)))
    return _finish(np.sin(2 * np.pi * turns) * np.exp(-t / 0.1) * rng.uniform(0.9, 1.0))


def rim(style: KitStyle, rng: Rng) -> Floats:
    """Two very short high sines."""
    t = _time(0.06)
    base = rng.uniform(400, 520)
    tone = np.sin(2 * np.pi * base * t) + np.sin(2 * np.pi * base * 3.6 * t)
    return _finish(tone * np.exp(-t / 0.01))


def ride(style: KitStyle, rng: Rng) -> Floats:
    """Inharmonic sines that ring over soft noise."""
    t = _time(0.5)
    partials = rng.uniform(3000, 11000, 10)[:, None]
    ring = np.sin(2 * np.pi * partials * t).sum(axis=0) / 5
    return _finish((ring + _noise(len(t), 6000, 16000, rng)) * np.exp(-t / 0.18))


def shaker(style: KitStyle, rng: Rng) -> Floats:
    """A soft swell of high noise."""
    t = _time(0.12)
    swell = np.minimum(t / 0.025, 1) * np.exp(-np.maximum(t - 0.025, 0) / 0.025)
    return _finish(_noise(len(t), 5000, 13000, rng) * swell)


def make_kit(style: KitStyle, rng: Rng) -> dict[str, Floats]:
    """Return a kit: one-shots by name, each with a peak of 1."""
    low = rng.uniform(85, 110)
    return {
        "kick": kick(style, rng),
        "snare": snare(style, rng),
        "clap": clap(style, rng),
        "hat": hat(rng.uniform(*style.hat_s), style, rng),
        "open": hat(rng.uniform(*style.open_s), style, rng),
        "low tom": tom(low, rng),
        "high tom": tom(low * 1.6, rng),
        "rim": rim(style, rng),
        "ride": ride(style, rng),
        "shaker": shaker(style, rng),
    }


# Peak level of each drum in a kit, relative to the kick.
LEVELS = {
    "kick": 1.0,
    "snare": 0.75,
    "clap": 0.6,
    "hat": 0.26,
    "open": 0.28,
    "low tom": 0.6,
    "high tom": 0.55,
    "rim": 0.4,
    "ride": 0.22,
    "shaker": 0.22,
}
