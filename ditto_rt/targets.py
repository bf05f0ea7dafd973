"""From what a musician has to what a control compares with.

Curves, notes, letters, audio files and regions of them; numpy on the CPU, but for the
self-similarities, which are the controls' own features.
Shapes: N samples, T frames, W latent steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from ditto_rt import features, spec
from ditto_rt.errors import BadFile, BadRegion, BadTarget
from ditto_rt.features import MelSpec
from ditto_rt.timing import exact, frame_beats, seconds_of

Audio = NDArray[np.float32]
CONTEXT_FRAMES = 8192


def decibels(
    intensity: spec.Intensity, bpm: float, frames: int, hop: int, rate_hz: int
) -> NDArray[np.float32]:
    """Return db_T: the curve at each frame's centre, linear in dB, flat outside its points."""
    beats = [point.beat for point in intensity.points]
    levels = [point.db for point in intensity.points]
    at_T = frame_beats(frames, hop, bpm, rate_hz)
    return np.asarray(np.interp(at_T, beats, levels), np.float32)


def pitch_classes(
    melody: spec.Melody, bpm: float, frames: int, hop: int, rate_hz: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return (class_T, mask_T): pitch class at each frame's centre, and where a note sounds.

    Where notes overlap the later one wins. Raises BadTarget where no frame has a note.
    """
    at_T = frame_beats(frames, hop, bpm, rate_hz)
    class_T, mask_T = np.zeros(frames, np.int64), np.zeros(frames, np.bool_)
    for note in sorted(melody.notes, key=lambda note: note.beat):
        sounding_T = (at_T >= note.beat) & (at_T < note.beat + note.beats)
        class_T[sounding_T] = note.pitch % 12
        mask_T |= sounding_T
    if not mask_T.any():
        first = min(note.beat for note in melody.notes)
        raise BadTarget(
            f"melody's first note is at beat {first:g} and none sounds in the take; "
            f"allowed: at least one before beat {at_T[-1]:g}"
        )
    return class_T, mask_T


def similarity_grid(samples: int, rate_hz: int, sections: int = 1) -> tuple[int, int]:
    """Return (frames, smoothing window) for a self-similarity of about 10 frames a second.

    Sections get whole and equal numbers of frames, four at least, and the window of about a second
    is no longer than one of them.
    """
    each = max(4, ceil(Fraction(10 * samples, rate_hz * sections)))
    return each * sections, min(11, each - 1 + each % 2)


def section_ids(pattern: str, frames: int) -> NDArray[np.int64]:
    """Return id_T: which letter (0, 1, ... in order of appearance) each of `frames` parts has."""
    word = pattern.upper()
    order = {letter: number for number, letter in enumerate(dict.fromkeys(word))}
    centres_T = (np.arange(frames) + 0.5) * len(word) / frames
    return np.array([order[word[int(centre)]] for centre in centres_T], np.int64)


def pattern_similarity(pattern: str, frames: int, window: int) -> Tensor:
    """Return similarity_TT of an ideal take of this form, smoothed as the control smooths.

    Made from the letters' one-hot rows in the place of timbre, so that it is attainable.
    """
    one_hot_TC = torch.nn.functional.one_hot(torch.from_numpy(section_ids(pattern, frames)))
    return features.self_similarity(one_hot_TC.T[None].float(), window)[0]


def recording_similarity(audio_N: Audio, mel: MelSpec, frames: int) -> Tensor:
    """Return similarity_TT of a recording, not smoothed (structure transfer, DITTO appendix F)."""
    # An inference tensor, as the caller's mode might make it, could take no part in a search.
    with torch.inference_mode(False), torch.no_grad():
        timbre_BCT = features.timbre(torch.from_numpy(audio_N)[None], mel, frames)
        return features.self_similarity(timbre_BCT)[0]


def read_region(path: Path, start_s: float, end_s: float, rate_hz: int) -> Audio:
    """Return a region of an audio file as mono float32 at `rate_hz`.

    It has round((end_s - start_s) * rate_hz) samples. Reads WAV, FLAC, AIFF, MP3 and what else
    libsndfile knows. Raises BadFile for what is no audio, BadRegion for what the file lacks; an
    end less than a millisecond late, as a rounded length is, means the end of the file.
    """
    if not path.is_file():
        raise BadFile(f"file {path} does not exist; allowed: an audio file")
    try:
        with soundfile.SoundFile(path) as file:
            start, end = (round(exact(at_s) * file.samplerate) for at_s in (start_s, end_s))
            if not 0 <= start < end <= file.frames + file.samplerate // 1000:
                raise BadRegion(
                    f"region {start_s:g} to {end_s:g} s is not in file {path}; "
                    f"allowed: 0 to {file.frames / file.samplerate:.3f} s"
                )
            # A resampler sees silence beyond what it is given: give it some of what is there, a
            # whole number of samples at both rates, and cut that off again.
            block = file.samplerate // gcd(file.samplerate, rate_hz)
            before = min(start, CONTEXT_FRAMES) // block * block
            file.seek(start - before)
            context_frames = end - start + before + CONTEXT_FRAMES
            stereo_NC = file.read(context_frames, dtype="float32", always_2d=True)
            rate_in_hz = file.samplerate
    # A TypeError is soundfile's word for a headerless .raw file.
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        raise BadFile(f"file {path} cannot be read as audio: {error}") from error
    mono_N = stereo_NC.mean(axis=1)
    if not np.isfinite(mono_N).all():
        raise BadFile(f"file {path} has samples that are not numbers; allowed: finite samples")
    resampled_N = soxr.resample(mono_N, rate_in_hz, rate_hz, quality="VHQ")
    first = before * rate_hz // rate_in_hz
    samples = round((exact(end_s) - exact(start_s)) * rate_hz)
    region_N = resampled_N[first : first + samples]
    return np.asarray(np.pad(region_N, (0, samples - len(region_N))), np.float32)


def read_beats(path: Path, start_beat: float, end_beat: float, bpm: float, rate_hz: int) -> Audio:
    """Return the region between two beats of a file in steady tempo, as `read_region` does."""
    return read_region(path, seconds_of(start_beat, bpm), seconds_of(end_beat, bpm), rate_hz)


@dataclass(frozen=True, eq=False)
class Canvas:
    """Known audio laid on a take's time axis: what a LatentMatch is encoded from.

    known_N says which samples are given. The take itself begins at sample `start`; before it lies
    what it should continue.
    """

    audio_N: Audio
    known_N: NDArray[np.bool_]
    start: int


def place(samples: int, pieces: Sequence[tuple[Audio, int]], start: int) -> Canvas:
    """Return a canvas of `samples` with each (audio, first sample) laid on it, cut at its ends."""
    audio_N, known_N = np.zeros(samples, np.float32), np.zeros(samples, np.bool_)
    for piece_N, first in pieces:
        part_N = piece_N[max(0, -first) : max(0, samples - first)]
        at = max(0, first)
        audio_N[at : at + len(part_N)] = part_N
        known_N[at : at + len(part_N)] = True
    return Canvas(audio_N, known_N, start)


def outpaint(region_N: Audio, samples: int, overlap: int) -> Canvas:
    """Return [the region's last `overlap` samples][a take of `samples` that continues it]."""
    lead_N = region_N[len(region_N) - min(overlap, len(region_N)) :]
    return place(len(lead_N) + samples, [(lead_N, 0)], start=len(lead_N))


def loop_back(region_N: Audio, samples: int, overlap: int) -> Canvas:
    """Return the outpaint canvas followed by the region's first `overlap` samples.

    The region and then the take repeat without a seam.
    """
    lead_N = region_N[len(region_N) - min(overlap, len(region_N)) :]
    after = len(lead_N) + samples
    return place(
        after + len(lead_N), [(lead_N, 0), (region_N[: len(lead_N)], after)], start=len(lead_N)
    )


def inpaint(region_N: Audio, samples: int, gap_start: int, gap_end: int) -> Canvas:
    """Return the region, cut or padded to `samples`, known but for gap_start to gap_end."""
    kept = [(region_N[:gap_start], 0), (region_N[gap_end:], gap_end)]
    return place(samples, kept, start=0)


def latent_mask(known_N: NDArray[np.bool_], hop: int, width: int, reach: int = 0) -> Tensor:
    """Return mask_W: 1 for each latent step whose samples, and `reach` more each side, are known.

    `reach` is how far the encoder's analysis looks beyond a step. Samples beyond the canvas's
    start count as known (both are silence there), those beyond its end do not.
    """
    padded_N = np.zeros(reach + width * hop + reach, np.bool_)
    padded_N[:reach] = True
    fits = min(len(known_N), width * hop + reach)
    padded_N[reach : reach + fits] = known_N[:fits]
    whole_W = [padded_N[step * hop : (step + 1) * hop + 2 * reach].all() for step in range(width)]
    return torch.tensor(np.array(whole_W), dtype=torch.float32)
