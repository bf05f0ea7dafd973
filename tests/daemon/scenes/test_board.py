"""Scenes over OSC: saved, recalled on one beat, told to everybody; nothing is played here."""

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from daemon.audio.wire import Clock, Gain, Keep, Opened, Play, Silent, Stop, Trouble
from daemon.bench.osc_bytes import message
from daemon.commands.snapshot import snapshot
from daemon.osc.outbox import Asker
from daemon.playing.stage import RAMP_PARTS
from daemon.scenes.board import Board
from daemon.scenes.bundle import read_bundle, write_bundle
from daemon.scenes.folder import SceneFolder
from daemon.takes.take import file_name
from tests.daemon_office import OTHER, RATE_HZ, SENDER, Bench
from tests.scene_parts import FRAMES, write_sound

BEAT = RATE_HZ // 2
BLOCK = 512


def render(bench: Bench, slot: int) -> None:
    bench.desk.submit(slot, Asker((SENDER,), "/ditto/render"))
    order = bench.rendering()
    bench.finish(order)
    for folder in (order.takes, order.shelf):
        write_sound(Path(folder, file_name(slot, order.version)), 100 * slot + order.version)
    bench.take()


def at(bench: Bench, frame: int) -> None:
    bench.stage.clock = Clock(frame, time.monotonic_ns(), BLOCK, 0, 0)


def answer(bench: Bench, address: str, tags: str = "", *values: object) -> tuple[object, ...]:
    """Return the values behind the request id; a failure's code and sentence."""
    *_, (kind, rest) = bench.send(message(address, tags, *values))
    assert kind in ("/ditto/done", "/ditto/fail"), rest
    return rest[2:]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return an office at frame 0 in which slots 1 and 2 play and slot 3 has a take."""
    made = Bench(tmp_path / "desk")
    made.get_ready()
    made.stage.on_event(Opened("card", RATE_HZ, 2, 0.01))
    for slot in (1, 2, 3):
        made.send(message("/ditto/slot/seed", "ii", slot, 10 + slot))
        render(made, slot)
    at(made, 0)
    for slot in (1, 2):
        answer(made, "/ditto/play", "if", slot, 4.0)
    answer(made, "/ditto/gain", "if", 2, -6.0)
    at(made, 5 * BEAT)
    assert answer(made, "/ditto/scene/save", "s", "verse") == ("verse", 3, 2)
    made.played.clear()
    return made


def orders(bench: Bench, kind: type) -> list[object]:
    return [order for order in bench.played if isinstance(order, kind)]


def test_a_recall_changes_all_slots_on_one_frame(bench: Bench) -> None:
    answer(bench, "/ditto/stop", "if", 1, 0.0)
    answer(bench, "/ditto/gain", "if", 2, 0.0)
    render(bench, 4)
    answer(bench, "/ditto/play", "if", 4, 0.0)
    render(bench, 2)
    answer(bench, "/ditto/slot/seed", "ii", 2, 99)
    at(bench, 9 * BEAT)
    bench.played.clear()
    assert answer(bench, "/ditto/scene/recall", "s", "verse") == ("verse", 2, 12.0)
    when = 12 * BEAT
    plays = {order.slot: order for order in bench.played if isinstance(order, Play)}
    assert set(plays) == {1, 2}
    assert {(order.at, order.origin) for order in plays.values()} == {(when, when)}
    assert orders(bench, Stop) == [Stop(4, when)]
    gains = {order.slot: order for order in bench.played if isinstance(order, Gain)}
    assert set(gains) == {1, 2, 3}, "a slot that is not in the scene keeps its own"
    assert gains[2].gain == pytest.approx(10 ** (-6 / 20)) and gains[1].gain == 1.0
    assert {order.at for order in gains.values()} == {when - RATE_HZ // RAMP_PARTS}
    assert [bench.desk.slots[slot].seed for slot in (1, 2, 3)] == [11, 12, 13]
    assert bench.desk.slots[2].version == 2, "takes go on counting"
    assert bench.stage.state(2) == (2, 1, 2, 1, 12.0)


def test_a_recall_needs_neither_the_takes_nor_the_engine(bench: Bench) -> None:
    for path in bench.folder.rglob("slot*"):
        path.unlink()
    again = Bench(bench.folder)
    again.stage.on_event(Opened("card", RATE_HZ, 2, 0.01))
    at(again, 0)
    assert again.desk.state == "loading" and list(again.desk.takes.all()) == []
    assert answer(again, "/ditto/scene/recall", "sf", "verse", 0.0)[:2] == ("verse", 2)
    played = [order.path for order in again.played if isinstance(order, Play)]
    assert len(played) == 2 and all(Path(path).is_file() for path in played)
    at(again, BEAT)
    assert again.stage.state(1)[1:3] == (1, 1)
    assert answer(again, "/ditto/play", "if", 3, 0.0)[1] == 1, "its take is the slot's"


def test_a_recalled_scene_can_be_saved_again_under_another_name(bench: Bench) -> None:
    for path in bench.folder.rglob("slot*"):
        path.unlink()
    answer(bench, "/ditto/scene/recall", "sf", "verse", 0.0)
    assert answer(bench, "/ditto/scene/save", "s", "chorus") == ("chorus", 3, 2)
    one, two = bench.board.scenes["verse"], bench.board.scenes["chorus"]
    assert one.audio == two.audio
    assert answer(bench, "/ditto/scene/delete", "s", "verse") == ("verse",)
    assert answer(bench, "/ditto/scene/recall", "sf", "chorus", 0.0)[1] == 2


def test_the_tempo_comes_with_the_beat_and_not_before(bench: Bench) -> None:
    answer(bench, "/ditto/transport/tempo", "f", 90.0)
    beat = answer(bench, "/ditto/scene/recall", "s", "verse")[2]
    assert isinstance(beat, float)
    change = bench.board.due()
    assert change
    frame = change.at
    assert frame == bench.stage.transport.frame_of(bench.stage.transport.next_multiple(4, frame))
    bench.board.come()
    assert bench.stage.transport.bpm == 90
    at(bench, frame + 300)
    bench.board.come()
    assert bench.stage.transport.bpm == 120
    assert bench.stage.transport.frame_of(bench.stage.transport.beat) == frame
    # The frame is a whole one.
    assert float(bench.stage.transport.beat) == pytest.approx(beat, abs=1 / BEAT)
    assert bench.board.due() is None


def test_the_beat_is_waited_for(bench: Bench) -> None:
    answer(bench, "/ditto/transport/tempo", "f", 300.0)
    bench.clients.register(SENDER, SENDER[1], "", 0.0)

    async def run() -> None:
        await bench.dispatcher.carry_out(message("/ditto/scene/recall", "sf", "verse", 0.25), OTHER)
        await asyncio.sleep(0.4)

    asyncio.run(run())
    events = [values for address, values in bench.take() if address == "/ditto/scene"]
    assert [values[:3] for values in events] == [("comes", "verse", 2), ("plays", "verse", 2)]
    assert events[0][3] == events[1][3] and bench.stage.transport.bpm == 120


def test_a_scene_whose_beat_was_moved_still_brings_its_tempo(bench: Bench) -> None:
    answer(bench, "/ditto/transport/tempo", "f", 90.0)
    answer(bench, "/ditto/scene/recall", "s", "verse")
    assert bench.board.due()
    bench.clients.register(SENDER, SENDER[1], "", 0.0)
    # Another clock takes over, whose bars lie elsewhere, and one slot is played by hand.
    jumped = bench.stage.transport.moved(bench.stage.now(), 1001.5)
    bench.stage.follow(jumped, jumps=True)
    answer(bench, "/ditto/play", "if", 2, 8.0)
    change = bench.board.due()
    assert change and change.beat is not None and change.beat % 4 == 0 and change.beat > 1001
    bench.take()
    bench.board.come()
    assert bench.take() == [("/ditto/scene", ("comes", "verse", 2, float(change.beat)))]
    at(bench, change.at + 300)
    bench.board.come()
    assert bench.take()[0] == ("/ditto/scene", ("plays", "verse", 2, float(change.beat)))
    assert bench.stage.transport.bpm == 120 and bench.board.due() is None


def test_panic_and_a_later_scene_take_its_place(bench: Bench) -> None:
    answer(bench, "/ditto/transport/tempo", "f", 90.0)
    answer(bench, "/ditto/scene/recall", "s", "verse")
    answer(bench, "/ditto/panic")
    assert bench.board.due() is None
    assert answer(bench, "/ditto/scene/save", "s", "silence") == ("silence", 3, 0)
    answer(bench, "/ditto/play", "if", 1, 0.0)
    bench.played.clear()
    assert answer(bench, "/ditto/scene/recall", "sf", "silence", 0.0)[:2] == ("silence", 0)
    assert {order.slot for order in orders(bench, Stop)} == {1}
    assert bench.stage.transport.bpm == 90, "silence has no tempo"


def test_renders_of_its_slots_are_cancelled(bench: Bench) -> None:
    for slot in (1, 9):
        bench.send(message("/ditto/render", "i", slot))
    found = bench.send(message("/ditto/scene/recall", "s", "verse"))
    assert [values[2] for address, values in found if address == "/ditto/fail"] == ["cancelled"]
    assert bench.desk.line.of(1) is None and bench.desk.line.of(9)


def test_everybody_hears_of_scenes_and_of_their_takes(bench: Bench) -> None:
    bench.clients.register(SENDER, SENDER[1], "", 0.0)
    bench.send(message("/ditto/scene/save", "s", "b"), OTHER)
    bench.send(message("/ditto/scene/recall", "s", "b"), OTHER)
    bench.send(message("/ditto/scene/delete", "s", "b"), OTHER)
    bench.sent.clear()

    async def run() -> None:
        for word in ("save", "recall", "delete"):
            await bench.dispatcher.carry_out(message(f"/ditto/scene/{word}", "s", "b"), OTHER)

    asyncio.run(run())
    found = bench.take()
    states = [values[:2] for address, values in found if address == "/ditto/scene"]
    assert states == [("saved", "b"), ("comes", "b"), ("deleted", "b")]
    takes = [values for address, values in found if address == "/ditto/take"]
    assert [values[:2] for values in takes] == [(1, 1), (2, 1), (3, 1)]
    assert all(Path(str(values[2])).parent.name == "audio" for values in takes)


def test_list_and_status(bench: Bench) -> None:
    answer(bench, "/ditto/scene/save", "s", "Ende \u00fc")
    found = bench.send(message("/ditto/scene/list", "i", 8))
    assert found == [
        ("/ditto/scene/list.reply", ("Ende \u00fc", 3, 2, 120.0, 8)),
        ("/ditto/scene/list.reply", ("verse", 3, 2, 120.0, 8)),
        ("/ditto/done", ("/ditto/scene/list", 8, 2)),
    ]
    answer(bench, "/ditto/scene/recall", "s", "verse")
    shown = snapshot(bench.office, 1.0)
    assert isinstance(shown, dict)
    assert [(each["name"], each["plays"], each["state"]) for each in shown["scenes"]] == [
        ("Ende \u00fc", [1, 2], ""),
        ("verse", [1, 2], "comes"),
    ]


def test_names_as_clients_send_them(bench: Bench) -> None:
    assert answer(bench, "/ditto/scene/save", "ss", "verse", "two")[0] == "verse two"
    assert answer(bench, "/ditto/scene/save", "i", 1)[0] == "1"
    assert answer(bench, "/ditto/scene/recall", "ff", 1.0, 0.0)[0] == "1"
    assert answer(bench, "/ditto/scene/save", "s", "../x")[0] == "../x"
    assert not (bench.folder.parent / "x.json").exists()
    for tags, value, code in (
        ("s", "", "bad_value"),
        ("s", "x" * 81, "bad_value"),
        ("f", 0.5, "bad_type"),
    ):
        assert answer(bench, "/ditto/scene/save", tags, value)[0] == code
    code, sentence = answer(bench, "/ditto/scene/recall", "s", "none")
    assert code == "no_scene" and "allowed: '../x', '1', 'verse', 'verse two'" in str(sentence)
    assert answer(bench, "/ditto/scene/recall", "sf", "verse", -1.0)[0] == "out_of_range"


def test_without_a_device_only_the_slots_are_set(bench: Bench) -> None:
    answer(bench, "/ditto/slot/seed", "ii", 1, 99)
    bench.stage.on_event(Silent("no card"))
    assert answer(bench, "/ditto/scene/recall", "s", "verse") == ("verse", 0, -1.0)
    assert bench.desk.slots[1].seed == 11 and bench.played == []


def test_a_take_of_another_rate_changes_nothing(bench: Bench) -> None:
    bench.stage.choice.rate_hz = 44_100
    answer(bench, "/ditto/slot/seed", "ii", 1, 99)
    bench.played.clear()
    code, sentence = answer(bench, "/ditto/scene/recall", "s", "verse")
    assert code == "bad_value" and "has 48000 Hz; allowed: 44100 Hz" in str(sentence)
    assert bench.played == [] and bench.desk.slots[1].seed == 99


def test_sound_that_is_gone_silences_its_slot_alone(bench: Bench) -> None:
    bench.send(message("/ditto/scene/recall", "sfi", "verse", 0.0, 5))
    bench.stage.on_event(Trouble(1, "take x cannot be read"))
    assert ("/ditto/fail", ("/ditto/scene/recall", 5, "bad_file", "take x cannot be read")) in (
        bench.take()
    )
    assert isinstance(bench.played[-1], Stop) and bench.played[-1].slot == 1
    assert bench.stage.plans[2].changes[-1].loop


def test_the_player_holds_what_fits_the_newest_first(bench: Bench) -> None:
    render(bench, 1)
    answer(bench, "/ditto/scene/save", "s", "new")
    old, new = (bench.board.scenes[name].parts for name in ("verse", "new"))
    folder = SceneFolder(bench.folder / "scenes")

    def held(sounds: int) -> list[str]:
        Board(folder, sounds * FRAMES * 4, bench.desk, bench.stage, bench.endless, bench.outbox)
        keep = bench.played[-1]
        assert isinstance(keep, Keep)
        return [Path(path).stem for path in keep.paths]

    assert held(2) == [part.audio for part in new[:2]]
    assert held(9) == [*(part.audio for part in new), old[0].audio]
    bench.stage.on_event(Opened("card", RATE_HZ, 2, 0.01))
    keep = bench.played[-1]
    assert isinstance(keep, Keep)
    # Then what each slot would play: it is in the scene by its content, and here by its name.
    assert len(keep.paths) == 4 + len({take.slot for take in bench.desk.takes.all()})


def test_what_another_process_does_is_seen(bench: Bench, tmp_path: Path) -> None:
    folder = SceneFolder(bench.folder / "scenes")
    write_bundle(folder, list(folder.read().scenes.values()), tmp_path / "set.zip")
    folder.delete("verse")
    assert answer(bench, "/ditto/scene/recall", "s", "other")[0] == "no_scene"
    assert dict(bench.board.scenes) == {} and bench.played[-1] == Keep(())
    read_bundle(folder, tmp_path / "set.zip")
    assert answer(bench, "/ditto/scene/recall", "s", "verse")[1] == 2


def test_a_disk_that_refuses_is_a_sentence(bench: Bench) -> None:
    shutil.rmtree(bench.folder / "scenes" / "audio")
    (bench.folder / "scenes" / "audio").write_text("no folder")
    code, sentence = answer(bench, "/ditto/scene/save", "s", "b")
    assert code == "disk" and "disk refuses" in str(sentence)
    assert "b" not in bench.board.scenes
