import numpy as np
import pytest

from ditto_rt.evaluate.onsets import first_beat_ms, tempo_near

RATE_HZ = 44_100


def _clicks(bpm: float, shift_s: float = 0.0, seconds: float = 6.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    audio_N = 1e-4 * rng.normal(size=round(seconds * RATE_HZ))
    burst_N = rng.normal(size=2000) * np.exp(-np.arange(2000) / 400)
    for beat in range(int(seconds * bpm / 60)):
        at = round((beat * 60 / bpm + shift_s) * RATE_HZ) % len(audio_N)
        part = audio_N[at : at + len(burst_N)]
        part += burst_N[: len(part)]
    return audio_N.astype(np.float32)


@pytest.mark.parametrize("bpm", [87.3, 120.0, 171.1])
def test_tempo_is_found_to_a_fifth_of_a_bpm(bpm: float) -> None:
    assert abs(tempo_near(_clicks(bpm), RATE_HZ, bpm * 1.03) - bpm) < 0.2


@pytest.mark.parametrize("shift_ms", [-60.0, -20.0, 0.0, 20.0, 60.0])
def test_first_beat_is_found_to_three_ms_where_it_is(shift_ms: float) -> None:
    audio_N = _clicks(120.0, shift_ms / 1000.0)
    assert abs(first_beat_ms(audio_N, RATE_HZ, 120.0) - shift_ms) < 3.0


def test_an_attack_just_before_the_loop_point_is_no_first_beat() -> None:
    audio_N = _clicks(120.0)
    audio_N[-2000:] += 3.0 * _clicks(120.0)[:2000]
    assert abs(first_beat_ms(audio_N, RATE_HZ, 120.0)) < 3.0


def test_other_beats_tell_where_one_is_that_is_left_out() -> None:
    audio_N = _clicks(120.0, 0.03)
    audio_N[: RATE_HZ // 4] = audio_N[RATE_HZ // 4 : RATE_HZ // 2]
    assert abs(first_beat_ms(audio_N, RATE_HZ, 120.0) - 30.0) < 3.0
