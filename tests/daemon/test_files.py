"""Files: whole or not at all."""

import json
import math
import resource
from pathlib import Path

import numpy as np
import pytest
import soundfile

from daemon.files import finite, whole, write_json, write_wav


def test_a_wav_is_32_bit_float_and_exact(tmp_path: Path) -> None:
    audio = np.random.default_rng(1).uniform(-1, 1, 1000).astype(np.float32)
    write_wav(audio, 48_000, tmp_path / "a.wav")
    info = soundfile.info(tmp_path / "a.wav")
    assert (info.format, info.subtype, info.samplerate) == ("WAV", "FLOAT", 48_000)
    read, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert np.array_equal(read, audio)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json({"a": 1}, path)

    def fail() -> None:
        with whole(path) as part:
            part.write_text("half")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        fail()
    assert json.loads(path.read_text()) == {"a": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_wav(np.zeros(4, np.float32), 48_000, tmp_path / "none" / "a.wav")


def test_a_disk_that_takes_no_more_says_so_and_holds_nothing_half(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_wav(np.zeros(4000, np.float32), 48_000, tmp_path / "a.wav")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_json_has_no_word_for_nan(tmp_path: Path) -> None:
    write_json({"a": math.nan, "b": [1.5, math.inf], "c": ("x", None, True)}, tmp_path / "a.json")
    held = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    assert held == {"a": None, "b": [1.5, None], "c": ["x", None, True]}
    assert finite(3) == 3
