"""Scenes on their way to another machine: whole, and no stranger's file gets anywhere."""

import random
import zipfile
from pathlib import Path

import pytest

from daemon.errors import Refusal
from daemon.scenes.bundle import MEMBER_BYTES, Imported, read_bundle, write_bundle
from daemon.scenes.folder import SceneFolder
from daemon.scenes.scene import Scene
from tests.scene_parts import part, scene, sounds


@pytest.fixture
def home(tmp_path: Path) -> SceneFolder:
    folder = SceneFolder(tmp_path / "home")
    for made in (scene("drop"), scene("../x", part(5, 2))):
        folder.save(made, sounds(tmp_path / "takes", made))
    return folder


@pytest.fixture
def away(tmp_path: Path) -> SceneFolder:
    return SceneFolder(tmp_path / "away")


def scenes(folder: SceneFolder) -> list[Scene]:
    return list(folder.read().scenes.values())


@pytest.fixture
def sent(home: SceneFolder, tmp_path: Path) -> Path:
    write_bundle(home, scenes(home), tmp_path / "set.zip")
    return tmp_path / "set.zip"


def members(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def test_scenes_travel_with_their_sound(home: SceneFolder, away: SceneFolder, sent: Path) -> None:
    found = read_bundle(away, sent)
    assert set(found.names) == {"drop", "../x"} and found.damaged == 0
    assert away.read().scenes == home.read().scenes
    for each in scenes(home):
        for digest in each.audio:
            assert away.audio_path(digest).read_bytes() == home.audio_path(digest).read_bytes()
    assert set(read_bundle(away, sent).names) == {"drop", "../x"}


def test_a_scene_that_lost_its_sound_is_not_sent(home: SceneFolder, tmp_path: Path) -> None:
    drop = home.read().scenes["drop"]
    home.audio_path(sorted(drop.audio)[0]).unlink()
    with pytest.raises(Refusal, match="scene 'drop' has lost its sound"):
        write_bundle(home, [drop], tmp_path / "set.zip")
    assert not (tmp_path / "set.zip").exists()


@pytest.mark.parametrize(
    "name",
    ["../{}", "/{}", "folder/{}", "..\\{}", "{}\n", "{}\0.txt", "{}.part", "x{}", "scene.json", ""],
)
def test_a_strange_name_refuses_the_whole_set(
    away: SceneFolder, sent: Path, tmp_path: Path, name: str
) -> None:
    good = contents(sent)
    before = sorted(tmp_path.rglob("*"))
    with zipfile.ZipFile(sent, "w") as made:
        for each, data in good.items():
            made.writestr(each, data)
        info = zipfile.ZipInfo("x")
        info.filename = info.orig_filename = name.format("0" * 64 + ".json")
        made.writestr(info, b"{}")
    with pytest.raises(Refusal, match="has a member .*allowed: 64 hex digits and .json or .wav"):
        read_bundle(away, sent)
    assert sorted(tmp_path.rglob("*")) == before and scenes(away) == []


def test_what_is_damaged_is_left_out_and_the_rest_comes_in(
    home: SceneFolder, away: SceneFolder, sent: Path, tmp_path: Path
) -> None:
    drop, other = home.read().scenes["drop"], home.read().scenes["../x"]
    good, digest = contents(sent), sorted(drop.audio)[0]
    wrong = [
        {f"{digest}.wav": good[f"{digest}.wav"][:-1]},
        {f"{digest}.wav": good[f"{sorted(other.audio)[0]}.wav"]},
        {f"{drop.key}.json": good[f"{other.key}.json"]},
        {f"{drop.key}.json": b"{"},
    ]
    for change in wrong:
        found = read_bundle(away, members(tmp_path / "bad.zip", {**good, **change}))
        assert found == Imported(("../x",), 1), change
    without = {name: data for name, data in good.items() if name != f"{digest}.wav"}
    assert read_bundle(away, members(tmp_path / "bad.zip", without)).damaged == 1
    assert away.read().scenes == {"../x": other}
    assert {path.stem for path in (away.folder / "audio").iterdir()} == set(other.audio)


def test_a_member_that_would_fill_the_disk_is_refused(away: SceneFolder, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(f"{'0' * 64}.wav", bytes(MEMBER_BYTES + 1))
    with pytest.raises(Refusal, match=f"allowed: {MEMBER_BYTES} bytes"):
        read_bundle(away, path)


def test_no_mutation_of_a_set_does_harm(away: SceneFolder, sent: Path, tmp_path: Path) -> None:
    draw, whole = random.Random(4), sent.read_bytes()
    before = {path for path in tmp_path.rglob("*") if "away" not in path.parts}
    good = set()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            data[draw.randrange(len(data) - 700 if draw.random() < 0.2 else 0, len(data))] = (
                draw.randrange(256)
            )
        sent.write_bytes(data)
        try:
            good |= set(read_bundle(away, sent).names)
        except (Refusal, OSError):
            continue
    assert {path for path in tmp_path.rglob("*") if "away" not in path.parts} == before
    found = away.read()
    assert set(found.scenes) == good <= {"drop", "../x"} and found.unreadable == 0
    for each in found.scenes.values():
        assert all(away.audio_path(digest).is_file() for digest in each.audio)


def test_what_is_no_zip_is_told_in_a_sentence(away: SceneFolder, tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(b"RIFF" * 100)
    with pytest.raises(Refusal, match="is no set of scenes"):
        read_bundle(away, tmp_path / "set.zip")
