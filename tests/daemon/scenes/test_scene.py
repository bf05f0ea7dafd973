"""A scene's name may be any text; what cannot be a scene is refused."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.errors import Refusal
from daemon.scenes.scene import Part, Scene, checked_name, key_of
from daemon.takes.slots import Slot
from daemon.takes.take import Take
from ditto_rt.spec import Intensity, Job, Melody, Note, Point, Quality, Structure
from ditto_rt.tags import Tags
from tests.daemon_office import report

AUDIO = "0" * 64


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("drop", "drop"),
        ("  drop 2 ", "drop 2"),
        ("../x", "../x"),
        ("C:\\NUL", "C:\\NUL"),
        ("con.json", "con.json"),
        ("Stro\u0308m", "Str\u00f6m"),
        (
            "\U0001f469\u200d\U0001f3a4 \u5927\u5408\u5531",
            "\U0001f469\u200d\U0001f3a4 \u5927\u5408\u5531",
        ),
        ("x" * 80, "x" * 80),
    ],
)
def test_any_text_is_a_name_and_its_file_is_only_digits(typed: str, kept: str) -> None:
    assert checked_name(typed) == kept
    assert len(key_of(kept)) == 64 and set(key_of(kept)) <= set(string.hexdigits.lower())


@pytest.mark.parametrize(
    "typed", ["", "  ", "x" * 81, "a\0b", "a\nb", "a\x1b[31m", "\ud800", "\u2028x\u2028y"]
)
def test_what_nobody_can_see_is_no_name(typed: str) -> None:
    with pytest.raises(Refusal, match="allowed: (1 to 80 characters|signs that are seen)"):
        checked_name(typed)


def test_names_that_differ_in_case_are_two_files_on_every_disk() -> None:
    keys = {key_of("Drop"), key_of("drop")}
    assert len({key.casefold() for key in keys}) == 2


@given(st.text())
def test_a_name_that_was_kept_is_kept_again_as_it_is(text: str) -> None:
    try:
        kept = checked_name(text)
    except Refusal:
        return
    assert checked_name(kept) == kept
    kept.encode()


def part(**values: object) -> Part:
    take = Take(slot=2, version=3, asked=Job(), report=report())
    return Part.model_validate(
        {"slot": 2, "controls": Job(), "take": take, "audio": AUDIO, **values}
    )


def test_controls_come_back_as_they_were() -> None:
    slot = Slot(
        tags=Tags("techno", "dark"),
        bpm=121.3,
        beats=6.0,
        seed=77,
        intensity=Intensity(points=(Point(beat=0, db=-20), Point(beat=3, db=-9))),
        melody=Melody(notes=(Note(pitch=60, beat=0, beats=1),)),
        structure=Structure(pattern="AB"),
        quality=Quality(steps=7, iterations=11, guidance=1.5),
        version=9,
    )
    made = part(controls=slot.job())
    scene = Scene(name="a", saved_s=1.0, bpm=120.0, parts=(made,))
    again = Scene.model_validate_json(scene.model_dump_json(exclude_none=True))
    assert again == scene
    assert again.parts[0].slot_with(9) == slot


def test_figures_that_are_no_numbers_come_back() -> None:
    take = Take(slot=2, version=3, asked=Job(), report=report((float("nan"), 1.0)))
    scene = Scene(name="a", saved_s=1.0, bpm=120.0, parts=(part(take=take),))
    again = Scene.model_validate_json(scene.model_dump_json(exclude_none=True)).parts[0].take
    assert again is not None and again.report.loss[0] != again.report.loss[0]
    assert again.report.loss[1] == 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": 2},
        {"name": " a"},
        {"name": "a\0"},
        {"name": ""},
        {"bpm": 5.0},
        {"bpm": "nan"},
        {"saved_s": float("inf")},
        {"more": 1},
        {"parts": "all"},
        {"parts": [{"slot": 16, "controls": {}}]},
        {"parts": [{"slot": 0, "controls": {}}, {"slot": 0, "controls": {}}]},
        {"parts": [{"slot": 0, "controls": {}, "gain": 5.0}]},
        {"parts": [{"slot": 0, "controls": {}, "gain": "nan"}]},
        {"parts": [{"slot": 0, "controls": {}, "plays": True}]},
        {"parts": [{"slot": 0, "controls": {}, "audio": AUDIO}]},
        {"parts": [{"slot": 0, "controls": {"bpm": 1}}]},
    ],
)
def test_what_is_no_scene_is_refused(wrong: dict[str, object]) -> None:
    plain = {"name": "a", "saved_s": 1.0, "bpm": 120.0, "parts": []}
    assert Scene.model_validate_json(json.dumps(plain)).parts == ()
    with pytest.raises(ValidationError):
        Scene.model_validate_json(json.dumps({**plain, **wrong}))


@pytest.mark.parametrize("audio", ["../../x", "0" * 63, "A" * 64, "0" * 64 + "\n"])
def test_sound_is_named_by_a_digest_and_nothing_else(audio: str) -> None:
    with pytest.raises(ValidationError):
        part(audio=audio)


def test_a_take_of_another_slot_is_refused() -> None:
    with pytest.raises(ValidationError, match="has a take of slot 2"):
        part(slot=5)
