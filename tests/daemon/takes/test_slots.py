"""Slots: commands change them whole or not at all."""

import pytest

from daemon.errors import Refusal
from daemon.osc.arguments import read_call
from daemon.protocol.messages import COMMANDS
from daemon.takes.slots import SETTERS, Change, Slot, cleared, with_region
from ditto_rt.spec import Quality


def after(slot: Slot, address: str, *arguments: object) -> Change:
    return SETTERS[address](slot, read_call(COMMANDS[address], arguments))


def full() -> Slot:
    slot = Slot()
    for address, *arguments in (
        ("/ditto/slot/tags", 0, "dark techno"),
        ("/ditto/slot/tempo", 0, 128.0, 16.0),
        ("/ditto/slot/seed", 0, 7),
        ("/ditto/slot/intensity", 0, 0.0, -30.0, 8.0, -12.0),
        ("/ditto/slot/melody", 0, 60, 0.0, 1.0),
        ("/ditto/slot/structure", 0, "ABBA"),
        ("/ditto/slot/loop", 0, 0.25),
        ("/ditto/slot/quality", 0, 8, 30),
        ("/ditto/slot/guidance", 0, 3.0),
    ):
        slot = after(slot, address, *arguments).slot
    return with_region(slot, "/a.wav", 1.0, 2.0, "vary")


def test_everything_reaches_the_job() -> None:
    job = full().job()
    assert (job.genre, job.mood, job.bpm, job.beats, job.seed) == ("techno", "dark", 128, 16, 7)
    assert job.intensity and [(p.beat, p.db) for p in job.intensity.points] == [(0, -30), (8, -12)]
    assert job.melody and job.melody.notes[0].pitch == 60
    assert job.structure and job.structure.pattern == "ABBA"
    assert job.loop and job.loop.overlap_s == 0.25
    assert (job.quality.steps, job.quality.iterations, job.quality.guidance) == (8, 30, 3.0)
    assert job.region and (job.region.start_s, job.region.mode) == (1.0, "vary")


def test_unknown_words_are_named() -> None:
    change = after(Slot(), "/ditto/slot/tags", 0, "dark polka dnb zither")
    assert change.values == ("dark drum and bass", "polka, zither")
    assert after(Slot(), "/ditto/slot/tags", 0, "").values == ("", "")


def test_the_reply_to_a_tempo_tells_the_length() -> None:
    assert after(Slot(), "/ditto/slot/tempo", 0, 120.0, 8.0).values == (4.0,)


@pytest.mark.parametrize(
    ("address", "arguments", "sentence"),
    [
        ("/ditto/slot/tempo", (0, 60.0, 64.0), "length of 64 beats at 60 bpm is 64; allowed: 1 to"),
        ("/ditto/slot/tempo", (0, 300.0, 0.25), "length of 0.25 beats at 300 bpm is 0.05"),
        ("/ditto/slot/intensity", (0, 8.0, -30.0, 4.0, -12.0), "beat 4 follows beat 8; allowed:"),
        ("/ditto/slot/intensity", (0, 4.0, -30.0, 4.0, -12.0), "beat 4 follows beat 4; allowed:"),
        ("/ditto/slot/intensity", (0,), "intensity has 0 breakpoints; allowed: 1 or more"),
        ("/ditto/slot/melody", (0,), "melody has 0 notes; allowed: 1 or more"),
        ("/ditto/slot/structure", (0, "A"), "pattern is 'A'; allowed: 2 to 16 letters A to Z"),
        ("/ditto/slot/structure", (0, "AAAA"), "pattern is 'AAAA'; allowed: at least two"),
        ("/ditto/slot/structure", (0, "A1"), "pattern is 'A1'; allowed: 2 to 16 letters"),
    ],
)
def test_what_makes_no_sense_is_refused(
    address: str, arguments: tuple[object, ...], sentence: str
) -> None:
    with pytest.raises(Refusal) as caught:
        after(Slot(), address, *arguments)
    assert caught.value.code == "bad_value"
    assert str(caught.value).startswith(sentence)


def test_a_region_runs_forwards() -> None:
    with pytest.raises(Refusal, match="end_s is 1; allowed: more than start_s 2"):
        with_region(Slot(), "/a.wav", 2.0, 1.0, "vary")


def test_minus_one_leaves_the_iterations_to_the_controls() -> None:
    assert after(full(), "/ditto/slot/quality", 0, 8, -1).slot.quality.iterations is None


def test_one_control_is_cleared() -> None:
    for control in ("region", "intensity", "melody", "structure", "loop"):
        slot = cleared(full(), control, Slot())
        assert getattr(slot, control) is None
        assert slot.bpm == 128


def test_all_is_cleared_but_the_version() -> None:
    from dataclasses import replace

    fresh = Slot(quality=Quality(steps=3))
    assert cleared(replace(full(), version=5), "all", fresh) == replace(fresh, version=5)
