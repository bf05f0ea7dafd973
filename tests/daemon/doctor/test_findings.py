"""The doctor's sentences: what is good, what is bad, and that what it advises would do."""

from dataclasses import replace

import pytest

from daemon.config import Config, Render
from daemon.doctor.findings import (
    LOOP_S,
    USUAL_ITERATIONS,
    Engine,
    Sound,
    of_disk,
    of_engine,
    of_sound,
    of_trip,
)

ENGINE = Engine("cpu", start_s=0.6, load_s=7.0, first_s=0.5, iteration_s=0.2, rest_s=1.0)
SOUND = Sound("on", "", "card", 48_000, 256, 0, 0.006, 0.009, 0.0002)


def test_a_quick_machine_is_fit() -> None:
    assert [each.level for each in of_engine(ENGINE, Config(), 4)] == ["good"] * 3


def test_a_slow_search_names_settings_that_fit() -> None:
    slow = replace(ENGINE, iteration_s=0.5)
    search = of_engine(slow, Config(), 4)[-1]
    assert search.level == "bad" and "13.5 s" in search.text
    assert "render.iterations = 14" in search.change
    assert slow.rest_s + 14 * slow.iteration_s <= LOOP_S < slow.rest_s + 15 * slow.iteration_s
    assert "render.search_steps = 1 would take about 7.2 s" in search.change
    assert "2 passes ahead" in search.change
    mended = Config(render=Render(iterations=14))
    assert of_engine(slow, mended, 4)[-1].level == "good"


def test_a_hopeless_one_is_not_told_of_iterations_that_are_too_few() -> None:
    search = of_engine(replace(ENGINE, iteration_s=3.0), Config(), 2)[-1]
    assert "render.iterations" not in search.change
    assert "render.search_steps = 1" in search.change and "10 passes ahead" in search.change


@pytest.mark.parametrize(
    ("sound", "level"),
    [
        (SOUND, "good"),
        (replace(SOUND, underruns=3), "bad"),
        (replace(SOUND, callback_p99_s=0.004), "bad"),
    ],
)
def test_a_device_that_stumbles_gets_a_larger_block(sound: Sound, level: str) -> None:
    device, callback = of_sound(sound, cores=2, threads=0)
    assert (device.level, callback.level) == ("good", level)
    assert ("audio.block_frames = 512" in callback.change) == (level == "bad")
    assert ("engine.threads = 1" in callback.change) == (level == "bad")


def test_no_device_is_no_failure_and_says_how_to_get_one() -> None:
    (found,) = of_sound(Sound("none", "this machine has no audio output"), 2, 0)
    assert found.level == "note" and "JACK" in found.change and "no audio output" in found.text


def test_the_rest() -> None:
    assert of_trip(0.2, 3.0).level == "good" and of_trip(0.2, 30.0).level == "note"
    assert of_disk(10**9, "/").level == "bad" and of_disk(10**10, "/").level == "good"
    assert USUAL_ITERATIONS * ENGINE.iteration_s + ENGINE.rest_s < LOOP_S
