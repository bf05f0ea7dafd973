"""`ditto-rt render`: the same job without a daemon, as a user types it."""

import json
import subprocess
import sys
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from daemon.bench.process import environment
from tests.source_tree import ROOT

# What a script may rely on.
REPORT = {
    *("sample_rate", "frames", "seconds", "wall_s", "iterations", "loss", "gain_db"),
    *("intensity", "melody", "structure", "seam", "model", "device"),
}


def render(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    # Home and working folder of the test's own: no settings and no cache of the user's.
    config = folder / "config.toml"
    config.write_text('[engine]\ndevice = "cpu"\nthreads = 1\n[render]\nsearch_steps = 2\n')
    return subprocess.run(
        [sys.executable, "-m", "daemon", "render", *words, "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=ROOT,
        env={**environment(), "HOME": str(folder)},
        check=False,
    )


def melody_file(folder: Path) -> Path:
    midi, track = mido.MidiFile(), mido.MidiTrack()
    for pitch in (60, 67):
        track.append(mido.Message("note_on", note=pitch, time=0))
        track.append(mido.Message("note_off", note=pitch, time=960))
    midi.tracks.append(track)
    midi.save(folder / "tune.mid")
    return folder / "tune.mid"


def test_all_controls_at_once(tmp_path: Path) -> None:
    source = tmp_path / "source.wav"
    sine = 0.3 * np.sin(2 * np.pi * 220 * np.arange(44_100) / 44_100)
    soundfile.write(source, sine.astype(np.float32), 44_100)
    result = render(
        str(tmp_path / "out.wav"),
        *("--tags", "dark techno", "--bpm", "127", "--beats", "4", "--seed", "3"),
        *("--source", str(source), "--start", "0.25", "--end", "1", "--mode", "outpaint"),
        *("--intensity", "0:-30,4:-12", "--melody", str(melody_file(tmp_path))),
        *("--structure", "AB", "--loop", "--steps", "3", "--iterations", "1"),
        *("--report", str(tmp_path / "report.json")),
        folder=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(tmp_path / "out.wav")
    info = soundfile.info(tmp_path / "out.wav")
    assert (info.samplerate, info.subtype) == (48_000, "FLOAT")
    assert info.frames == round(4 * 60 / 127 * 48_000)
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report) >= REPORT
    assert report["frames"] == info.frames and report["model"] == "builtin"
    assert set(report["intensity"]) == {"mse_db2", "correlation", "level_db"}
    assert set(report["melody"]) == {"accuracy"} and set(report["structure"]) == {"mse"}
    assert report["seam"]["ratio"] is not None and len(report["loss"]) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--bpm", "1000"), "bpm is 1000; allowed: 20 to 300 bpm"),
        (("--tags", "dark polka"), "tags have unknown words: polka"),
        (("--source", "/nowhere.wav"), "is no audio that can be read"),
        (("--melody", "/nowhere.mid"), "/nowhere.mid"),
    ],
)
def test_a_mistake_is_told_before_torch_loads(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    result = render(str(tmp_path / "out.wav"), *words, folder=tmp_path)
    assert result.returncode == 1
    assert sentence in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr and not (tmp_path / "out.wav").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = render(str(tmp_path / "none" / "out.wav"), folder=tmp_path)
    assert result.returncode == 1 and "does not exist" in result.stderr
