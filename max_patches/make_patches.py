"""Writes the patches of this folder: for Max, for Max for Live and for Pure Data.

Usage: python max_patches/make_patches.py [FOLDER]
"""

import sys
from pathlib import Path
from typing import Any

from max_parts import controls, network, number, scenes
from max_player import learning, player
from maxwriter import Patch, as_device, as_text
from pd_patches import client, loop

HEIGHT = 169
AUDIO_EFFECT = int.from_bytes(b"aaaa", "big")
# What Max writes into a device that was never opened as a project.
PROJECT: dict[str, Any] = {
    "version": 1,
    "creationdate": 3590052493,
    "modificationdate": 3590052493,
    "viewrect": [0.0, 0.0, 300.0, 500.0],
    "autoorganize": 1,
    "hideprojectwindow": 1,
    "showdependencies": 1,
    "autolocalize": 0,
    "contents": {"patchers": {}, "media": {}, "code": {}, "data": {}, "other": {}},
    "layout": {},
    "searchpath": {},
    "detailsvisible": 0,
    "amxdtype": AUDIO_EFFECT,
    "readonly": 0,
    "devpathtype": 0,
    "devpath": ".",
    "sortmode": 0,
    "viewmode": 0,
    "includepackages": 0,
}
DEVICE: dict[str, Any] = {
    "openrect": [0.0, 0.0, 0.0, float(HEIGHT)],
    "devicewidth": 704.0,
    "latency": 0,
    "is_mpe": 0,
    "external_mpe_tuning_enabled": 0,
    "minimum_live_version": "",
    "minimum_max_version": "",
    "platform_compatibility": 0,
    "project": PROJECT,
}


def max_patch() -> bytes:
    """Return ditto.maxpat, a patch that stands by itself."""
    p = Patch()
    d = network(p, live=False)
    bpm = p.control("live.numbox", "BPM", (108, 24, 34, 16), number(20, 300, 120, unit=1))
    p.wire(d.refresh, bpm)
    controls(d, bpm)
    scenes(d)
    player(d)
    return as_text(p.patcher((60, 80, 780, HEIGHT + 40)))


def live_device() -> bytes:
    """Return ditto.amxd, an audio effect that adds the take to what passes through it."""
    p = Patch()
    d = network(p, live=True)
    poll = p.chain(d.named["start"], p.add("1", "message"), "metro 50")
    d.named["sync"] = p.chain(poll, "plugsync~")
    tempo = p.chain((d.named["sync"], 5), "change 0.")
    controls(d, tempo)
    scenes(d)
    learning(d, player(d))
    return as_device(p.patcher((60, 80, 780, HEIGHT + 40), **DEVICE))


def outputs() -> dict[str, bytes]:
    """Return every file that this folder's generator writes, by name."""
    return {
        "ditto.maxpat": max_patch(),
        "ditto.amxd": live_device(),
        "ditto.pd": client(),
        "ditto_loop.pd": loop(),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, content in outputs().items():
        (folder / name).write_bytes(content)
