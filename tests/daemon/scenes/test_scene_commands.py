"""`ditto-rt scene`: the commands, as they are typed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from daemon.__main__ import app
from daemon.scenes.folder import SceneFolder
from tests.scene_parts import part, scene, sounds

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = SceneFolder(tmp_path / "home")
    for made in (scene("drop"), scene("verse [2]", part(5, 2))):
        home.save(made, sounds(tmp_path / "takes", made))
    return tmp_path


def runner(folder: Path, name: str = "home") -> Run:
    settings = folder / f"{name}.toml"
    settings.write_text(f'[scenes]\nfolder = "{folder / name}"\n')

    def run(command: str, *words: object) -> Result:
        arguments = ["scene", command, *(str(word) for word in words), "--config", str(settings)]
        return CliRunner().invoke(app, arguments)

    return run


def names(folder: Path, name: str) -> set[str]:
    return set(SceneFolder(folder / name).read().scenes)


def test_list_shows_the_scenes(folder: Path) -> None:
    result = runner(folder)("list")
    assert result.exit_code == 0 and "2 scenes in" in result.output
    assert "drop" in result.output and "verse [2]" in result.output
    assert "0 scenes in" in runner(folder, "new")("list").output


def test_chosen_scenes_travel(folder: Path) -> None:
    file = folder / "set.zip"
    assert "1 scenes are in" in runner(folder)("export", file, "verse [2]").output
    result = runner(folder, "away")("import", file)
    assert result.exit_code == 0 and "1 scenes came in: 'verse [2]'" in result.output
    assert names(folder, "away") == {"verse [2]"}
    assert "2 scenes are in" in runner(folder)("export", file).output


def test_delete_by_name(folder: Path) -> None:
    assert "1 scenes are gone" in runner(folder)("delete", "verse [2]").output
    assert names(folder, "home") == {"drop"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("delete", "x"), "scene 'x' is not there; allowed: 'drop', 'verse [2]'"),
        (("delete", "a\nb"), "allowed: signs that are seen"),
        (("export", "set.zip", "../x"), "scene '../x' is not there"),
        (("import", "none.zip"), "No such file"),
        (("import", "home.toml"), "is no set of scenes"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    folder: Path, words: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    result = runner(folder)(*words)
    assert result.exit_code == 1 and sentence in result.output
    assert "Traceback" not in result.output
    assert names(folder, "home") == {"drop", "verse [2]"}
