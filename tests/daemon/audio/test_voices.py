"""Orders become commands: a slot's timeline, its voices, and takes that cannot be played."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from daemon.audio import mixing
from daemon.audio.layout import VOICES, allocate
from daemon.audio.voices import KEPT_TAKES, Takes, Unplayable, Voices
from daemon.audio.wire import HERE_AND_NOW, Aim, Gain, Hold, Panic, Play, Points, Stop

RATE_HZ, BLOCK, LENGTH, CROSS = 48_000, 512, 9600, 960

Audio = NDArray[np.float32]


class Stage:
    """Voices, and the callback's core called by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = allocate(RATE_HZ, 1, 20_000)
        self.voices = Voices(self.memory)
        self.takes = [self.write(seed) for seed in range(6)]

    def write(self, seed: int, rate_hz: int = RATE_HZ) -> Audio:
        audio = np.random.default_rng(seed).uniform(-0.5, 0.5, LENGTH).astype(np.float32)
        soundfile.write(self.folder / f"{seed}.wav", audio, rate_hz, subtype="FLOAT")
        return audio

    def play(
        self, take: int, at: int, origin: int | None = None, asked: Points = (), beats: float = 8.0
    ) -> None:
        start = at if origin is None else origin
        path = str(self.folder / f"{take}.wav")
        self.voices.play(Play(3, path, at, start, LENGTH, 1, beats, asked))

    def hear(self, frames: int) -> Audio:
        m, blocks = self.memory, []
        for at in range(0, frames, BLOCK):
            out_NC = np.empty((min(BLOCK, frames - at), 1), np.float32)
            mixing.mix(out_NC, m.state, m.ring, m.voices_SV, m.gains_S, m.takes_SVN)
            blocks.append(out_NC[:, 0])
        return np.concatenate(blocks)

    def loop(self, take: int, first: int, frames: int, origin: int) -> Audio:
        return self.takes[take][(np.arange(first, first + frames) - origin) % LENGTH]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_slot_has_one_take_at_a_time(stage: Stage) -> None:
    stage.play(0, 1000)
    stage.play(1, 20_200)
    heard = stage.hear(40_000)
    assert np.array_equal(heard[1000 : 20_200 - CROSS], stage.loop(0, 1000, 19_200 - CROSS, 1000))
    assert np.array_equal(heard[20_200:], stage.loop(1, 20_200, 19_800, 20_200))


def test_an_order_replaces_what_was_planned_behind_it(stage: Stage) -> None:
    stage.play(0, 1000)
    stage.play(1, 20_000)
    stage.hear(4000)
    stage.voices.stop(Stop(3, 10_000))
    heard = stage.hear(40_000)
    assert heard[:5000].any() and not heard[6000:].any()


def test_what_was_planned_before_it_stays(stage: Stage) -> None:
    stage.play(0, 1000)
    stage.voices.stop(Stop(3, 8000))
    stage.play(1, 20_000)
    heard = stage.hear(40_000)
    assert not heard[8000 : 20_000 - CROSS].any()
    assert np.array_equal(heard[20_000:], stage.loop(1, 20_000, 20_000, 20_000))


def test_a_plan_can_be_taken_back(stage: Stage) -> None:
    stage.play(0, 1000)
    stage.voices.stop(Stop(3, 8000))
    stage.play(1, 20_000)
    stage.hear(4000)
    stage.voices.hold(Hold(3, 7000))
    stage.voices.stop(Stop(3, 30_000))
    heard = stage.hear(40_000)
    assert np.array_equal(heard[: 30_000 - 4240], stage.loop(0, 4000, 30_000 - 4240, 1000))
    assert not heard[26_000:].any()


def test_what_has_begun_cannot_be_taken_back(stage: Stage) -> None:
    stage.play(0, 1000)
    stage.play(1, 9000)
    stage.hear(8192)
    stage.voices.hold(Hold(3, 8500))
    stage.voices.hold(Hold(3, 8500))
    heard = stage.hear(8000)
    assert np.array_equal(heard[808:], stage.loop(1, 9000, 7192, 9000))


def test_a_take_comes_back_in_its_phase_at_once(stage: Stage) -> None:
    stage.hear(5 * BLOCK)
    stage.play(2, HERE_AND_NOW, origin=123)
    heard = stage.hear(5000)
    first = 5 * BLOCK + 240
    assert np.array_equal(heard[240:], stage.loop(2, first, 4760, 123))
    assert stage.memory.state["late"][0] == 0


def test_many_launches_in_a_row_find_a_voice(stage: Stage) -> None:
    for count in range(40):
        stage.play(count % 6, 3000 + count * 1500)
        stage.hear(1500)
    heard = stage.hear(9000)
    begin = 3000 + 39 * 1500
    late = begin - 40 * 1500
    assert np.array_equal(heard[late:], stage.loop(39 % 6, begin, 9000 - late, begin))


def test_a_flood_on_one_slot_is_told_and_not_heard(stage: Stage) -> None:
    with pytest.raises(Unplayable, match=f"slot 3 has {VOICES} takes"):
        for count in range(VOICES + 1):
            stage.play(count, 5000)
    # The callback takes no commands here, so each launch holds its voice.
    assert np.array_equal(stage.hear(9000)[5000:], stage.loop(VOICES - 1, 5000, 4000, 5000))


def test_the_first_launch_writes_to_all_voices_of_its_slot_and_to_no_other(stage: Stage) -> None:
    # Memory that was never written is not there yet; here it is seen by what it holds.
    stage.memory.takes_SVN[:] = 7.0
    stage.play(0, 1000)
    assert (stage.memory.takes_SVN[3, 1:, :LENGTH] == 0).all()
    assert (stage.memory.takes_SVN[3, :, LENGTH:] == 7).all()
    assert (np.delete(stage.memory.takes_SVN, 3, axis=0) == 7).all()


def test_a_longer_take_leaves_alone_what_sounds(stage: Stage) -> None:
    stage.play(0, 1000)
    stage.hear(2000)
    longer = np.random.default_rng(9).uniform(-0.5, 0.5, 2 * LENGTH).astype(np.float32)
    soundfile.write(stage.folder / "9.wav", longer, RATE_HZ, subtype="FLOAT")
    stage.voices.play(Play(3, str(stage.folder / "9.wav"), 20_200, 20_200, 2 * LENGTH, 1))
    heard = stage.hear(30_000)
    sounds = 20_200 - 2000 - CROSS
    assert np.array_equal(heard[:sounds], stage.loop(0, 2000, sounds, 1000))
    assert np.array_equal(heard[18_200:], longer[:11_800])


def test_gain_and_panic(stage: Stage) -> None:
    stage.play(0, 1000)
    stage.voices.gain(Gain(3, 0.5, 0))
    heard = stage.hear(8000)
    assert np.array_equal(heard[3000:], stage.loop(0, 3000, 5000, 1000) * np.float32(0.5))
    stage.voices.panic(Panic())
    stage.hear(BLOCK)
    assert not stage.hear(5000).any()


# Noise of this height is that many dB loud.
LOUD_DB = 20 * np.log10(0.5 / np.sqrt(3))


def test_a_slot_without_an_aim_plays_its_takes_as_they_are(stage: Stage) -> None:
    stage.play(0, 1000, asked=((0.0, -40.0),))
    assert np.array_equal(stage.hear(9000)[1000:], stage.loop(0, 1000, 8000, 1000))
    assert not any(stage.voices.rides_db())


def test_an_aim_moves_what_plays_and_its_end_lets_go(stage: Stage) -> None:
    stage.play(0, 1000)
    stage.hear(4000)
    stage.voices.aim(Aim(3, ((0.0, LOUD_DB - 6.0),), 5000))
    heard = stage.hear(9000)
    ridden = heard[1000 + CROSS :] / stage.loop(0, 5000 + CROSS, 8000 - CROSS, 1000)
    np.testing.assert_allclose(20 * np.log10(ridden), -6.0, atol=0.5)
    assert stage.voices.rides_db()[3] == pytest.approx(-6.0, abs=0.5)
    assert not any(stage.voices.rides_db()[:3])
    stage.voices.aim(Aim(3, (), 13_000))
    heard = stage.hear(5000)
    assert np.array_equal(heard[CROSS:], stage.loop(0, 13_000 + CROSS, 5000 - CROSS, 1000))
    assert stage.voices.rides_db()[3] == 0.0


def test_a_curve_lies_along_the_beats_of_the_take(stage: Stage) -> None:
    # Twice as long as the take, so that its second half is not heard.
    stage.voices.aim(Aim(3, ((0.0, LOUD_DB), (4.0, LOUD_DB - 8), (8.0, LOUD_DB - 16)), 0))
    stage.play(0, 1000, beats=4.0)
    heard = stage.hear(1000 + LENGTH)[1000:]
    half = heard[LENGTH // 2] / stage.takes[0][LENGTH // 2]
    assert 20 * np.log10(half) == pytest.approx(-4.0, abs=0.5)


def test_at_a_hand_over_each_take_is_moved_by_what_it_lacks(stage: Stage) -> None:
    # The new one was made for the curve, the old one was not: both are heard as loud as wanted.
    wanted: Points = ((0.0, LOUD_DB - 9.0),)
    quiet = stage.takes[1] * np.float32(10 ** (-9 / 20))
    soundfile.write(stage.folder / "1.wav", quiet, RATE_HZ, subtype="FLOAT")
    stage.play(0, 1000)
    stage.voices.aim(Aim(3, wanted, 1000))
    stage.play(1, 1000 + 2 * LENGTH, asked=wanted)
    assert stage.voices.rides_db()[3] == pytest.approx(0.0, abs=0.5)
    heard = stage.hear(1000 + 4 * LENGTH)
    before, after = heard[5000 : 1000 + 2 * LENGTH - CROSS], heard[1000 + 2 * LENGTH :]
    for part in (before, after):
        assert 10 * np.log10(np.mean(part**2)) == pytest.approx(LOUD_DB - 9.0, abs=0.5)
    np.testing.assert_allclose(20 * np.log10(after[:LENGTH] / quiet), 0.0, atol=0.5)


def test_a_take_that_waits_is_aimed_at_too(stage: Stage) -> None:
    stage.play(0, 1000)
    stage.play(1, 1000 + LENGTH)
    stage.hear(2000)
    stage.voices.aim(Aim(3, ((0.0, LOUD_DB - 6.0),), 3000))
    heard = stage.hear(20_000)[1000 + LENGTH - 2000 :]
    ridden = heard[:LENGTH] / stage.takes[1]
    np.testing.assert_allclose(20 * np.log10(ridden), -6.0, atol=0.5)


def test_takes_that_cannot_be_played_say_why(stage: Stage, tmp_path: Path) -> None:
    takes = Takes(RATE_HZ, LENGTH - 1)
    stage.write(7, 44_100)
    for name, words in [
        ("0.wav", "up to 9599 frames"),
        ("7.wav", "has 44100 Hz; allowed: 48000 Hz"),
        ("none.wav", "cannot be read"),
    ]:
        with pytest.raises(Unplayable, match=words):
            takes.get(str(tmp_path / name))


def test_takes_are_read_once_and_the_oldest_forgotten(stage: Stage, tmp_path: Path) -> None:
    takes = Takes(RATE_HZ, LENGTH)
    first = takes.get(str(tmp_path / "0.wav"))
    assert np.array_equal(first.audio_N, stage.takes[0])
    assert takes.get(str(tmp_path / "0.wav")) is first
    for number in range(10, 10 + KEPT_TAKES):
        stage.write(number)
        takes.get(str(tmp_path / f"{number}.wav"))
    assert takes.get(str(tmp_path / "0.wav")) is not first


def test_takes_of_scenes_are_held_however_many_others_come(stage: Stage, tmp_path: Path) -> None:
    takes = Takes(RATE_HZ, LENGTH)
    paths = [str(tmp_path / f"{number}.wav") for number in range(3)]
    missing = str(tmp_path / "none.wav")
    takes.keep([*paths, missing])
    assert all(takes.read_next() for _ in paths)
    with pytest.raises(Unplayable, match=r"none\.wav cannot be read"):
        takes.read_next()
    assert not takes.read_next()
    held = [takes.get(path) for path in paths]
    for number in range(10, 11 + KEPT_TAKES):
        stage.write(number)
        takes.get(str(tmp_path / f"{number}.wav"))
    for path in paths:
        Path(path).unlink()
    assert all(takes.get(path) is audio for path, audio in zip(paths, held, strict=True))
    takes.keep(paths[:1])
    assert not takes.read_next() and takes.get(paths[0]) is held[0]
    with pytest.raises(Unplayable):
        takes.get(paths[1])


def write_open(stage: Stage, seed: int, lead: int) -> Audio:
    """Write a take with its own end, and what leads into it; return both."""
    audio = np.random.default_rng(seed).uniform(-0.5, 0.5, lead + LENGTH).astype(np.float32)
    soundfile.write(stage.folder / f"{seed}.wav", audio, RATE_HZ, subtype="FLOAT")
    return audio


def test_a_take_that_is_continued_ends_as_it_ends_and_leads_in_as_it_was_led_in(
    stage: Stage,
) -> None:
    lead, joint = 1440, 1000 + 2 * LENGTH
    first, second = write_open(stage, 20, lead), write_open(stage, 21, lead)
    stage.voices.play(Play(3, str(stage.folder / "20.wav"), 1000, 1000, LENGTH, 1, frames=LENGTH))
    stage.voices.play(Play(3, str(stage.folder / "21.wav"), joint, joint, LENGTH, 1, frames=LENGTH))
    heard = stage.hear(joint + 3 * LENGTH)
    angle = np.arange(CROSS) / CROSS * np.pi / 2
    # Once it goes round and leads back to its start; then it ends as it was made.
    for begin in (1000, joint):
        loop = first if begin == 1000 else second
        body = heard[begin : begin + LENGTH - lead]
        assert np.array_equal(body, loop[lead:-lead])
        around = heard[begin + LENGTH - lead : begin + LENGTH]
        steps = np.arange(lead) / lead * np.pi / 2
        wanted = loop[-lead:] * np.cos(steps) + loop[:lead] * np.sin(steps)
        # The gains know how alike the two are: noise is hardly alike.
        np.testing.assert_allclose(around, wanted, atol=0.05)
    end = heard[joint - lead : joint]
    assert np.array_equal(end[: lead - CROSS], first[-lead:-CROSS])
    cross = first[-CROSS:] * np.cos(angle) + second[lead - CROSS : lead] * np.sin(angle)
    np.testing.assert_allclose(end[lead - CROSS :], cross, atol=1e-6)
    assert np.array_equal(heard[joint : joint + LENGTH - lead], second[lead:-lead])


def test_a_take_of_another_length_than_its_passes_is_refused(stage: Stage) -> None:
    with pytest.raises(Unplayable, match=r"0\.wav has 9600 frames for passes of 9601"):
        stage.voices.play(Play(3, str(stage.folder / "0.wav"), 0, 0, LENGTH, 1, frames=LENGTH + 1))
