"""Figures as Markdown tables, for docs/model.md and a terminal alike."""

from collections.abc import Mapping, Sequence
from math import isnan

from ditto_rt.evaluate.asked import DRUMMED
from ditto_rt.evaluate.sets import CONTROLLED, OTHER, REAL
from ditto_rt.tags import GENRES

Figures = Mapping[str, float]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _number(value: float, digits: int = 3) -> str:
    return "" if isnan(value) else f"{value:.{digits}f}"


def _percent(value: float) -> str:
    return "" if isnan(value) else f"{100 * value:.1f} %"


def _shares(found: Figures) -> list[str]:
    return [_percent(found[key]) for key in ("genre", "mood", "tempo", "first_beat")]


def sets_table(sets: Mapping[str, Figures]) -> str:
    """Return a row for each set: distance to the other half, and shares."""
    half = sets[REAL]["frechet"] if REAL in sets else float("nan")
    rows = [
        [
            name,
            f"{found['clips']:.0f}",
            _number(found["frechet"]),
            _number(found["frechet"] / half, 2),
            *_shares(found),
            _number(found["first_beat_ms"], 1),
        ]
        for name, found in sets.items()
    ]
    heads = ["clips", "number", f"Frechet distance to {OTHER} clips", "over that of real clips"]
    heads += ["genre found", "mood found", "tempo within 0.5 BPM", "first beat within 20 ms"]
    drums = f"The last three columns: {len(DRUMMED)} genres with drums."
    return _table([*heads, "median of first beat, ms"], rows) + f"\n\n{drums}"


def genres_table(genres: Mapping[str, Figures]) -> str:
    """Return the share of clips in which each genre is found, a column for each set."""
    rows = [[g, *(_percent(found[g]) for found in genres.values())] for g in GENRES]
    return _table(["genre found, of asked", *genres], rows)


MAIN_FIGURE = {"intensity": "mse_db2", "melody": "accuracy", "structure": "mse"}


def controls_table(controls: Mapping[str, Figures]) -> str:
    """Return a row for each control, asked and not asked."""
    rows = []
    for name, found in controls.items():
        control = next(each for each in CONTROLLED if name.startswith(each))
        rows.append(
            [
                name,
                f"{found['clips']:.0f}",
                _number(found[MAIN_FIGURE[control]]),
                _number(found["own_loss"]),
                _number(found["iterations"], 1),
                _number(found["wall_s"], 1),
                _percent(found["genre"]),
                _number(found["frechet"]),
            ]
        )
    heads = ["takes", "number", "MSE in dB^2, accuracy, MSE", "by its loss"]
    heads += ["iterations", "seconds", "genre found", f"Frechet distance to as many {OTHER} clips"]
    return _table(heads, rows)


def codec_table(codec: Mapping[str, Figures]) -> str:
    """Return a row for each way from mel to audio."""
    rows = [
        [name, *(_number(found[k]) for k in ("log_mel_nat", "multi_resolution", "wall_s"))]
        for name, found in codec.items()
    ]
    heads = ["from a log-mel to audio", "log-mel distance, nat"]
    return _table([*heads, "spectral distance, five resolutions", "seconds for 6 s"], rows)


def speed_table(speed: Figures) -> str:
    """Return a row for each time in milliseconds."""
    rows = [[name, f"{value:.0f}"] for name, value in speed.items()]
    return _table(["for 6 s of audio", "median, ms"], rows)


def sizes_line(sizes: Figures) -> str:
    """Return how the distance between real halves falls with their size."""
    found = ", ".join(f"{name}: {value:.3f}" for name, value in sizes.items())
    return f"Distance between real halves of fewer clips: {found}."


def page(report: Mapping[str, object]) -> str:
    """Return every table that the report has figures for, one after the other."""
    makers = {
        "codec": codec_table,
        "sets": sets_table,
        "sizes": sizes_line,
        "genres": genres_table,
        "controls": controls_table,
        "speed": speed_table,
    }
    parts = [maker(report[key]) for key, maker in makers.items() if report.get(key)]  # type: ignore[operator]
    machine = report.get("machine")
    if isinstance(machine, Mapping):
        parts.append("Machine: " + ", ".join(f"{k} {v}" for k, v in machine.items()) + ".")
    return "\n\n".join(parts) + "\n"
