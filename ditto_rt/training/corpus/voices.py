"""Instruments: presets of parameters, and notes rendered with them. Shapes: N samples."""

from dataclasses import dataclass, replace

import numpy as np

from ditto_rt.training.corpus import oscillators as osc
from ditto_rt.training.corpus.effects import add_at
from ditto_rt.training.corpus.oscillators import RATE_HZ, Floats

Rng = np.random.Generator


@dataclass(frozen=True)
class Voice:
    """One instrument: an oscillator, its filter and its envelopes.

    `kind` is table, fm or pluck. `cutoff_hz` moves up by `sweep_octaves` at the onset and falls
    back with `sweep_s`; a decay_s of 0 holds the level.
    """

    kind: str = "table"
    wave: str = "saw"
    cutoff_hz: float = 1500
    sweep_octaves: float = 1.0
    sweep_s: float = 0.2
    resonance: float = 0.5
    attack_s: float = 0.005
    decay_s: float = 0.0
    sustain: float = 0.0
    release_s: float = 0.03
    unison: int = 1
    detune_cents: float = 8.0
    ratio: float = 2.0
    index: float = 2.0
    vibrato_cents: float = 0.0
    sub: float = 0.0


@dataclass(frozen=True)
class Note:
    """One note; `brightness` is an offset of the cutoff in octaves."""

    pitch: int
    beat: float
    beats: float
    velocity: float = 0.8
    brightness: float = 0.0


PRESETS: dict[str, Voice] = {
    "saw bass": Voice(cutoff_hz=350, sweep_octaves=2.2, sweep_s=0.1, sub=0.5),
    "acid bass": Voice(cutoff_hz=300, sweep_octaves=2.8, sweep_s=0.12, resonance=3.5, decay_s=0.4),
    "square bass": Voice(wave="square", cutoff_hz=400, sweep_octaves=1.8, sweep_s=0.15),
    "fm bass": Voice(kind="fm", ratio=1.0, index=2.6, sweep_s=0.15, decay_s=0.5, sustain=0.3),
    "sub bass": Voice(wave="triangle", cutoff_hz=250, sweep_octaves=0.6, release_s=0.06),
    "808": Voice(wave="triangle", cutoff_hz=220, sweep_octaves=1.5, decay_s=0.9, sustain=0.1),
    "reese": Voice(cutoff_hz=500, sweep_octaves=0.6, unison=3, detune_cents=22, sub=0.8),
    "warm pad": Voice(
        cutoff_hz=900, sweep_octaves=0, attack_s=0.25, release_s=0.4, unison=3, resonance=0.2
    ),
    "bright pad": Voice(
        cutoff_hz=3200, sweep_octaves=0, attack_s=0.12, release_s=0.3, unison=3, detune_cents=14
    ),
    "hollow pad": Voice(
        wave="triangle", cutoff_hz=2200, sweep_octaves=0, attack_s=0.3, release_s=0.5, unison=2
    ),
    "supersaw": Voice(cutoff_hz=5000, sweep_octaves=0.8, unison=5, detune_cents=18, release_s=0.1),
    "stab": Voice(cutoff_hz=900, sweep_octaves=2.2, sweep_s=0.08, decay_s=0.22, resonance=1.2),
    "dub chord": Voice(cutoff_hz=700, sweep_octaves=1.4, sweep_s=0.07, decay_s=0.16),
    "organ": Voice(wave="organ", cutoff_hz=3500, sweep_octaves=0.3, decay_s=0.5, sustain=0.4),
    "electric piano": Voice(kind="fm", ratio=1.0, index=1.4, sweep_s=0.4, decay_s=0.9),
    "bell": Voice(kind="fm", ratio=4.0, index=1.6, sweep_s=0.3, decay_s=0.8, release_s=0.2),
    "glass": Voice(kind="fm", ratio=4.0, index=1.0, sweep_s=0.15, decay_s=0.5, release_s=0.2),
    "pluck string": Voice(kind="pluck", ratio=0.003, release_s=0.08),
    "short pluck": Voice(kind="pluck", ratio=0.012, release_s=0.05),
    "saw pluck": Voice(cutoff_hz=800, sweep_octaves=2.6, sweep_s=0.09, decay_s=0.25),
    "pulse pluck": Voice(wave="pulse", cutoff_hz=1200, sweep_octaves=1.8, decay_s=0.2),
    "saw lead": Voice(cutoff_hz=2600, sweep_octaves=1.0, unison=2, vibrato_cents=12),
    "square lead": Voice(wave="square", cutoff_hz=2200, sweep_octaves=0.8, vibrato_cents=10),
    "pulse lead": Voice(wave="pulse", cutoff_hz=3000, sweep_octaves=0.6, vibrato_cents=10),
    "soft lead": Voice(wave="triangle", cutoff_hz=3000, attack_s=0.03, vibrato_cents=14),
    "fm lead": Voice(kind="fm", ratio=2.0, index=1.5, sweep_s=0.4, vibrato_cents=0, sustain=0.7),
}


def vary(voice: Voice, brightness: float, rng: Rng) -> Voice:
    """Return the voice with its parameters moved at random and its filter by `brightness`."""
    return replace(
        voice,
        cutoff_hz=voice.cutoff_hz * 2 ** (brightness + rng.uniform(-0.5, 0.5)),
        sweep_octaves=voice.sweep_octaves * rng.uniform(0.7, 1.3),
        sweep_s=voice.sweep_s * rng.uniform(0.7, 1.4),
        resonance=voice.resonance * rng.uniform(0.5, 1.5),
        decay_s=voice.decay_s * rng.uniform(0.7, 1.4),
        detune_cents=voice.detune_cents * rng.uniform(0.7, 1.3),
        index=voice.index * 2 ** (0.5 * brightness) * rng.uniform(0.7, 1.4),
    )


def _envelope(voice: Voice, held_s: float, time_N: Floats) -> Floats:
    """Attack, decay to the sustain level, and a linear release after `held_s`."""
    level_N = np.minimum(time_N / np.float32(voice.attack_s), 1)
    if voice.decay_s:
        fall_N = np.exp(-time_N / np.float32(voice.decay_s))
        level_N *= voice.sustain + (1 - voice.sustain) * fall_N
    release_N = np.clip((held_s + voice.release_s - time_N) / voice.release_s, 0, 1)
    return np.asarray(level_N * release_N, dtype=np.float32)


def _table_tone(voice: Voice, note: Note, time_N: Floats, rng: Rng) -> Floats:
    """Read the wavetable, one pass for each unison voice, through one moving cutoff."""
    base_hz = osc.hz(note.pitch)
    octaves_N = voice.sweep_octaves * np.exp(-time_N / np.float32(voice.sweep_s))
    octaves_N += note.brightness + 0.8 * (note.velocity - 0.8)
    rows_N = osc.cutoff_rows(voice.cutoff_hz * 2**octaves_N, base_hz)
    tone_N = np.zeros_like(time_N)
    spread = np.linspace(-1, 1, voice.unison) if voice.unison > 1 else np.zeros(1)
    # Unison voices start at random phases; in phase they would begin with a click.
    for cents in spread * voice.detune_cents:
        phase_N = osc.phases(base_hz * 2 ** (cents / 1200), rng.uniform(), len(time_N))
        phase_N = phase_N + _vibrato(voice, base_hz, time_N)
        tone_N += osc.read_rows(
            osc.table(voice.wave, round(2 * voice.resonance) / 2), rows_N, phase_N
        )
    if voice.sub:
        tone_N += voice.sub * osc.sine(osc.phases(base_hz, 0.0, len(time_N)))
    return tone_N


def _vibrato(voice: Voice, base_hz: float, time_N: Floats) -> osc.Phases:
    """Return the phase that vibrato adds: it sets in after 0.15 s, at 5.5 Hz."""
    if not voice.vibrato_cents:
        return np.zeros(1, dtype=np.uint32)
    depth = base_hz * (2 ** (voice.vibrato_cents / 1200) - 1) / (2 * np.pi * 5.5)
    onset_N = np.clip((time_N - 0.15) * 4, 0, 1)
    turns_N = depth * onset_N * osc.sine(osc.phases(5.5, 0.0, len(time_N)))
    return np.asarray((turns_N.astype(np.float64) * 2**32).astype(np.int64), dtype=np.uint32)


def _tone(voice: Voice, note: Note, held_s: float, rng: Rng) -> Floats:
    """Render one note, release included, at unit-like level."""
    count = int((held_s + voice.release_s) * RATE_HZ)
    time_N = np.arange(count, dtype=np.float32) / np.float32(RATE_HZ)
    if voice.kind == "pluck":
        tone_N = osc.pluck(osc.hz(note.pitch), voice.ratio, count, rng)
    elif voice.kind == "fm":
        strength = voice.index * 2 ** (0.5 * note.brightness) * (0.4 + 0.75 * note.velocity)
        index_N = strength * (0.15 + 0.85 * np.exp(-time_N / np.float32(voice.sweep_s)))
        tone_N = osc.fm(osc.hz(note.pitch), voice.ratio, index_N.astype(np.float32))
    else:
        tone_N = _table_tone(voice, note, time_N, rng)
    shape_N = _envelope(voice, held_s, time_N)
    return (tone_N * shape_N * np.float32(note.velocity)).astype(np.float32)


def render_notes(
    voice: Voice, notes: list[Note], beat_s: float, count: int, loop: bool, rng: Rng
) -> Floats:
    """Render notes into `count` samples; equal notes are rendered once and copied."""
    audio_N = np.zeros(count, dtype=np.float32)
    tones: dict[Note, Floats] = {}
    for note in notes:
        # Where a note stands does not change its sound.
        key = replace(note, beat=0.0)
        if key not in tones:
            tones[key] = _tone(voice, note, note.beats * beat_s, rng)
        add_at(audio_N, round(note.beat * beat_s * RATE_HZ), tones[key], loop)
    return audio_N
