import numpy as np
import pytest

from ditto_rt import measure
from ditto_rt.spec import Intensity, Melody, Note, Point, Structure

RATE_HZ = 48_000
T_N = np.arange(4 * RATE_HZ) / RATE_HZ


def _curve(*points: tuple[float, float]) -> Intensity:
    return Intensity(points=tuple(Point(beat=beat, db=db) for beat, db in points))


def test_a_noise_drawn_along_a_curve_follows_it() -> None:
    noise_N = np.random.default_rng(0).normal(size=len(T_N))
    level_db = np.interp(T_N * 2, [0, 8], [-40, -20])
    audio_N = (noise_N * 10 ** (level_db / 20)).astype(np.float32)
    found = measure.intensity(audio_N, RATE_HZ, _curve((0, -40), (8, -20)), 120)
    assert found.mse_db2 < 0.5 and found.correlation > 0.99
    middle = (np.arange(48) + 0.5) / 48
    # The first and the last half second lean on what is beyond the ends.
    far_db = np.abs(np.array(found.level_db) - np.interp(middle, [0, 1], [-40, -20]))
    assert len(found.level_db) == 48 and np.max(far_db[6:-6]) < 1.0
    wrong = measure.intensity(audio_N, RATE_HZ, _curve((0, -20), (8, -40)), 120)
    assert wrong.mse_db2 > 50 and wrong.correlation < -0.99


def test_level_error_of_six_db_is_36_db2() -> None:
    audio_N = np.full(len(T_N), 0.1, np.float32)
    assert measure.intensity(audio_N, RATE_HZ, _curve((0, -26)), 120).mse_db2 == pytest.approx(
        36, abs=1.0
    )


def test_melody_of_sines_is_read_back() -> None:
    pitches = (60, 64, 67, 72, 71, 69, 65, 62)
    notes = tuple(Note(pitch=p, beat=i, beats=1) for i, p in enumerate(pitches))
    index_N = np.minimum((T_N * 2).astype(int), 7)
    hz_N = 440.0 * 2 ** ((np.array(pitches)[index_N] + 12 - 69) / 12)
    audio_N = (0.3 * np.sin(2 * np.pi * np.cumsum(hz_N) / RATE_HZ)).astype(np.float32)
    assert measure.melody(audio_N, RATE_HZ, Melody(notes=notes), 120).accuracy > 0.85
    lower = tuple(note.model_copy(update={"pitch": note.pitch + 1}) for note in notes)
    assert measure.melody(audio_N, RATE_HZ, Melody(notes=lower), 120).accuracy < 0.15


@pytest.mark.parametrize("pitch", range(59, 72))
def test_each_note_of_the_octave_at_the_cut_is_itself_and_no_bass_counts(pitch: int) -> None:
    hz, bass_hz = 440.0 * 2 ** ((pitch - 69) / 12), 440.0 * 2 ** ((pitch + 6 - 36 - 69) / 12)
    audio_N = 0.1 * np.sin(2 * np.pi * hz * T_N) + 0.3 * np.sin(2 * np.pi * bass_hz * T_N)
    held = Melody(notes=(Note(pitch=pitch, beat=0, beats=8),))
    assert measure.melody(audio_N.astype(np.float32), RATE_HZ, held, 120).accuracy > 0.99


def test_structure_of_two_timbres_is_read_back() -> None:
    noise_N = np.random.default_rng(0).normal(size=len(T_N)) * 0.1
    tone_N = 0.1 * np.sign(np.sin(2 * np.pi * 220 * T_N))
    middle = (T_N >= 1) & (T_N < 3)
    audio_N = np.where(middle, noise_N, tone_N).astype(np.float32)
    right = measure.structure(audio_N, RATE_HZ, Structure(pattern="ABBA")).mse
    wrong = measure.structure(audio_N, RATE_HZ, Structure(pattern="ABAB")).mse
    assert right < 0.15 < 0.5 < wrong


def test_a_hidden_cut_is_a_seam_and_a_whole_number_of_periods_is_not() -> None:
    whole_N = (0.3 * np.sin(2 * np.pi * 220 * T_N)).astype(np.float32)
    cut_N = whole_N[: -RATE_HZ // 880]
    assert measure.step_ratio(whole_N) <= 1.001 and measure.seam(whole_N, RATE_HZ).ratio < 1.1
    assert measure.step_ratio(cut_N) > 5 and measure.seam(cut_N, RATE_HZ).ratio > 5
