"""Where a take lies inside what is generated: lead, take, what follows, and known audio.

A lead is generated before beat one. The end of a take that closes on itself fades into that lead,
so the loop leads into beat one and an attack on beat one stays whole. N samples at the model's
rate.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ditto_rt import targets
from ditto_rt.errors import BadRegion
from ditto_rt.spec import Job, Region
from ditto_rt.targets import Canvas
from ditto_rt.timing import JOIN_S, samples_of

LEAD_S = 0.1
MATCH_S = 2.0
LOOP_MATCH_S = 1.0


@dataclass(frozen=True)
class Layout:
    """Sizes in samples at the model's rate, but for out_frames and fade_frames.

    `closed`: the take repeats into itself; otherwise it leads back into its region.
    """

    lead: int
    take: int
    total: int
    out_frames: int
    fade_frames: int
    closed: bool
    canvas: Canvas | None


def _canvas(region: Region, take: int, lead: int, rate_hz: int) -> Canvas:
    audio_N = targets.read_region(Path(region.path), region.start_s, region.end_s, rate_hz)
    if region.mode in ("outpaint", "continue"):
        return targets.outpaint(audio_N, take, round(MATCH_S * rate_hz))
    if region.mode == "loop":
        return targets.loop_back(audio_N, take, round(LOOP_MATCH_S * rate_hz))
    if region.mode == "vary":
        audio_N = np.resize(audio_N, take)
        return targets.place(lead + take, [(audio_N[take - lead :], 0), (audio_N, lead)], lead)
    if len(audio_N) < take:
        raise BadRegion(
            f"region lasts {len(audio_N) / rate_hz:.3f} s; allowed for inpaint: at least the "
            f"take's {take / rate_hz:.3f} s"
        )
    # The region loops: what precedes its first beat is its own end.
    edge = take // 4
    kept = [
        (audio_N[take - lead : take], 0),
        (audio_N[:edge], lead),
        (audio_N[take - edge : take], lead + take - edge),
    ]
    return targets.place(lead + take, kept, lead)


def lay_out(job: Job, rate_hz: int, output_rate_hz: int) -> Layout:
    """Return the layout of a job; reads its region's file.

    Raises BadFile and BadRegion for a region that cannot be used.
    """
    take = samples_of(job.beats, job.bpm, rate_hz)
    lead = round((job.loop.overlap_s if job.loop else LEAD_S) * rate_hz)
    canvas = _canvas(job.region, take, lead, rate_hz) if job.region else None
    start = canvas.start if canvas else lead
    return Layout(
        lead=start,
        take=take,
        total=len(canvas.audio_N) if canvas else lead + take,
        out_frames=samples_of(job.beats, job.bpm, output_rate_hz),
        fade_frames=round(min(JOIN_S, start / rate_hz / 2) * output_rate_hz),
        closed=job.region is None or job.region.mode != "loop",
        canvas=canvas,
    )
