"""Draw one held-out clip of each genre: `python -m ditto_rt.training.corpus.picture OUT.png`."""

import argparse
from io import BytesIO
from pathlib import Path

import librosa
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from ditto_rt.tags import GENRES
from ditto_rt.training.corpus.clip import HELD_OUT_SEEDS, Clip, make_clip
from ditto_rt.training.corpus.plan import make_plan

SECONDS = 8.0
BANDS = 128


def first_clips() -> list[tuple[int, Clip]]:
    """Return, for each genre in turn, the first held-out seed of that genre and its clip."""
    found: dict[str, int] = {}
    for seed in HELD_OUT_SEEDS:
        # A plan is a thousand times cheaper than the clip, and names the same genre.
        found.setdefault(make_plan(SECONDS, np.random.default_rng(seed)).genre, seed)
        if len(found) == len(GENRES):
            break
    return [(found[genre], make_clip(found[genre], SECONDS)) for genre in GENRES]


def log_mel(clip: Clip) -> NDArray[np.float32]:
    """Return the log-mel spectrogram in dB (bands, frames), 20 Hz to 20 kHz."""
    mel = librosa.feature.melspectrogram(
        y=clip.audio_N,
        sr=clip.rate_hz,
        n_fft=2048,
        hop_length=512,
        n_mels=BANDS,
        fmin=20,
        fmax=20000,
    )
    return np.asarray(librosa.power_to_db(mel, ref=1.0, amin=1e-8), dtype=np.float32)


def title(seed: int, clip: Clip) -> str:
    """Return what the labels say, in one line."""
    note = "C C# D D# E F F# G G# A A# B".split()[clip.key]
    form = "".join(letter for letter, _ in clip.sections)
    return (
        f"{clip.genre}, {clip.mood}, {clip.tempo_bpm:.4g} BPM, {note} {clip.mode}, {form} ({seed})"
    )


def draw(path: Path) -> None:
    """Write the picture; section starts are dashed lines, bars are ticks."""
    figure = Figure(figsize=(14, 15), layout="constrained", dpi=72)
    axes = figure.subplots(5, 2)
    for axis, (seed, clip) in zip(axes.flat, first_clips(), strict=True):
        beat_s = 60 / clip.tempo_bpm
        axis.imshow(
            log_mel(clip),
            origin="lower",
            aspect="auto",
            vmin=-50,
            vmax=30,
            cmap="magma",
            extent=(0, SECONDS, 0, BANDS),
        )
        for _, beat in clip.sections:
            axis.axvline(beat * beat_s, color="white", linestyle="--", linewidth=0.8)
        axis.set_xticks(np.arange(0, SECONDS, 4 * beat_s), minor=True)
        axis.set_title(title(seed, clip), fontsize=10)
        axis.set_ylabel("mel band")
    axes[-1, 0].set_xlabel("seconds")
    axes[-1, 1].set_xlabel("seconds")
    drawn = BytesIO()
    figure.savefig(drawn)
    # Of 128 colours the eye misses none here, and the file is a third of the size.
    image = Image.open(drawn).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Read the output path from the command line and draw."""
    parser = argparse.ArgumentParser(description="Draw log-mel spectrograms, one for each genre.")
    parser.add_argument("path", type=Path, metavar="OUT.png")
    draw(parser.parse_args().path)


if __name__ == "__main__":
    main()
