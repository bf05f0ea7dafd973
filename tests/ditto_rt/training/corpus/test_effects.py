"""In a loop every effect sounds as it does in the second round of the repeated clip."""

from collections.abc import Callable

import numpy as np
import pytest

from ditto_rt.training.corpus import effects
from ditto_rt.training.corpus.oscillators import Floats

COUNT = 30000
NOISE_N = np.random.default_rng(0).standard_normal(COUNT, dtype=np.float32)
ROOM_M = effects.impulse(0.5, 5000.0, np.random.default_rng(1))
OPEN_N = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(COUNT) / COUNT)).astype(np.float32)

Effect = Callable[[Floats, bool], Floats]

CIRCULAR: dict[str, Effect] = {
    "filtered": lambda x, loop: effects.filtered(x, "highpass", 60.0, loop),
    "reverb": lambda x, loop: effects.reverb(x, ROOM_M, loop),
    "delay": lambda x, loop: effects.delay(x, 4000, 0.5, loop),
    "swept": lambda x, loop: effects.swept(x, np.resize(OPEN_N, len(x)), 400.0, loop),
    "ducking": lambda x, loop: (
        x * effects.ducking(list(range(20000, len(x), COUNT)), len(x), 0.6, 0.4, loop)
    ),
}


@pytest.mark.parametrize("name", sorted(CIRCULAR))
def test_a_loop_is_the_second_round(name: str) -> None:
    effect = CIRCULAR[name]
    once = effect(NOISE_N, True)
    twice = effect(np.tile(NOISE_N, 3), False)[2 * COUNT :]
    assert np.abs(once - twice).max() < 2e-3


@pytest.mark.parametrize("name", ["reverb", "delay"])
def test_without_a_loop_tails_are_cut(name: str) -> None:
    click = np.zeros(COUNT, dtype=np.float32)
    click[-100] = 1
    assert np.abs(CIRCULAR[name](click, False)[: COUNT - 200]).max() < 1e-5
    assert np.abs(CIRCULAR[name](click, True)[: COUNT - 200]).max() > 1e-3


def test_pieces_are_cut_or_wrap() -> None:
    piece = np.ones(7, dtype=np.float32)
    cut, wrapped = np.zeros(5, dtype=np.float32), np.zeros(5, dtype=np.float32)
    effects.add_at(cut, 3, piece, False)
    effects.add_at(wrapped, 3, piece, True)
    assert cut.tolist() == [0, 0, 0, 1, 1]
    assert wrapped.tolist() == [1, 1, 1, 2, 2]


def test_ducking_dips_at_kicks_only() -> None:
    gain_N = effects.ducking([10000], COUNT, 0.5, 0.05, False)
    assert gain_N[:9000].min() == pytest.approx(1)
    assert gain_N[10200] == pytest.approx(0.5, abs=0.02)
    assert gain_N[-1] == pytest.approx(1, abs=1e-3)


def test_the_soft_clip_is_clean_below_and_bounded_above() -> None:
    ramp = np.linspace(-5, 5, 2001, dtype=np.float32)
    out = effects.soft_clip(ramp)
    inside = np.abs(ramp) <= 0.8
    assert np.array_equal(out[inside], ramp[inside])
    assert np.abs(out).max() <= 0.991 and np.all(np.diff(out) >= -1e-6)


def test_saturation_keeps_the_peak() -> None:
    ramp = np.linspace(-1, 1, 201, dtype=np.float32)
    out = effects.saturate(ramp, 2.0)
    assert out[-1] == pytest.approx(1) and out[150] > ramp[150]
