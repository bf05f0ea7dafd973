"""`ditto-rt render`: words of the command line become a job."""

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.errors import Refusal
from daemon.options import RenderOptions, curve, job_of
from ditto_rt.errors import BadTarget
from ditto_rt.spec import Job, Melody, Note, Quality

PLAIN = RenderOptions(out=Path("out.wav"))
NOTES = Melody(notes=(Note(pitch=60, beat=0, beats=1),))


def job(**changes: object) -> Job:
    options = replace(PLAIN, **changes)  # type: ignore[arg-type]
    return job_of(options, Quality(steps=9), lambda _: NOTES, lambda _: 6.5)


def test_nothing_asked() -> None:
    assert job() == Job(quality=Quality(steps=9))


def test_everything_asked() -> None:
    full = job(
        tags="dark techno",
        bpm=128.0,
        beats=16.0,
        seed=3,
        source=Path("/a.wav"),
        start=1.0,
        end=4.0,
        mode="inpaint",
        intensity="0:-30, 8:-12",
        melody=Path("a.mid"),
        structure="ABBA",
        loop=True,
        steps=12,
        iterations=5,
    )
    assert (full.genre, full.mood, full.bpm, full.beats, full.seed) == (
        *("techno", "dark", 128.0, 16.0, 3),
    )
    assert full.region and (full.region.start_s, full.region.end_s, full.region.mode) == (
        *(1.0, 4.0, "inpaint"),
    )
    assert full.intensity and [(p.beat, p.db) for p in full.intensity.points] == [
        (0, -30),
        (8, -12),
    ]
    assert full.melody == NOTES and full.structure and full.structure.pattern == "ABBA"
    assert full.loop and (full.quality.steps, full.quality.iterations) == (12, 5)


def test_a_region_without_an_end_goes_to_the_files_end() -> None:
    region = job(source=Path("/a.wav")).region
    assert region and (region.start_s, region.end_s) == (0.0, 6.5)


def test_a_region_in_beats_of_the_file() -> None:
    region = job(source=Path("/a.wav"), start=4.0, end=8.0, source_bpm=120.0).region
    assert region and (region.start_s, region.end_s) == (2.0, 4.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tags": "dark polka"}, "tags have unknown words: polka"),
        ({"intensity": "0:-30,8"}, "intensity has '8'; allowed: beat:dB with commas"),
        ({"intensity": "0:-30,x:-3"}, "intensity has 'x:-3'; allowed: beat:dB"),
        ({"intensity": "0:-300"}, "db is -300; allowed: -80 to 0 dB"),
        ({"intensity": "8:-30,0:-3"}, "beat 0 follows beat 8"),
        ({"bpm": 1.0}, "bpm is 1; allowed: 20 to 300 bpm"),
        ({"beats": 200.0}, "length of 200 beats at 120 bpm is 100; allowed: 1 to 16 s"),
        ({"structure": "A"}, "pattern is 'A'"),
        ({"steps": 0}, "steps is 0; allowed: 1 to 1000"),
        ({"source": Path("/a.wav"), "start": 3.0, "end": 2.0}, "end_s is 2; allowed: more than"),
    ],
)
def test_each_mistake_has_its_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises((Refusal, BadTarget)) as caught:
        job(**changes)
    assert str(caught.value).startswith(sentence)


def test_a_curve_needs_points() -> None:
    with pytest.raises(BadTarget):
        curve("")
