"""The Max patch and the device, as far as they can be checked without Max."""

import itertools
import json
import re

import pytest

from tests.max_patches.maxfile import (
    FOLDER,
    PATCHES,
    SIGNAL_INLETS,
    TABLE,
    Patcher,
    device_parts,
    expected_ports,
    kind,
    read,
    signal_outlets,
)

DEVICE_HEIGHT = 169


@pytest.fixture(params=PATCHES)
def patcher(request: pytest.FixtureRequest) -> Patcher:
    return read(request.param)


def test_ids_are_unique(patcher: Patcher) -> None:
    assert len(patcher.ids) == len(set(patcher.ids)) > 100


def test_cords_join_ports_that_exist(patcher: Patcher) -> None:
    for cord in patcher.cords:
        assert cord.outlet < patcher.boxes[cord.source]["numoutlets"], patcher.text(cord.source)
        assert cord.inlet < patcher.boxes[cord.target]["numinlets"], patcher.text(cord.target)


def test_no_cord_is_drawn_twice(patcher: Patcher) -> None:
    assert len(patcher.cords) == len(set(patcher.cords))


def test_objects_have_the_ports_that_max_gives_them(patcher: Patcher) -> None:
    wrong = [
        (box.get("text", kind(box)), box["numinlets"], box["numoutlets"], expected_ports(box))
        for box in patcher.boxes.values()
        if (box["numinlets"], box["numoutlets"]) != expected_ports(box)
    ]
    assert wrong == []
    for box in patcher.boxes.values():
        assert len(box.get("outlettype", [])) == box["numoutlets"]


def test_signals_go_where_signals_are_taken(patcher: Patcher) -> None:
    for box in patcher.boxes.values():
        saved = {n for n, each in enumerate(box.get("outlettype", [])) if each == "signal"}
        assert saved == signal_outlets(box), kind(box)
    wrong = [
        (patcher.text(cord.source), patcher.text(cord.target), cord.inlet)
        for cord in patcher.cords
        if cord.outlet in signal_outlets(patcher.boxes[cord.source])
        and cord.inlet not in SIGNAL_INLETS.get(kind(patcher.boxes[cord.target]), set())
    ]
    assert wrong == []


def test_nothing_that_is_heard_hangs_loose(patcher: Patcher) -> None:
    sounds = [
        i for i, box in patcher.boxes.items() if signal_outlets(box) and kind(box) != "plugout~"
    ]
    used = {cord.source for cord in patcher.cords if cord.outlet == 0}
    assert [patcher.text(i) for i in sounds if i not in used] == []


def test_every_object_is_wired(patcher: Patcher) -> None:
    # buffer~ is reached by its name; labels only stand there.
    ends = {end for cord in patcher.cords for end in (cord.source, cord.target)}
    alone = [kind(patcher.boxes[i]) for i in patcher.ids if i not in ends]
    assert set(alone) <= {"comment", "live.comment"}


def test_what_is_shown_fits_and_does_not_overlap(patcher: Patcher) -> None:
    rects = [b["presentation_rect"] for b in patcher.boxes.values() if "presentation" in b]
    assert len(rects) > 20
    for x, y, width, height in rects:
        assert x >= 0 and y >= 0 and x + width <= 780 and y + height <= DEVICE_HEIGHT
    for (ax, ay, aw, ah), (bx, by, bw, bh) in itertools.combinations(rects, 2):
        assert ax + aw <= bx or bx + bw <= ax or ay + ah <= by or by + bh <= ay


def test_parameters_are_named_once(patcher: Patcher) -> None:
    names = {
        i: box["saved_attribute_attributes"]["valueof"]["parameter_longname"]
        for i, box in patcher.boxes.items()
        if box.get("parameter_enable")
    }
    assert len(set(names.values())) == len(names)
    listed = {i: entry[0] for i, entry in patcher.rest["parameters"].items() if i in names}
    assert listed == names


def test_buffers_that_are_played_exist(patcher: Patcher) -> None:
    texts = [box["text"] for box in patcher.boxes.values() if box["maxclass"] == "newobj"]
    played = {text.split()[1] for text in texts if text.startswith("play~ ")}
    assert played == {text.split()[1] for text in texts if text.startswith("buffer~ ")}
    assert len(played) == 2


def test_no_file_is_needed_beside_the_patch(patcher: Patcher) -> None:
    assert patcher.rest["dependency_cache"] == []
    assert {kind(box) for box in patcher.boxes.values()} <= set(TABLE)


def test_the_device_has_the_layout_of_an_unfrozen_audio_effect() -> None:
    raw = (FOLDER / "ditto.amxd").read_bytes()
    assert raw[:12] == b"ampf\x04\0\0\0aaaa"
    chunks = device_parts(raw)
    assert list(chunks) == [b"ampf", b"meta", b"ptch"]
    assert chunks[b"meta"] == b"\x01\0\0\0"
    assert chunks[b"ptch"].endswith(b"}\n\0") and chunks[b"ptch"].count(b"\0") == 1
    patcher = json.loads(chunks[b"ptch"][:-1])["patcher"]
    assert patcher["project"]["amxdtype"] == int.from_bytes(b"aaaa", "big")
    assert patcher["openinpresentation"] == 1
    assert patcher["openrect"][3] == DEVICE_HEIGHT


def test_the_device_keeps_its_names_to_itself() -> None:
    device = read("ditto.amxd")
    named = [patcher_text for i in device.ids if (patcher_text := device.text(i))]
    names = re.findall(r"(?:buffer|play)~ (\S+)", "\n".join(named))
    assert names and all(name.startswith("---") for name in names)


def test_the_device_passes_live_audio_on_and_has_an_intensity_to_automate() -> None:
    device = read("ditto.amxd")
    kinds = {kind(box): i for i, box in device.boxes.items()}
    for channel in (0, 1):
        sources = {kind(device.boxes[i]) for i in device.into(kinds["plugout~"], channel)}
        assert sources == {"plugin~", "live.gain~"}
    dial = device.boxes[kinds["live.dial"]]["saved_attribute_attributes"]["valueof"]
    assert (dial["parameter_longname"], dial["parameter_invisible"]) == ("Intensity", 0)
