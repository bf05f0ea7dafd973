"""Targets: what a musician gives becomes what a control compares with; errors name the value."""

from math import floor
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditto_rt import features, spec, targets
from ditto_rt.errors import BadFile, BadRegion, BadTarget
from ditto_rt.timing import frame_count

torch.set_num_threads(1)
RATE_HZ = 44_100
# At 120 bpm a beat is half a second; with this hop it is 50 frames.
BPM, HOP, FRAMES = 120.0, 441, 401


def _curve(*points: tuple[float, float]) -> spec.Intensity:
    return spec.Intensity(points=tuple(spec.Point(beat=beat, db=db) for beat, db in points))


def _melody(*notes: tuple[int, float, float]) -> spec.Melody:
    return spec.Melody(
        notes=tuple(spec.Note(pitch=pitch, beat=beat, beats=beats) for pitch, beat, beats in notes)
    )


def test_a_curve_is_straight_between_its_points_and_flat_outside() -> None:
    db = targets.decibels(_curve((2, -30), (6, -10)), BPM, FRAMES, HOP, RATE_HZ)
    assert db.dtype == np.float32 and len(db) == FRAMES
    assert db[:100] == pytest.approx(-30) and db[300:] == pytest.approx(-10)
    assert db[200] == pytest.approx(-20) and db[150] == pytest.approx(-25)


def test_one_point_is_a_level() -> None:
    db = targets.decibels(_curve((4, -18)), BPM, FRAMES, HOP, RATE_HZ)
    assert db == pytest.approx(-18)


def test_notes_sound_from_their_beat_for_their_beats() -> None:
    melody = _melody((60, 0, 1), (64, 1, 2), (71, 5, 1))
    classes, sounding = targets.pitch_classes(melody, BPM, FRAMES, HOP, RATE_HZ)
    assert (classes[:50] == 0).all() and (classes[50:150] == 4).all()
    assert (classes[250:300] == 11).all()
    assert sounding[:150].all() and not sounding[150:250].any()
    assert sounding[250:300].all() and not sounding[300:].any()


def test_the_later_of_two_notes_wins_whatever_their_order() -> None:
    for notes in (((60, 0, 4), (62, 2, 1)), ((62, 2, 1), (60, 0, 4))):
        classes, sounding = targets.pitch_classes(_melody(*notes), BPM, FRAMES, HOP, RATE_HZ)
        assert (classes[100:150] == 2).all() and (classes[:100] == 0).all()
        assert (classes[150:200] == 0).all() and sounding[:200].all()


def test_a_melody_outside_the_take_is_refused() -> None:
    with pytest.raises(BadTarget, match=r"first note is at beat 12 .* allowed: .* before beat 8"):
        targets.pitch_classes(_melody((60, 12, 1)), BPM, FRAMES, HOP, RATE_HZ)


@given(st.text("ABCab", min_size=2, max_size=16), st.integers(1, 8))
def test_sections_are_equally_long_and_letters_ignore_case(pattern: str, each: int) -> None:
    ids = targets.section_ids(pattern, each * len(pattern)).reshape(len(pattern), each)
    assert (ids == ids[:, :1]).all()
    same = [[a == b for a in pattern.upper()] for b in pattern.upper()]
    np.testing.assert_array_equal(ids[:, :1] == ids[:, 0], same)


@given(st.integers(RATE_HZ, 16 * RATE_HZ), st.integers(1, 16))
def test_the_grid_gives_each_section_the_same_whole_frames(samples: int, sections: int) -> None:
    frames, window = targets.similarity_grid(samples, RATE_HZ, sections)
    each = frames // sections
    assert frames == each * sections and each >= 4
    assert window % 2 == 1 and 3 <= window <= min(11, each)
    assert frames >= floor(10 * samples / RATE_HZ)


@pytest.mark.parametrize("pattern", ["ABBA", "ABA", "AAB"])
def test_two_letters_make_plus_and_minus_one(pattern: str) -> None:
    similarity = targets.pattern_similarity(pattern, 12 * len(pattern), window=1)
    ids = targets.section_ids(pattern, 12 * len(pattern))
    expected = np.where(ids[:, None] == ids[None], 1.0, -1.0)
    np.testing.assert_allclose(similarity.numpy(), expected, atol=1e-6)


def test_three_letters_are_as_far_apart_as_three_can_be() -> None:
    similarity = targets.pattern_similarity("ABC", 30, window=1)
    assert similarity[0, 10].item() == similarity[10, 20].item() == pytest.approx(-0.5)


def test_a_recordings_similarity_shows_its_form() -> None:
    time = np.arange(2 * RATE_HZ) / RATE_HZ
    rng = np.random.default_rng(0)
    tone, noise = np.sin(2 * np.pi * 440 * time), rng.standard_normal(len(time))
    quarter = len(time) // 4
    parts = [tone[:quarter], noise[:quarter], noise[:quarter], tone[:quarter]]
    audio = (0.1 * np.concatenate(parts)).astype(np.float32)
    with torch.inference_mode():
        similarity = targets.recording_similarity(audio, features.MelSpec(RATE_HZ), 40)
    assert similarity.shape == (40, 40)
    expected = targets.pattern_similarity("ABBA", 40, window=1)
    assert (similarity - expected).abs().median() < 0.1
    # Usable in a backward pass although the caller was in inference mode.
    (torch.ones(40, 40, requires_grad=True) * similarity).sum().backward()


def _chirp(samples: int, rate_hz: int) -> np.ndarray:
    time = np.arange(samples) / rate_hz
    return (0.5 * np.sin(2 * np.pi * (200 + 300 * time) * time)).astype(np.float32)


def _write(path: Path, rate_hz: int, seconds: float = 2.0, channels: int = 2) -> Path:
    audio = _chirp(int(seconds * rate_hz), rate_hz)
    soundfile.write(path, np.stack([audio] * channels, axis=1), rate_hz)
    return path


@pytest.mark.parametrize(
    ("name", "error"), [("a.wav", 1e-3), ("a.flac", 1e-3), ("a.aiff", 1e-3), ("a.mp3", 0.05)]
)
@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_a_region_is_what_the_file_holds_there(
    tmp_path: Path, name: str, error: float, rate_hz: int
) -> None:
    region = targets.read_region(_write(tmp_path / name, rate_hz), 0.5, 1.3, RATE_HZ)
    expected = _chirp(2 * RATE_HZ, RATE_HZ)[RATE_HZ // 2 :][: len(region)]
    assert region.dtype == np.float32 and len(region) == round(0.8 * RATE_HZ)
    assert np.abs(region - expected).max() < error


def test_a_resampled_region_does_not_fade_at_its_ends(tmp_path: Path) -> None:
    # A region's last sample is where a take joins on.
    region = targets.read_region(_write(tmp_path / "a.wav", 48_000), 0.5, 1.0, RATE_HZ)
    expected = _chirp(2 * RATE_HZ, RATE_HZ)[RATE_HZ // 2 :][: len(region)]
    assert np.abs(region - expected)[[*range(50), *range(-50, 0)]].max() < 1e-3


def test_channels_are_averaged(tmp_path: Path) -> None:
    audio = _chirp(RATE_HZ, RATE_HZ)
    soundfile.write(tmp_path / "a.wav", np.stack([audio, -audio], axis=1), RATE_HZ)
    assert np.abs(targets.read_region(tmp_path / "a.wav", 0, 1, RATE_HZ)).max() < 2 / 2**15


def test_a_region_in_beats_is_one_in_seconds(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.wav", RATE_HZ)
    beats = targets.read_beats(path, 1, 3, BPM, RATE_HZ)
    np.testing.assert_array_equal(beats, targets.read_region(path, 0.5, 1.5, RATE_HZ))


@pytest.mark.parametrize(("start_s", "end_s"), [(0, 2.5), (1.5, 2.01), (3, 4), (1, 1), (1, 0.5)])
def test_a_region_that_is_not_there_is_refused(
    tmp_path: Path, start_s: float, end_s: float
) -> None:
    path = _write(tmp_path / "a.wav", RATE_HZ)
    message = rf"region {start_s:g} to {end_s:g} s .* {path}; allowed: 0 to 2\.000 s"
    with pytest.raises(BadRegion, match=message):
        targets.read_region(path, start_s, end_s, RATE_HZ)


def test_an_end_rounded_up_is_the_end(tmp_path: Path) -> None:
    # 88,180 samples are 1.99955 s, which a user reads as 2.000.
    path = _write(tmp_path / "a.wav", RATE_HZ, 88_180 / RATE_HZ)
    assert len(targets.read_region(path, 0, 2.0, RATE_HZ)) == 2 * RATE_HZ


def test_what_is_no_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("hello")
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    for name in ("a.wav", "a.raw"):
        with pytest.raises(BadFile, match=f"file {tmp_path / name} cannot be read as audio"):
            targets.read_region(tmp_path / name, 0, 1, RATE_HZ)
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(BadFile, match=f"file {path} does not exist"):
            targets.read_region(path, 0, 1, RATE_HZ)


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    audio = _chirp(RATE_HZ, RATE_HZ)
    audio[1000] = np.nan
    soundfile.write(tmp_path / "a.wav", audio, RATE_HZ, subtype="FLOAT")
    with pytest.raises(BadFile, match="samples that are not numbers"):
        targets.read_region(tmp_path / "a.wav", 0, 1, RATE_HZ)


REGION = np.arange(1, 101, dtype=np.float32)


def test_outpainting_continues_the_regions_end() -> None:
    canvas = targets.outpaint(REGION, samples=50, overlap=20)
    np.testing.assert_array_equal(canvas.audio_N[:20], REGION[-20:])
    assert canvas.start == 20 and len(canvas.audio_N) == 70
    assert canvas.known_N[:20].all() and not canvas.known_N[20:].any()


def test_looping_back_ends_on_the_regions_start() -> None:
    canvas = targets.loop_back(REGION, samples=50, overlap=20)
    np.testing.assert_array_equal(canvas.audio_N[:20], REGION[-20:])
    np.testing.assert_array_equal(canvas.audio_N[70:], REGION[:20])
    assert canvas.start == 20 and not canvas.known_N[20:70].any()
    assert canvas.known_N[:20].all() and canvas.known_N[70:].all()


def test_inpainting_keeps_both_sides_of_the_gap() -> None:
    canvas = targets.inpaint(REGION, samples=100, gap_start=40, gap_end=60)
    np.testing.assert_array_equal(canvas.audio_N[canvas.known_N], np.delete(REGION, range(40, 60)))
    assert canvas.start == 0 and not canvas.known_N[40:60].any()
    short = targets.inpaint(REGION, samples=80, gap_start=40, gap_end=60)
    assert len(short.audio_N) == 80 and short.known_N[60:].all()


def test_an_overlap_longer_than_the_region_is_the_whole_region() -> None:
    canvas = targets.outpaint(REGION, samples=50, overlap=500)
    assert canvas.start == 100
    np.testing.assert_array_equal(canvas.audio_N[:100], REGION)


def test_pieces_are_cut_at_the_canvas_ends() -> None:
    canvas = targets.place(10, [(REGION[:6], -3), (REGION[:6], 8)], start=0)
    np.testing.assert_array_equal(canvas.audio_N, [4, 5, 6, 0, 0, 0, 0, 0, 1, 2])
    assert canvas.known_N.sum() == 5


@given(st.integers(1, 100), st.integers(0, 12))
def test_a_latent_step_is_known_where_all_it_looks_at_is(known: int, reach: int) -> None:
    mask = targets.latent_mask(np.arange(100) < known, hop=10, width=10, reach=reach)
    expected = [10 * (step + 1) + reach <= known for step in range(10)]
    assert mask.bool().tolist() == expected


def test_a_mask_ends_with_its_canvas() -> None:
    mask = targets.latent_mask(np.ones(95, np.bool_), hop=10, width=12)
    assert mask.tolist() == [1.0] * 9 + [0.0] * 3


def test_curves_and_frames_agree_for_a_take() -> None:
    # The last frame lies within one hop of the take's end.
    frames = frame_count(176_253, 512)
    db = targets.decibels(_curve((0, -40), (8, -10)), 120.1, frames, 512, RATE_HZ)
    assert db[0] == -40 and -10.1 < db[-1] <= -10
