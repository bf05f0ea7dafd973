"""A real clip beside takes in few and many steps, for every genre: a page of spectrograms."""

from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from ditto_rt.builtin import Builtin
from ditto_rt.builtin import mel as mels
from ditto_rt.evaluate.asked import SECONDS, like_held_out
from ditto_rt.evaluate.sets import steps_name, take_of
from ditto_rt.spec import Quality
from ditto_rt.tags import GENRES
from ditto_rt.training.corpus import HELD_OUT_SEEDS, make_clip


def first_of_each_genre() -> dict[str, int]:
    """Return, for each genre, the number of the first held-out seed that has it."""
    found: dict[str, int] = {}
    number = 0
    while len(found) < len(GENRES):
        found.setdefault(like_held_out(number, Quality()).genre or "", number)
        number += 1
    return found


def _panels(model: Builtin, number: int, steps: tuple[int, ...]) -> dict[str, NDArray[np.float32]]:
    job = like_held_out(number, Quality())
    tags = f"{job.genre}, {job.mood}, {job.bpm:.0f} BPM"
    panels = {f"{tags}: real": make_clip(HELD_OUT_SEEDS[number], SECONDS).audio_N}
    for each in steps:
        made = job.model_copy(update={"quality": Quality(steps=each)})
        panels[f"generated, {steps_name(each)}"] = take_of(made, model).audio_N
    return panels


def draw(model: Builtin, path: Path, steps: tuple[int, ...]) -> None:
    """Write the page to `path`, a row for each genre."""
    figure = Figure(figsize=(5 * (1 + len(steps)), 2.0 * len(GENRES)), layout="constrained", dpi=64)
    axes = figure.subplots(len(GENRES), 1 + len(steps), squeeze=False)
    numbers = first_of_each_genre()
    for row, genre in zip(axes, GENRES, strict=True):
        panels = _panels(model, numbers[genre], steps)
        for axis, (title, audio_N) in zip(row, panels.items(), strict=True):
            axis.imshow(
                mels.log_mel_BMF(torch.from_numpy(audio_N)[None])[0].numpy(),
                origin="lower",
                aspect="auto",
                vmin=-8,
                vmax=4,
                cmap="magma",
                extent=(0, SECONDS, 0, mels.BANDS),
            )
            axis.set_title(title, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = BytesIO()
    figure.savefig(drawn)
    # Of 128 colours the eye misses none here, and the file is a third of the size.
    image = Image.open(drawn).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
