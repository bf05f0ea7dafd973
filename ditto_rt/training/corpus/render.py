"""From a score to audio: layers, sends, ducking, level curve, master. Shapes: N samples."""

from dataclasses import dataclass

import numpy as np

from ditto_rt.training.corpus import effects
from ditto_rt.training.corpus.compose import Score
from ditto_rt.training.corpus.drums import LEVELS, make_kit
from ditto_rt.training.corpus.genres import GENRE_STYLES, MOOD_STYLES, Genre
from ditto_rt.training.corpus.oscillators import RATE_HZ, Floats
from ditto_rt.training.corpus.plan import Plan
from ditto_rt.training.corpus.voices import PRESETS, render_notes, vary

Rng = np.random.Generator

# Level of each layer while it sounds (dB, RMS), when no voice leads and when one does.
MIX_DB = {"bass": -17.0, "chords": -23.0, "arp": -24.0, "lead": -17.0}
LED_DB = {"bass": -23.0, "chords": -29.0, "arp": -30.0, "lead": -15.0}
DRUMS_DB = -5.0
LED_DRUMS_DB = -13.0


def gain(level_db: float) -> np.float32:
    """Return a level in dB as a factor."""
    return np.float32(10 ** (level_db / 20))


def sounding_rms(audio_N: Floats) -> float:
    """Return the RMS of the samples that are not silence."""
    loud_N = audio_N[np.abs(audio_N) > 1e-3]
    return float(np.sqrt(np.mean(loud_N**2))) if len(loud_N) else 0.0


@dataclass(frozen=True)
class Desk:
    """What rendering a clip needs at every turn."""

    plan: Plan
    style: Genre
    count: int

    def sample(self, beat: float) -> int:
        """Return the sample a beat falls on."""
        return round(beat * self.plan.beat_s * RATE_HZ)


def render_layer(desk: Desk, score: Score, layer: str, rng: Rng) -> Floats | None:
    """Render one layer with a voice of the genre, at its level in the mix."""
    notes = score.notes.get(layer)
    if not notes:
        return None
    plan, style = desk.plan, desk.style
    names = {
        "bass": style.bass_voices,
        "chords": style.comp_voices,
        "arp": style.arp_voices,
        "lead": style.lead_voices,
    }[layer]
    brightness = MOOD_STYLES[plan.mood].brightness * (0.6 if layer == "lead" else 1.0)
    voice = vary(PRESETS[str(rng.choice(names))], brightness, rng)
    audio_N = render_notes(voice, notes, plan.beat_s, desk.count, plan.loop, rng)
    # Kick and bass have the lows to themselves.
    if layer != "bass":
        audio_N = effects.filtered(audio_N, "highpass", 150.0, plan.loop)
    level_db = (LED_DB if plan.melody_led else MIX_DB)[layer] + float(rng.uniform(-2, 2))
    level_db += style.bass_db if layer == "bass" else 0.0
    rms = sounding_rms(audio_N)
    return audio_N * (gain(level_db) / np.float32(rms)) if rms else None


def render_drums(desk: Desk, score: Score, rng: Rng) -> tuple[Floats, Floats]:
    """Return the drums, and what of them goes to the room (no kick)."""
    kit = make_kit(desk.style.kit, rng)
    dry_N = np.zeros(desk.count, dtype=np.float32)
    send_N = np.zeros(desk.count, dtype=np.float32)
    for hit in score.hits:
        shot_M = kit[hit.drum] * np.float32(hit.velocity * LEVELS[hit.drum])
        bus_N = dry_N if hit.drum == "kick" else send_N
        effects.add_at(bus_N, desk.sample(hit.beat), shot_M, desk.plan.loop)
    mood = MOOD_STYLES[desk.plan.mood]
    level_db = LED_DRUMS_DB if desk.plan.melody_led else DRUMS_DB + desk.style.drums_db
    level = gain(level_db + mood.drums_db + float(rng.uniform(-1.5, 1.5)))
    if desk.plan.mood == "dark" and score.hits:
        send_N = effects.filtered(
            send_N, "lowpass", float(rng.uniform(7000, 11000)), desk.plan.loop
        )
    return (dry_N + send_N) * level, send_N * level


def section_gain(desk: Desk) -> Floats:
    """Return the level of each section as a gain, with 10 ms ramps between them."""
    gain_N = np.ones(desk.count, dtype=np.float32)
    for letter, start in desk.plan.starts():
        level_db = desk.plan.sections[letter].level_db
        begin, end = desk.sample(start), desk.sample(start + desk.plan.section_beats)
        gain_N[begin:end] = gain(level_db)
    # The ramp ends where a section starts, so that its first drum has its full level.
    ramp = 441
    after = gain_N[:ramp] if desk.plan.loop else gain_N[-1:].repeat(ramp)
    smooth = np.concatenate((gain_N, after))
    total = np.cumsum(smooth, dtype=np.float64)
    return ((total[ramp:] - total[:-ramp]) / ramp).astype(np.float32)


def level_curve(desk: Desk) -> Floats:
    """Return the clip's loudness curve as a gain."""
    beats_N = np.arange(desk.count) / (RATE_HZ * desk.plan.beat_s)
    curve_N = effects.curve(desk.plan.level_points, beats_N)
    return (10 ** (curve_N / 20)).astype(np.float32)


def sweep_music(desk: Desk, music_N: Floats, rng: Rng) -> Floats:
    """In one clip of four a filter opens, closes, or breathes over the whole clip."""
    kind = rng.choice(["none", "open", "close", "breathe"], p=[0.75, 0.1, 0.05, 0.1])
    if kind == "none" or (desk.plan.loop and kind != "breathe"):
        return music_N
    place_N = np.linspace(0, 1, desk.count, dtype=np.float32)
    shapes = {
        "open": place_N,
        "close": 1 - place_N,
        "breathe": 0.5 - 0.5 * np.cos(2 * np.pi * place_N),
    }
    closed_hz = float(rng.uniform(300, 900))
    return effects.swept(
        music_N, shapes[str(kind)].astype(np.float32) ** 2, closed_hz, desk.plan.loop
    )


def riser(desk: Desk, rng: Rng) -> Floats | None:
    """Return, in one clip of eight with a second section, noise that rises into it."""
    starts = [start for _, start in desk.plan.starts() if start]
    if not starts or rng.random() > 0.125:
        return None
    end = min(desk.sample(float(rng.choice(starts))), desk.count)
    length = min(end, desk.sample(desk.plan.section_beats))
    rise = np.linspace(0, 1, length, dtype=np.float32) ** 2
    noise = rng.standard_normal(length).astype(np.float32) * rise
    noise[-200:] *= np.linspace(1, 0, 200, dtype=np.float32)
    audio_N = np.zeros(desk.count, dtype=np.float32)
    audio_N[end - length : end] = effects.filtered(noise, "highpass", 1500.0, False) * 0.06
    return audio_N


def mix(desk: Desk, score: Score, rng: Rng) -> Floats:
    """Mix drums and layers with ducking, echo and room."""
    plan, style = desk.plan, desk.style
    drums_N, send_N = render_drums(desk, score, rng)
    layers = {
        layer: audio_N
        for layer in ("bass", "chords", "arp", "lead")
        if (audio_N := render_layer(desk, score, layer, rng)) is not None
    }
    silence_N = np.zeros(desk.count, dtype=np.float32)
    high_N = layers.get("chords", silence_N) + layers.get("arp", silence_N)
    music_N = sweep_music(desk, layers.get("bass", silence_N) + high_N, rng)
    kicks = [desk.sample(hit.beat) for hit in score.hits if hit.drum == "kick"]
    depth = float(rng.uniform(*style.ducking))
    if kicks and depth > 0.05:
        release_s = 0.45 * plan.beat_s
        music_N = music_N * effects.ducking(kicks, desk.count, depth, release_s, plan.loop)
    lead_N = layers.get("lead", silence_N)
    echo_step = desk.sample(float(rng.choice([0.75, 0.5, 1.0])))
    echoed_N = effects.delay(
        (0.5 * high_N + 0.5 * lead_N) * np.float32(style.echo), echo_step, 0.5, plan.loop
    )
    calm = 1.4 if plan.mood == "calm" else 1.0
    room_M = effects.impulse(float(rng.uniform(*style.room_s)), float(rng.uniform(3000, 7000)), rng)
    send_N = 0.25 * send_N + high_N + 0.7 * lead_N + echoed_N
    wet_N = effects.reverb(send_N, room_M, plan.loop) * np.float32(calm * style.room)
    rise_N = riser(desk, rng)
    whole_N = drums_N + music_N + lead_N + echoed_N + wet_N
    return whole_N if rise_N is None else whole_N + rise_N


def master(desk: Desk, audio_N: Floats, rng: Rng) -> Floats:
    """Saturate, shape the level, set the clip's loudness, and keep the peak below 1."""
    mood = MOOD_STYLES[desk.plan.mood]
    peak = max(float(np.abs(audio_N).max()), 1e-6)
    # Saturation comes before the curve: a fade changes the level, not the colour.
    drive = mood.drive * float(rng.uniform(0.6, 1.4))
    audio_N = effects.saturate(audio_N / np.float32(peak), drive)
    audio_N = effects.filtered(audio_N, "highpass", 25.0, desk.plan.loop)
    audio_N = audio_N * section_gain(desk) * level_curve(desk)
    quiet_db = -12.0 if rng.random() < 0.1 else 0.0
    target_db = mood.rms_db + quiet_db + float(rng.uniform(-2.5, 2.5))
    rms = max(float(np.sqrt(np.mean(audio_N**2))), 1e-6)
    # A very peaky clip is left quieter rather than bent out of shape.
    level = min(float(gain(target_db)) / rms, 1.25 / float(np.abs(audio_N).max()))
    return effects.soft_clip(audio_N * np.float32(level))


def render(plan: Plan, score: Score, count: int, rng: Rng) -> Floats:
    """Render a score into `count` samples at 44.1 kHz."""
    desk = Desk(plan, GENRE_STYLES[plan.genre], count)
    return master(desk, mix(desk, score, rng), rng)
