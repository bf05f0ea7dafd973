"""What the shipped model does on clips it never saw: figures and a picture for docs/model.md.

B batch, C channels, H groups, W latent steps, M bands, F frames, N samples.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import librosa
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from ditto_rt.builtin import Builtin
from ditto_rt.builtin import mel as mels
from ditto_rt.render import Take, render
from ditto_rt.spec import Job, Quality
from ditto_rt.tags import GENRES, Tags
from ditto_rt.training.corpus import HELD_OUT_SEEDS, Clip, make_clip
from ditto_rt.training.vocoder_loss import mel_distance, multi_resolution

SECONDS = 6.0
TIMES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
GRIFFIN_LIM_ITERATIONS = 32


def held_out(count: int) -> list[Clip]:
    """Return the first clips of the held-out seeds, 6 s each."""
    return [make_clip(seed, SECONDS) for seed in islice(HELD_OUT_SEEDS, count)]


def _audio_BN(clip: Clip, model: Builtin) -> Tensor:
    whole = len(clip.audio_N) // model.latent_hop * model.latent_hop
    return torch.from_numpy(clip.audio_N[:whole])[None].to(model.device)


def _griffin_lim(mel_BMF: Tensor, length: int) -> Tensor:
    filters = mels.filters_MK(torch.zeros(1)).numpy()
    size = librosa.util.nnls(filters, mel_BMF[0].exp().cpu().numpy())
    # A centred STFT has one frame more than our mel keeps.
    size = np.pad(size, ((0, 0), (0, 1)), mode="edge")
    audio = librosa.griffinlim(
        size, n_iter=GRIFFIN_LIM_ITERATIONS, hop_length=mels.HOP, n_fft=mels.N_FFT, length=length
    )
    return torch.from_numpy(audio.astype(np.float32))[None]


@torch.inference_mode()
def vocoder_figures(model: Builtin, clips: Sequence[Clip]) -> dict[str, dict[str, float]]:
    """Return medians of log-mel distance (nat), spectral distance and seconds for three ways."""
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for clip in clips:
        real_BN = _audio_BN(clip, model)
        mel_BMF = mels.log_mel_BMF(real_BN)
        x0_BCHW = model.encode(real_BN)
        length = real_BN.shape[1]
        ways: dict[str, Callable[[], Tensor]] = {
            "vocoder, true mel": partial(model.vocode, mel_BMF),
            "vocoder, through the latent": partial(model.decode, x0_BCHW),
            "Griffin-Lim, true mel": partial(_griffin_lim, mel_BMF, length),
        }
        for name, way in ways.items():
            before = time.perf_counter()
            made_BN = way()
            wall_s = time.perf_counter() - before
            far = float(mel_distance(made_BN, real_BN)), float(multi_resolution(made_BN, real_BN))
            rows.setdefault(name, []).append((*far, wall_s))
    return {
        name: dict(
            zip(
                ("log_mel_nat", "multi_resolution", "wall_s"),
                map(statistics.median, zip(*figures, strict=True)),
                strict=True,
            )
        )
        for name, figures in rows.items()
    }


@torch.inference_mode()
def denoiser_figures(model: Builtin, clips: Sequence[Clip]) -> dict[float, float]:
    """Return the mean squared error of v at several times, on held-out clips."""
    found: dict[float, list[float]] = {t: [] for t in TIMES}
    generator = torch.Generator().manual_seed(0)
    for clip in clips:
        x0_BCHW = model.encode(_audio_BN(clip, model))
        noise = torch.randn(x0_BCHW.shape, generator=generator).to(model.device)
        cond = model.condition(Tags(clip.genre, clip.mood), clip.tempo_bpm, 0.0, x0_BCHW.shape[-1])
        for t in TIMES:
            angle = torch.tensor(0.5 * torch.pi * t)
            noisy = angle.cos() * x0_BCHW + angle.sin() * noise
            made = model.denoise(noisy, torch.tensor(t, device=model.device), cond)
            # The error of v is that of x_0 over sigma, because x_0 = alpha x - sigma v.
            error = (made - x0_BCHW).square().mean() / angle.sin().square()
            found[t].append(float(error))
    return {t: statistics.mean(errors) for t, errors in found.items()}


def onset_lag_bpm(audio_N: NDArray[np.float32], rate_hz: int, near_bpm: float) -> float:
    """Return the tempo near `near_bpm` (within 8 %) whose grid the onsets fit best.

    The onset envelope's Fourier sum at each candidate's beat and its halves and quarters.
    """
    hop = 256
    envelope_F = librosa.onset.onset_strength(y=audio_N, sr=rate_hz, hop_length=hop)
    seconds_F = np.arange(len(envelope_F)) * hop / rate_hz
    candidates = near_bpm * np.linspace(0.92, 1.08, 641)
    beats = candidates[:, None] / 60.0 * seconds_F
    score = sum(np.abs(np.exp(2j * np.pi * k * beats) @ envelope_F) for k in (1, 2, 4))
    return float(candidates[np.argmax(score)])


def generate(model: Builtin, job: Job) -> Take:
    """Return the take of a job."""
    last = [event for event in render(job, model, mels.RATE_HZ)][-1]
    assert isinstance(last, Take)
    return last


def _level(audio_N: NDArray[np.float32]) -> NDArray[np.float32]:
    return mels.log_mel_BMF(torch.from_numpy(audio_N)[None])[0].numpy()


def tempo_figures(model: Builtin, takes: int) -> dict[str, float]:
    """Return how often the measured tempo lies within 0.5 BPM of the asked one, by steps."""
    found = {}
    drummed = [genre for genre in GENRES if genre != "ambient"]
    for steps in (20, 4, 2, 1):
        hits = []
        for seed in range(takes):
            bpm = 80.0 + 90.0 * ((seed * 0.618034) % 1.0)
            beats = 4 * round(SECONDS * bpm / 60 / 4)
            job = Job(
                genre=drummed[seed % len(drummed)],
                mood="energetic",
                bpm=bpm,
                beats=beats,
                seed=seed,
                quality=Quality(steps=steps),
            )
            take = generate(model, job)
            hits.append(abs(onset_lag_bpm(take.audio_N, take.rate_hz, bpm) - bpm) <= 0.5)
        found[f"{steps} steps"] = statistics.mean(hits)
    return found


def picture(model: Builtin, path: Path) -> None:
    """Draw, for each genre, a real held-out clip beside takes made in 20 and in 4 steps."""
    found: dict[str, Clip] = {}
    for clip in held_out(150):
        found.setdefault(clip.genre, clip)
    figure = Figure(figsize=(15, 2.0 * len(GENRES)), layout="constrained", dpi=64)
    axes = figure.subplots(len(GENRES), 3)
    for row, genre in zip(axes, GENRES, strict=True):
        clip = found[genre]
        beats = SECONDS * clip.tempo_bpm / 60
        job = Job(genre=genre, mood=clip.mood, bpm=clip.tempo_bpm, beats=beats, seed=1)
        few = job.model_copy(update={"quality": Quality(steps=4)})
        shown = {
            f"{genre}, {clip.mood}, {clip.tempo_bpm:.0f} BPM: real": clip.audio_N,
            "generated, 20 steps": generate(model, job).audio_N,
            "generated, 4 steps": generate(model, few).audio_N,
        }
        for axis, (title, audio_N) in zip(row, shown.items(), strict=True):
            axis.imshow(
                _level(audio_N),
                origin="lower",
                aspect="auto",
                vmin=-8,
                vmax=4,
                cmap="magma",
                extent=(0, SECONDS, 0, mels.BANDS),
            )
            axis.set_title(title, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
