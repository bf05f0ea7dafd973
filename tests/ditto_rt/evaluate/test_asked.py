import pytest

from ditto_rt.evaluate.asked import CONTROLS, SECONDS, like_held_out, with_control
from ditto_rt.spec import Quality
from ditto_rt.training.corpus.genres import GENRE_STYLES


@pytest.mark.parametrize("control", CONTROLS)
def test_a_take_with_a_control_is_a_held_out_clips_but_for_the_control(control: str) -> None:
    for number in range(40):
        job, free = with_control(control, number, Quality()), like_held_out(number, Quality())
        assert getattr(job, control) is not None
        assert job.model_copy(update={control: None}) == free
        assert job.seconds == pytest.approx(SECONDS)


@pytest.mark.parametrize("control", CONTROLS)
def test_the_tempo_is_one_that_its_genre_has(control: str) -> None:
    for number in range(40):
        job = with_control(control, number, Quality())
        assert job.genre is not None
        ranges = GENRE_STYLES[job.genre].tempo_bpm
        assert any(low <= job.bpm <= high for low, high in ranges), f"{job.genre} at {job.bpm}"


def test_targets_reach_across_the_take_and_differ_from_take_to_take() -> None:
    curves, melodies = (
        [getattr(with_control(control, number, Quality()), control) for number in range(20)]
        for control in ("intensity", "melody")
    )
    jobs = [like_held_out(number, Quality()) for number in range(20)]
    for job, curve, melody in zip(jobs, curves, melodies, strict=True):
        assert (curve.points[0].beat, curve.points[-1].beat) == (0.0, pytest.approx(job.beats))
        end = melody.notes[-1].beat + melody.notes[-1].beats
        assert job.beats <= end < job.beats + 1
    assert len(set(curves)) == len(set(melodies)) == 20


def test_a_number_names_one_target() -> None:
    assert with_control("melody", 3, Quality()) == with_control("melody", 3, Quality())
