"""ditto.pd and ditto_loop.pd in a real Pure Data: what is sent, what is loaded, what is heard."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from daemon.osc.arguments import read_call
from daemon.protocol.messages import COMMANDS
from tests.max_patches.pd import RATE_HZ, client, play

EVERYTHING = (
    "ditto-slot 3; ditto-tags dark techno; ditto-tempo 120 8; ditto-seed 7; "
    "ditto-region /tmp/some.wav 0 1.5 loop; ditto-intensity 0 -30 4 -12 8 -20; "
    "ditto-automation 2.5 -20; "
    "ditto-melody 60 0 2 63 2 2.5; ditto-structure AABA; ditto-loop 0.5; "
    "ditto-clear melody; ditto-scene-save verse two; ditto-scene 1; ditto-render bang; "
    "ditto-cancel bang"
)


@pytest.fixture(autouse=True)
def pure_data(program: Callable[[str], str]) -> None:
    program("pd")


def _take(path: Path, frames: int, seed: int) -> np.ndarray:
    sound = np.random.default_rng(seed).uniform(-0.9, 0.9, frames).astype(np.float32)
    soundfile.write(path, sound, RATE_HZ, subtype="FLOAT")
    return sound


def _place(heard: np.ndarray, take: np.ndarray) -> int:
    """Return where in the take the recording begins; every sample must be the take's own."""
    (starts,) = np.nonzero(take == heard[0])
    assert len(starts) == 1
    wanted = take[(starts[0] + np.arange(len(heard))) % len(take)]
    np.testing.assert_array_equal(heard, wanted)
    return int(starts[0])


def test_what_is_sent_is_what_the_daemon_takes(tmp_path: Path) -> None:
    with client(tmp_path, EVERYTHING) as pd:
        sent = pd.receive(until="/ditto/cancel")
        port = pd.port
    assert sent == [
        ("/ditto/notify", [1, port, "pd"]),
        ("/ditto/slot/tags", [3, "dark techno"]),
        ("/ditto/slot/tempo", [3, 120.0, 8.0]),
        ("/ditto/slot/seed", [3, 7]),
        ("/ditto/slot/region", [3, "/tmp/some.wav", 0.0, 1.5, "loop"]),
        ("/ditto/slot/intensity", [3, 0.0, -30.0, 4.0, -12.0, 8.0, -20.0]),
        ("/ditto/automation", [3, 2.5, -20.0]),
        ("/ditto/slot/melody", [3, 60, 0.0, 2.0, 63, 2.0, 2.5]),
        ("/ditto/slot/structure", [3, "AABA"]),
        ("/ditto/slot/loop", [3, 0.5]),
        ("/ditto/slot/clear", [3, "melody"]),
        ("/ditto/scene/save", ["verse two"]),
        ("/ditto/scene/recall", ["1"]),
        ("/ditto/render", [3]),
        ("/ditto/cancel", [3]),
    ]
    for address, values in sent:
        assert read_call(COMMANDS[address], values).reqid is None
        kinds = {"int": int, "float": float, "text": str}
        for arg, value in zip(COMMANDS[address].args, values, strict=False):
            assert type(value) is kinds[arg.kind], (address, arg.name)


def test_takes_of_its_slot_are_loaded_and_played(tmp_path: Path) -> None:
    own, other = tmp_path / "own.wav", tmp_path / "other.wav"
    _take(own, 96_000, 1)
    _take(other, 48_000, 2)
    with client(tmp_path, "ditto-slot 3") as pd:
        pd.receive(until="/ditto/notify")
        pd.send("/ditto/progress", 3, 0.5, 0.25)
        pd.send("/ditto/take", 2, 1, str(other), 48_000, RATE_HZ, 0.5, 1, 2.0, -1.0, -1.0)
        pd.send("/ditto/take", 3, 1, str(own), 96_000, RATE_HZ, 0.5, 0, 2.0, -1.0, -1.0)
        printed = pd.wait_for("swapped")
    assert "ditto: loaded 96000 48000" in printed
    assert "loaded 48000" not in printed
    assert "error" not in printed


def test_a_failure_is_shown(tmp_path: Path) -> None:
    with client(tmp_path, "ditto-slot 3") as pd:
        pd.receive(until="/ditto/notify")
        pd.send("/ditto/fail", "/ditto/slot/seed", -1, "out_of_range", "seed is -1")
        pd.wait_for("ditto: fail /ditto/slot/seed -1 out_of_range seed\\ is\\ -1")


def test_a_rate_that_does_not_fit_is_told(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    _take(path, 48_000, 1)
    with client(tmp_path, "ditto-slot 0", rate_hz=44_100) as pd:
        pd.receive(until="/ditto/notify")
        pd.send("/ditto/take", 0, 1, str(path), 48_000, RATE_HZ, 0.5, 1, 2.0, -1.0, -1.0)
        pd.wait_for("ditto: wrong_rate")


def test_it_registers_again_so_that_a_daemon_may_come_later(tmp_path: Path) -> None:
    with client(tmp_path, "ditto-slot 0") as pd:
        pd.receive(until="/ditto/notify")
        again = pd.receive(until="/ditto/status")
        assert ("/ditto/notify", [1, pd.port, "pd"]) in again


@pytest.mark.parametrize("frames", [96_000, 100_003])
def test_a_loop_repeats_on_the_exact_sample(tmp_path: Path, frames: int) -> None:
    take = _take(tmp_path / "take.wav", frames, 1)
    recording, printed = play(tmp_path, 21.0, [(0.1, tmp_path / "take.wav")])
    heard, _ = soundfile.read(recording, dtype="float32")
    assert f"news: loaded {frames} {RATE_HZ}" in printed
    _place(heard[RATE_HZ:], take)


def test_a_new_take_comes_in_where_the_old_one_ends(tmp_path: Path) -> None:
    first, second = _take(tmp_path / "a.wav", 60_001, 1), _take(tmp_path / "b.wav", 60_001, 2)
    loads = [(0.1, tmp_path / "a.wav"), (3.0, tmp_path / "b.wav")]
    recording, printed = play(tmp_path, 8.0, loads)
    heard, _ = soundfile.read(recording, dtype="float32")
    before, after = RATE_HZ, 6 * RATE_HZ
    steps = after - before
    start = _place(heard[before : 3 * RATE_HZ], first)
    # The place in the loop goes on over the exchange, to the sample.
    assert _place(heard[after:], second) == (start + steps) % len(first)
    assert printed.count("swapped") == 2


def test_a_take_of_another_length_is_exact_too(tmp_path: Path) -> None:
    first, second = _take(tmp_path / "a.wav", 50_000, 1), _take(tmp_path / "b.wav", 77_777, 2)
    loads = [(0.1, tmp_path / "a.wav"), (3.0, tmp_path / "b.wav")]
    recording, _ = play(tmp_path, 9.0, loads)
    heard, _ = soundfile.read(recording, dtype="float32")
    _place(heard[RATE_HZ : 3 * RATE_HZ], first)
    _place(heard[6 * RATE_HZ :], second)


def test_a_missing_file_leaves_the_take_alone(tmp_path: Path) -> None:
    take = _take(tmp_path / "a.wav", 50_000, 1)
    loads = [(0.1, tmp_path / "a.wav"), (2.0, tmp_path / "missing.wav")]
    recording, printed = play(tmp_path, 5.0, loads)
    heard, _ = soundfile.read(recording, dtype="float32")
    assert printed.count("loaded") == 1
    _place(heard[RATE_HZ:], take)
