"""`ditto-rt cache`: the commands, as they are typed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from daemon.__main__ import app
from daemon.cache.store import Cache
from tests.cache_entries import entry

PLENTY = 512_000_000
KEYS = [entry(number).request.key for number in range(100, 103)]

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cache = Cache(tmp_path / "cache", PLENTY)
    for number in range(100, 103):
        cache.keep(entry(number))
    cache.close()
    return tmp_path


def runner(folder: Path, name: str = "cache") -> Run:
    settings = folder / f"{name}.toml"
    settings.write_text(f'[cache]\nfolder = "{folder / name}"\n')

    def run(command: str, *words: object) -> Result:
        arguments = ["cache", command, *(str(word) for word in words), "--config", str(settings)]
        return CliRunner().invoke(app, arguments)

    return run


def held(folder: Path, name: str = "cache") -> dict[str, bool]:
    cache = Cache(folder / name, PLENTY)
    found = {row.key: row.pinned for row in cache.entries()}
    cache.close()
    return found


def test_list_shows_what_was_asked_and_how_full_it_is(folder: Path) -> None:
    result = runner(folder)("list")
    assert result.exit_code == 0
    for key, seed in zip(KEYS, (100, 101, 102), strict=True):
        assert key[:8] in result.output and f"8 beats at 120 bpm, seed {seed}" in result.output
    assert "3 entries, 0.1 of 512 MB" in result.output


def test_an_empty_cache_can_be_listed(tmp_path: Path) -> None:
    result = runner(tmp_path)("list")
    assert result.exit_code == 0 and "0 entries" in result.output


def test_pin_and_unpin_by_the_first_digits(folder: Path) -> None:
    run = runner(folder)
    assert run("pin", KEYS[0][:8], KEYS[2]).exit_code == 0
    assert held(folder) == {KEYS[0]: True, KEYS[1]: False, KEYS[2]: True}
    assert run("list").output.count("pinned") == 3
    assert run("unpin", KEYS[0][:8]).exit_code == 0
    assert run("clear").output == "2 entries are gone\n"
    assert held(folder) == {KEYS[2]: True}
    assert run("clear", "--pinned").exit_code == 0 and held(folder) == {}


def test_what_fits_no_entry_or_several_is_told(folder: Path) -> None:
    for word, count in (("zz", 0), ("", 3)):
        result = runner(folder)("pin", word)
        assert result.exit_code == 1
        assert f"entry '{word}' fits {count} of 3 entries" in result.stderr
    assert not any(held(folder).values())


def test_a_set_travels_to_another_cache(folder: Path) -> None:
    there = runner(folder, "there")
    assert runner(folder)("export", folder / "set.zip", KEYS[0], KEYS[1]).exit_code == 0
    assert there("import", folder / "set.zip").output == "2 entries came in\n"
    assert set(held(folder, "there")) == set(KEYS[:2])
    assert runner(folder)("export", folder / "all.zip").exit_code == 0
    there("import", folder / "all.zip")
    assert set(held(folder, "there")) == set(KEYS)


@pytest.mark.parametrize("what", ["none.zip", "cache.toml"])
def test_a_set_that_is_none_is_told(folder: Path, what: str) -> None:
    result = runner(folder)("import", folder / what)
    assert result.exit_code == 1 and what in result.stderr and "Traceback" not in result.stderr


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    result = runner(tmp_path)("list")
    assert result.exit_code == 1 and str(tmp_path / "cache") in result.stderr
