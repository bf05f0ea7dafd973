"""The page in a real browser, fed by the real snapshot of a control process without an engine."""

import asyncio
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.audio.wire import Opened
from daemon.bench.osc_bytes import message
from daemon.commands.snapshot import MOST_NOTES, MOST_POINTS, MOST_SCENES, MOST_TAKES, snapshot
from daemon.engine.wire import Finished, Published
from daemon.osc.outbox import Asker
from daemon.processes.child import Died
from daemon.takes.slots import SLOTS, changed
from daemon.web import application, start
from ditto_rt.spec import Intensity, IntensityReport, Melody, Note, Point
from tests.daemon_office import RATE_HZ, SENDER, Bench, report
from tests.scene_parts import scene

LEVEL_DB = tuple(-30.0 + place / 3 for place in range(48))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.get_ready()
    return made


def render(bench: Bench, slot: int) -> None:
    """Let the engine make a take of what is set, with a measured level."""
    bench.desk.submit(slot, Asker((SENDER,), "/ditto/render"))
    order = bench.rendering()
    figures = IntensityReport(mse_db2=4.0, correlation=0.9, level_db=LEVEL_DB)
    made = report().model_copy(update={"intensity": figures, "gain_db": -5.24})
    bench.desk.on_event(Published(id=order.id, version=order.version, report=made))
    bench.desk.on_event(Finished(id=order.id))


def shown(program: Callable[[str], str], state: object, folder: Path) -> str:
    """Return the page as Chromium has it after some seconds."""
    chromium = program("chromium")

    async def main() -> str:
        app = application((folder,), lambda: state, lambda: b"", "127.0.0.1")
        runner = await start(app, "127.0.0.1", 0)
        try:
            browser = await asyncio.create_subprocess_exec(
                chromium,
                *("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=1500"),
                *(f"--user-data-dir={folder / 'browser'}", "--dump-dom"),
                f"http://127.0.0.1:{runner.addresses[0][1]}/",
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            output, _ = await asyncio.wait_for(browser.communicate(), 90)
            return output.decode()
        finally:
            await runner.cleanup()

    whole = asyncio.run(main())
    return re.sub(r"<(script|style)>.*?</\1>", "", whole, flags=re.DOTALL)


def words(html: str) -> str:
    """Return what can be read."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_a_slot_that_plays(bench: Bench, program: Callable[[str], str], tmp_path: Path) -> None:
    bench.stage.on_event(Opened("system", RATE_HZ, 2, 0.01))
    bench.send(message("/ditto/slot/tags", "is", 3, "dark techno"))
    bench.send(message("/ditto/slot/intensity", "iffff", 3, 0.0, -30.0, 8.0, -12.0))
    render(bench, 3)
    bench.send(message("/ditto/gain", "if", 3, -6.0))
    bench.send(message("/ditto/play", "if", 3, 0.0))
    bench.desk.submit(3, Asker((SENDER,), "/ditto/render"))
    bench.desk.on_event(Died("was killed by signal 9"))
    html = shown(program, snapshot(bench.office, 1.0), tmp_path)
    text = words(html)
    for part in ("120 bpm", "own clock", "dark techno", "take 1", "-6 dB", "sound on"):
        assert part in text, part
    assert "loudness off by 2.0 dB" in text and "turned down by 5.2 dB" in text
    assert "waits for its turn" in text
    assert 'aria-label="loudness along the loop: asked, reached"' in html
    assert "the engine was killed by signal 9 while it rendered slot 3; it is coming back" in text
    assert 'src="takes/slot03_v0001.wav"' in html
    assert '<section id="first" hidden' in html


def test_the_first_use_says_what_to_type(
    bench: Bench, program: Callable[[str], str], tmp_path: Path
) -> None:
    html = shown(program, snapshot(bench.office, 1.0), tmp_path)
    assert re.search(r'<section id="first">', html)
    assert '.venv/bin/ditto-rt send /ditto/slot/tags 0 "dark techno"' in html
    assert "Nothing can be heard yet: the sound is starting." in html


def test_what_a_client_named_is_text(
    bench: Bench, program: Callable[[str], str], tmp_path: Path
) -> None:
    state = json.loads(json.dumps(snapshot(bench.office, 1.0)))
    name = "<img src=x onerror=alert(1)>" + "long" * 13
    state["scenes"] = [
        {"name": name, "slots": [0], "plays": [0], "bpm": 120.0, "state": "plays", "beat": 8.0}
    ]
    html = shown(program, state, tmp_path)
    assert "&lt;img src=x onerror" in html and "<img" not in html


def test_without_an_answer_it_says_so(program: Callable[[str], str], tmp_path: Path) -> None:
    # No state that the page could show: as good as none.
    html = shown(program, {}, tmp_path)
    assert 'class="gone"' in html and "The daemon does not answer" in html


def test_the_status_stays_small(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    points = tuple(Point(beat=8 * n / 5000, db=-20.0 - n % 7) for n in range(5000))
    notes = tuple(Note(pitch=60, beat=n / 1000, beats=0.01) for n in range(8000))
    for slot in range(SLOTS):
        curve, melody = Intensity(points=points), Melody(notes=notes)
        bench.desk.slots[slot] = changed(bench.desk.slots[slot], intensity=curve, melody=melody)
        for _ in range(3):
            render(bench, slot)
    scenes = {f"{n:04d}": scene(f"{n:04d}") for n in range(1000)}
    monkeypatch.setattr(type(bench.board), "scenes", property(lambda _: scenes))
    state = json.loads(json.dumps(snapshot(bench.office, 1.0)))
    assert len(state["slots"]) == SLOTS and state["takes_count"] == 3 * SLOTS
    assert len(state["takes"]) == MOST_TAKES and state["takes"][0]["slot"] == SLOTS - 1
    assert len(state["scenes"]) == MOST_SCENES and state["scenes_count"] == 1000
    asked = state["slots"][0]["asked"]
    assert len(asked["intensity"]["points"]) == MOST_POINTS
    assert len(asked["melody"]["notes"]) == MOST_NOTES
    assert state["slots"][0]["take"]["level_db"] == list(LEVEL_DB)
    assert len(json.dumps(state)) < 600_000
