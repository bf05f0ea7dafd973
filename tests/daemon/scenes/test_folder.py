"""Scenes on disk: whole or not there, and nobody else's file is touched."""

import errno
import logging
import multiprocessing
import os
from pathlib import Path

import pytest

from daemon.errors import Refusal
from daemon.scenes import folder as module
from daemon.scenes.folder import SceneFolder
from daemon.scenes.scene import Scene, key_of
from ditto_rt.spec import Job, Region
from tests.scene_parts import part, scene, sounds


@pytest.fixture
def folder(tmp_path: Path) -> SceneFolder:
    return SceneFolder(tmp_path / "scenes")


def save(folder: SceneFolder, made: Scene) -> Scene:
    return folder.save(made, sounds(folder.folder.parent / "takes", made))


def sound_files(folder: SceneFolder) -> set[str]:
    return {path.stem for path in (folder.folder / "audio").iterdir()}


def test_a_scene_comes_back_and_outlives_its_takes(folder: SceneFolder) -> None:
    kept = save(folder, scene("drop"))
    bytes_of = {part.slot: folder.audio_path(part.audio or "").read_bytes() for part in kept.parts}
    for path in (folder.folder.parent / "takes").iterdir():
        path.unlink()
    again = SceneFolder(folder.folder).read()
    assert again.scenes == {"drop": kept} and again.unreadable == 0
    for each in kept.parts:
        assert folder.audio_path(each.audio or "").read_bytes() == bytes_of[each.slot]


def test_sound_costs_nothing_while_the_take_is_there(folder: SceneFolder) -> None:
    kept = save(folder, scene("drop"))
    assert all(folder.audio_path(part.audio or "").stat().st_nlink == 2 for part in kept.parts)


def test_a_disk_that_knows_no_links_gets_a_copy(
    folder: SceneFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", no_link)
    kept = save(folder, scene("drop"))
    assert folder.audio_path(kept.parts[0].audio or "").stat().st_nlink == 1
    assert sound_files(folder) == set(kept.audio)


def test_a_new_scene_takes_the_place_of_one_with_its_name(folder: SceneFolder) -> None:
    save(folder, scene("drop"))
    kept = save(folder, scene("drop", part(5, 2)))
    assert folder.read().scenes == {"drop": kept}
    assert sound_files(folder) == set(kept.audio), "what nobody needs is gone"


def test_shared_sound_stays_until_the_last_scene_goes(folder: SceneFolder) -> None:
    one, two = save(folder, scene("one")), save(folder, scene("two"))
    assert one.audio == two.audio
    folder.delete("one")
    assert sound_files(folder) == set(two.audio)
    folder.delete("two")
    assert sound_files(folder) == set() and folder.read().scenes == {}
    with pytest.raises(Refusal, match="scene 'two' is not there; allowed: a name that was saved"):
        folder.delete("two")


def test_a_take_that_is_gone(folder: SceneFolder, caplog: pytest.LogCaptureFixture) -> None:
    silent = scene("drop", part(0, 1), part(3, 7, plays=False))
    files = sounds(folder.folder.parent / "takes", silent)
    files[3].unlink()
    kept = folder.save(silent, files)
    assert kept.parts[1].take is None and kept.parts[1].controls == silent.parts[1].controls
    assert "take 7 of slot 3 has no file any more" in caplog.text
    files[0].unlink()
    with pytest.raises(Refusal, match="take 1 of slot 0 has no file any more"):
        folder.save(silent, files)
    assert folder.read().scenes == {"drop": kept}, "the one before is still there"


def test_a_disk_that_is_full_leaves_what_was_there(
    folder: SceneFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = save(folder, scene("drop"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(os, "link", full)
    files = {0: next((folder.folder.parent / "takes").glob("slot03*"))}
    with pytest.raises(OSError, match="No space"):
        folder.save(scene("drop", part(0, 9)), files)
    monkeypatch.undo()
    assert SceneFolder(folder.folder).read().scenes == {"drop": before}
    assert not [path for path in folder.folder.rglob("*") if path.name.endswith(".part")]


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"format": 2}', b"[" * 100_000, b'"' + b"x" * 2000 + b'"'],
)
def test_a_damaged_scene_is_told_once_and_the_others_go_on(
    folder: SceneFolder, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    kept = save(folder, scene("good"))
    save(folder, scene("bad", part(5, 2)))
    (folder.folder / f"{key_of('bad')}.json").write_bytes(damage)
    caplog.set_level(logging.WARNING)
    found = [SceneFolder(folder.folder), folder]
    for each in found:
        for _ in range(3):
            assert each.read().scenes == {"good": kept} and each.read().unreadable == 1
    assert len(caplog.records) == len(found)
    assert max(len(record.getMessage()) for record in caplog.records) < 400
    folder.delete("good")
    assert len(sound_files(folder)) == 3, "nobody knows what the damaged one needs"


def test_a_scene_under_another_name_is_none(folder: SceneFolder) -> None:
    save(folder, scene("one"))
    (folder.folder / f"{key_of('one')}.json").rename(folder.folder / f"{key_of('two')}.json")
    assert folder.read().scenes == {}


def test_other_files_are_left_alone(folder: SceneFolder) -> None:
    strangers = [folder.folder / "notes.txt", folder.folder / "audio" / "mine.wav"]
    for path in strangers:
        path.write_text("mine")
    (folder.folder / f".{key_of('x')}.json.part").write_text("half")
    (folder.folder / "audio" / f".{'0' * 64}.wav.part").write_text("half")
    save(folder, scene("one"))
    folder.delete("one")
    assert all(path.read_text() == "mine" for path in strangers)
    assert not [path for path in folder.folder.rglob("*") if path.name.endswith(".part")]


def test_regions_outside_the_allowed_folders_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inside, outside = (
        Region(path=str(path), start_s=0, end_s=1, mode="vary")
        for path in (tmp_path / "mine.wav", Path("/etc/passwd"))
    )
    link = tmp_path / "link.wav"
    link.symlink_to("/etc/passwd")
    linked = outside.model_copy(update={"path": str(link)})
    parts = [
        part(slot).model_copy(update={"controls": Job(region=region)})
        for slot, region in enumerate((inside, outside, linked))
    ]
    folder = SceneFolder(tmp_path / "scenes", (tmp_path.resolve(),))
    save(folder, scene("one", *parts))
    found = folder.read().scenes["one"]
    assert [each.controls.region for each in found.parts] == [inside, None, None]
    assert "outside the allowed folders" in caplog.text


def test_there_is_an_end_to_scenes(folder: SceneFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    save(folder, scene("one"))
    monkeypatch.setattr(module, "SCENES", module.SCENES.__class__(0, 1, "scenes"))
    save(folder, scene("one"))
    with pytest.raises(Refusal, match="there are 1 scenes already; allowed: 0 to 1 scenes"):
        save(folder, scene("two"))


def _hold(
    path: Path, held: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event"
) -> None:
    with SceneFolder(path).changing():
        held.set()
        done.wait(20)


def test_two_processes_take_turns(folder: SceneFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(folder.folder, held, done))
    other.start()
    try:
        assert held.wait(20)
        monkeypatch.setattr(module, "LOCK_PATIENCE_S", 0.05)
        with pytest.raises(Refusal, match="is in use by another process"):
            save(folder, scene("one"))
    finally:
        done.set()
        other.join(20)
    monkeypatch.undo()
    save(folder, scene("one"))
