"""Measure the built-in model part by part; sets of clips are resumed where a run ended."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ditto_rt import builtin
from ditto_rt.builtin import weights
from ditto_rt.devices import choose, set_numerics
from ditto_rt.evaluate import sets, tagger
from ditto_rt.evaluate.asked import SECONDS
from ditto_rt.evaluate.codec import codec_figures
from ditto_rt.evaluate.figures import all_figures
from ditto_rt.evaluate.records import Ledger, digest
from ditto_rt.evaluate.speed import machine, speed_figures
from ditto_rt.spec import Quality
from ditto_rt.training.corpus import HELD_OUT_SEEDS, make_clip

PARTS = ("real", "generated", "controls", "vocoder", "speed", "picture")
CODEC_CLIPS = 12


@dataclass(frozen=True)
class Options:
    """What is measured, with how many clips, and where records are kept.

    `search_steps` and `decode_steps` are those of takes with a control. `minutes` ends the making
    of clips early; the same call goes on where it ended.
    """

    parts: tuple[str, ...] = PARTS
    seeds: int = 512
    control_seeds: int = 50
    steps: tuple[int, ...] = (20, 4, 2, 1)
    search_steps: int = Quality().search_steps
    decode_steps: int = Quality().steps
    threads: int = 2
    device: str = "auto"
    minutes: float | None = None
    folder: Path = Path("work_evaluate")
    picture: Path = Path("docs/images/model.png")


def _clip_sets(options: Options, model: builtin.Builtin) -> list[sets.ClipSet]:
    judge = tagger.load()
    quality = Quality(search_steps=options.search_steps, steps=options.decode_steps)
    made = {
        "real": sets.real_sets(judge, model, options.seeds),
        "generated": sets.generated_sets(judge, model, options.seeds, options.steps),
        "controls": sets.control_sets(judge, model, options.control_seeds, quality),
    }
    return [one for part, found in made.items() for one in found if part in options.parts]


def _folder(options: Options, one: sets.ClipSet) -> Path:
    names = (weights.LATENT, weights.VOCODER, weights.DENOISER, weights.TAGGER)
    return options.folder / digest(names if one.generated else names[-1:])


def _ledger(options: Options, one: sets.ClipSet) -> Ledger:
    controlled = one.name.split(",")[0] in sets.CONTROLLED
    way = f" {options.search_steps}-{options.decode_steps}" if controlled else ""
    return Ledger(_folder(options, one) / f"{one.name}{way}.jsonl")


def _fill(options: Options, clip_sets: list[sets.ClipSet], console: Console) -> None:
    until_s = time.monotonic() + 60.0 * (options.minutes or float("inf"))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *times, console=console) as bar:
        for one in clip_sets:
            ledger = _ledger(options, one)
            done = min(one.count, len(ledger.records))
            task = bar.add_task(one.name, total=one.count, completed=done)
            for number in range(done, one.count):
                if time.monotonic() > until_s:
                    return
                ledger.add(one.make(number))
                bar.advance(task)


def measure(options: Options, console: Console) -> dict[str, object]:
    """Measure the parts asked for and return all figures that the folder's records give.

    Raises NoModel where weights are missing, ValueError for an unknown device.
    """
    set_numerics(options.threads)
    model = builtin.load(choose(options.device))
    _fill(options, _clip_sets(options, model), console)
    every = _clip_sets(_with_all_parts(options), model)
    ledgers = {one.name: _ledger(options, one).records[: one.count] for one in every}
    found = _kept(options)
    found.update(all_figures(ledgers))
    if "vocoder" in options.parts:
        clips = (
            make_clip(HELD_OUT_SEEDS[i], SECONDS) for i in range(min(CODEC_CLIPS, options.seeds))
        )
        found["codec"] = codec_figures(model, clips)
    if "speed" in options.parts:
        found["speed"], found["machine"] = speed_figures(model), machine()
    if "picture" in options.parts:
        # Matplotlib is no part of the base install.
        from ditto_rt.evaluate.picture import draw

        draw(model, options.picture, tuple(step for step in options.steps if step != 4))
    _keep(options, found)
    return found


def _with_all_parts(options: Options) -> Options:
    return Options(**{**vars(options), "parts": PARTS})


def _single_path(options: Options) -> Path:
    names = (weights.LATENT, weights.VOCODER, weights.DENOISER, weights.TAGGER)
    return options.folder / digest(names) / "figures.json"


def _kept(options: Options) -> dict[str, object]:
    # Figures that no records stand behind: those of the vocoder and of speed.
    path = _single_path(options)
    kept: dict[str, object] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return kept


def _keep(options: Options, found: Mapping[str, object]) -> None:
    path = _single_path(options)
    path.parent.mkdir(parents=True, exist_ok=True)
    single = {key: found[key] for key in ("codec", "speed", "machine") if key in found}
    path.write_text(json.dumps(single, indent=1) + "\n", "utf-8")
