"""Scenes with sound to test with."""

from pathlib import Path

import numpy as np

from daemon.files import write_wav
from daemon.scenes.scene import Part, Scene
from daemon.takes.take import Take
from ditto_rt.spec import Job
from tests.daemon_office import RATE_HZ, report

FRAMES = 4800


def write_sound(path: Path, seed: int) -> Path:
    """Write noise that a seed decides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, FRAMES).astype(np.float32)
    write_wav(noise, RATE_HZ, path)
    return path


def part(slot: int = 0, version: int = 1, plays: bool = True) -> Part:
    """Return a part whose sound has no name yet, as `capture` makes it."""
    asked = Job(bpm=128.0, beats=4.0, seed=slot)
    take = Take(slot=slot, version=version, asked=asked, report=report())
    return Part.model_construct(slot=slot, controls=asked, gain=0.5, take=take, plays=plays)


def scene(name: str = "drop", *parts: Part) -> Scene:
    """Return a scene as `capture` makes it."""
    made = parts or (part(0), part(3, 7, False))
    return Scene.model_construct(name=name, saved_s=1.0, bpm=128.0, parts=tuple(made))


def sounds(folder: Path, made: Scene) -> dict[int, Path]:
    """Write the sound of a scene's takes."""
    takes = {each.slot: each.take.version for each in made.parts if each.take}
    return {
        slot: write_sound(folder / f"slot{slot:02d}_v{version:04d}.wav", 100 * slot + version)
        for slot, version in takes.items()
    }
