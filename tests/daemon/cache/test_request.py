"""Keys, kinds and vectors: what is the same request, what is comparable, what is near."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemon.cache.request import Request, distances, request_of
from ditto_rt import targets
from ditto_rt.spec import (
    Intensity,
    Job,
    Loop,
    Melody,
    Note,
    Point,
    Quality,
    Region,
    Structure,
)
from tests.cache_entries import request, rising

JOB = Job(genre="techno", mood="dark", seed=3, intensity=rising(-12))
NOTES = tuple(Note(pitch=60 + i, beat=i, beats=1) for i in range(8))

CHANGES: dict[str, Any] = {
    "genre": "house",
    "mood": None,
    "bpm": 121.0,
    "beats": 7.0,
    "seed": 4,
    "intensity": rising(-12.5),
    "melody": Melody(notes=NOTES),
    "structure": Structure(pattern="AB"),
    "loop": Loop(),
    "quality": Quality(steps=19),
    "region": Region(path="a.wav", start_s=0, end_s=1, mode="vary"),
}


def changed(job: Job, **changes: object) -> Job:
    return job.model_copy(update=changes)


def away(one: Job, other: Job) -> float:
    there, back = (
        float(distances(request(a).vector()[None], request(b).vector())[0])
        for a, b in ((one, other), (other, one))
    )
    assert there == back
    return there


def test_equal_requests_have_one_key_and_others_have_others() -> None:
    again = Job.model_validate_json(JOB.model_dump_json())
    assert request(again).key == request(JOB).key
    others = [request(changed(JOB, **{name: value})) for name, value in CHANGES.items()]
    others += [request(JOB, weights="v"), request(JOB, rate_hz=44_100)]
    assert len({other.key for other in [*others, request(JOB)]}) == len(others) + 1
    assert set(CHANGES) == set(Job.model_fields)


def test_a_version_of_the_program_has_its_own_takes() -> None:
    newer = request(JOB).model_copy(update={"version": "99"})
    assert newer.key != request(JOB).key and newer.kind == request(JOB).kind


def test_the_kind_holds_what_a_latent_cannot_change() -> None:
    fixed = {"bpm", "beats", "seed", "region"}
    for name, value in CHANGES.items():
        same = request(changed(JOB, **{name: value})).kind == request(JOB).kind
        assert same == (name not in fixed), name
    stochastic = Quality(sampler="ddpm")
    assert request(changed(JOB, quality=stochastic)).kind != request(JOB).kind
    assert request(JOB, weights="v").kind != request(JOB).kind


def test_a_region_is_its_bytes_and_times_and_not_its_name(tmp_path: Path) -> None:
    def of(name: str, data: bytes, end_s: float = 1.0) -> Request:
        (tmp_path / name).write_bytes(data)
        region = Region(path=str(tmp_path / name), start_s=0, end_s=end_s, mode="outpaint")
        return request_of(changed(JOB, region=region), 48_000, "m", "w")

    first, moved, other = of("a.wav", b"abc"), of("b.wav", b"abc"), of("c.wav", b"abd")
    assert first.key == moved.key != other.key
    assert of("a.wav", b"abc", end_s=1.5).key != first.key
    assert first.kind == other.kind
    assert first.job.region and first.job.region.path == "a.wav"
    assert np.linalg.norm(first.vector() - other.vector()) == pytest.approx(1.0, abs=0.35)
    with pytest.raises(OSError):
        region = Region(path=str(tmp_path / "none.wav"), start_s=0, end_s=1, mode="vary")
        request_of(changed(JOB, region=region), 48_000, "m", "w")


def test_distances_are_in_the_units_that_are_stated() -> None:
    flat = changed(JOB, intensity=Intensity(points=(Point(beat=0, db=-24),)))
    louder = changed(JOB, intensity=Intensity(points=(Point(beat=0, db=-18),)))
    assert away(flat, louder) == pytest.approx(1.0)
    plain = changed(JOB, intensity=None)
    for name in ("intensity", "melody", "structure", "loop"):
        assert away(plain, changed(plain, **{name: CHANGES[name]})) == pytest.approx(1.0)
    assert away(JOB, changed(JOB, genre="house")) == pytest.approx(1.0)
    assert away(JOB, changed(JOB, loop=Loop())) == pytest.approx(1.0)
    up = Melody(notes=tuple(note.model_copy(update={"pitch": note.pitch + 1}) for note in NOTES))
    octave = Melody(notes=tuple(n.model_copy(update={"pitch": n.pitch + 12}) for n in NOTES))
    tune = changed(JOB, melody=Melody(notes=NOTES))
    assert away(tune, changed(JOB, melody=up)) == pytest.approx(2.0)
    assert away(tune, changed(JOB, melody=octave)) == 0
    form = changed(JOB, structure=Structure(pattern="abba"))
    assert away(form, changed(JOB, structure=Structure(pattern="CDDC"))) == 0
    assert away(form, changed(JOB, structure=Structure(pattern="ABAB"))) == pytest.approx(2**0.5)


def test_a_small_move_is_nearer_than_a_large_one() -> None:
    moved = [changed(JOB, intensity=rising(db)) for db in (-12.5, -13, -15, -20, -30)]
    distances = [away(JOB, each) for each in moved]
    assert distances == sorted(distances) and distances[0] > 0


def test_the_curve_is_the_one_that_the_search_follows() -> None:
    hop, rate_hz = 512, 44_100
    frames = 1 + round(4.0 * rate_hz) // hop
    db_T = targets.decibels(rising(-12), 120.0, frames, hop, rate_hz)
    assert JOB.intensity
    sampled_P = request(JOB).vector()[4 : 4 + 32] * np.sqrt(32) * 6
    at_T = (np.arange(32) + 0.5) / 32 * (frames - 1)
    np.testing.assert_allclose(sampled_P, np.interp(at_T, np.arange(frames), db_T), atol=0.1)


def test_words_say_what_was_asked() -> None:
    full = changed(JOB, region=CHANGES["region"], melody=CHANGES["melody"], loop=Loop())
    assert request(full).words == (
        "dark techno, 8 beats at 120 bpm, seed 3, vary a.wav, intensity, 8 notes, loop"
    )
