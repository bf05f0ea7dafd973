"""config.toml: defaults equal the file, and each mistake is named with what is allowed."""

import tomllib
from pathlib import Path

import pytest

from daemon.config import Config, expand, load
from daemon.errors import ConfigError
from ditto_rt.spec import Quality
from tests.source_tree import ROOT

FILE = ROOT / "config.toml"


def written(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_file_holds_the_defaults() -> None:
    assert load(FILE) == Config()


def test_the_file_holds_every_setting_with_a_comment() -> None:
    held = tomllib.loads(FILE.read_text("utf-8"))
    wanted = {name: set(type(section).model_fields) for name, section in Config()}
    assert {section: set(keys) for section, keys in held.items()} == wanted
    settings = [line for line in FILE.read_text("utf-8").splitlines() if " = " in line]
    assert len(settings) == sum(len(keys) for keys in wanted.values())
    bare = [line for line in settings if "#" not in line]
    assert bare == []


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None) == Config()


def test_the_file_in_the_working_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text("[osc]\nport = 9001\n")
    monkeypatch.chdir(tmp_path)
    assert load(None).osc.port == 9001


def test_default_quality_is_the_librarys() -> None:
    assert Config().render.quality() == Quality()


def test_settings_reach_the_quality(tmp_path: Path) -> None:
    text = (
        "[render]\nsteps = 8\niterations = 3\nguidance = 1\n"
        "optimiser = 'adam'\nsampler = 'dpmpp_2m'\n"
    )
    quality = load(written(tmp_path, text)).render.quality()
    assert (quality.steps, quality.iterations, quality.sampler) == (8, 3, "dpmpp_2m")
    assert (quality.optimiser, quality.rate) == ("adam", 0.05)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[osc]\nprot = 1", "key osc.prot is not known; allowed: host, port, "),
        ("[sound]\nrate = 1", "key sound is not known; allowed: osc, http, paths, "),
        ("[osc]\nport = 0", "osc.port is 0; allowed: 1 to 65535"),
        ("[osc]\nport = 70000", "osc.port is 70000; allowed: 1 to 65535"),
        ("[osc]\nport = 'x'", "osc.port is 'x'; allowed: a valid integer"),
        ("[osc]\nnotify_expiry_s = nan", "osc.notify_expiry_s is nan; allowed: 1 to 86400 s"),
        ("[audio]\nrate_hz = 1", "audio.rate_hz is 1; allowed: 8000 to 192000 Hz"),
        ("[engine]\ndevice = 'tpu'", "engine.device is 'tpu'; allowed: 'auto', 'cuda', "),
        ("[render]\nguidance = 0.5", "render.guidance is 0.5; allowed: 1 to 4"),
        ("[render]\noptimiser = 'sgd'", "render.optimiser is 'sgd'; allowed: 'adam' or 'lbfgs'"),
        ("[render]\niterations = -2", "render.iterations is -2; allowed: -1 to 1000"),
        ("[paths]\nroots = [1]", "paths.roots.0 is 1; allowed: a valid string"),
        ("[paths]\ntakes_folder = '/" + "x" * 900 + "'", "paths.takes_folder is longer than 800"),
        ("osc = 3", "osc is 3; allowed:"),
        ("[osc", "is no TOML file"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text))
    assert sentence in str(caught.value)
    assert "my.toml" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.toml")


def test_expand_follows_home_and_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert expand("~/link/takes") == tmp_path.resolve() / "real" / "takes"
