"""Controls: what each rewards, that its gradient leads there, and what it does not listen to."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ditto_rt import features, spec, targets
from ditto_rt.controls import (
    Attacks,
    Control,
    Intensity,
    IntensityShape,
    LatentMatch,
    LoopSelf,
    Melody,
    Rendered,
    Structure,
    default_weights,
    total,
)
from ditto_rt.features import ChromaSpec, MelSpec
from ditto_rt.optimise import Settings, adam, best_step, optimise
from ditto_rt.timing import frame_beats, frame_count

torch.set_num_threads(1)
RATE_HZ = 44_100
SAMPLES = 2 * RATE_HZ
MEL, CHROMA = MelSpec(RATE_HZ), ChromaSpec(RATE_HZ)
LATENT = torch.zeros(1, 4, 1, 8)


def _noise(samples: int = SAMPLES, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(1, samples, generator=generator, dtype=torch.float64)


def _tone(*midi: int, samples: int = SAMPLES) -> Tensor:
    time = torch.arange(samples, dtype=torch.float64) / RATE_HZ
    parts = [torch.sin(2 * torch.pi * 440.0 * 2 ** ((note - 69) / 12) * time) for note in midi]
    return 0.1 * torch.stack(parts).sum(0)[None]


def _loss(control: Control, audio: Tensor) -> float:
    return control.loss(Rendered(LATENT, audio)).item()


def _curve(*points: tuple[float, float]) -> Tensor:
    intensity = spec.Intensity(points=tuple(spec.Point(beat=b, db=db) for b, db in points))
    frames = frame_count(SAMPLES, 512)
    return torch.from_numpy(targets.decibels(intensity, 120.0, frames, 512, RATE_HZ)).double()


def _shaped(db_T: Tensor) -> Tensor:
    # Noise whose RMS is db_T at the centre of each frame; its own RMS is divided out.
    gain = np.interp(np.arange(SAMPLES) / 512, np.arange(len(db_T)), db_T.numpy())
    white = _noise()
    return white / white.square().mean().sqrt() * torch.from_numpy(10 ** (gain / 20))


CRESCENDO, DECRESCENDO = _curve((0, -34), (4, -14)), _curve((0, -14), (4, -34))


def test_intensity_is_small_for_audio_that_follows_the_curve() -> None:
    control = Intensity(CRESCENDO, SAMPLES)
    assert _loss(control, _shaped(CRESCENDO)) < 0.05
    # Straight lines from -34 to -14 and back: their mean squared distance is 20^2 / 3.
    assert _loss(control, _shaped(DECRESCENDO)) == pytest.approx(400 / 3, rel=0.05)


def test_intensity_off_by_six_decibels_costs_36() -> None:
    assert _loss(Intensity(CRESCENDO, SAMPLES), _shaped(CRESCENDO + 6)) == pytest.approx(36, 0.02)


def test_a_fader_takes_what_is_off_in_the_mean_and_no_more() -> None:
    control = Intensity(CRESCENDO, SAMPLES, fader_db=(-10.0, 6.0))
    assert _loss(control, _shaped(CRESCENDO - 6)) < 0.05
    assert _loss(control, _shaped(CRESCENDO + 10)) < 0.05
    assert _loss(control, _shaped(CRESCENDO - 9)) == pytest.approx(9, 0.05)
    assert _loss(control, _shaped(CRESCENDO + 14)) == pytest.approx(16, 0.05)
    # Neither does it change the shape.
    assert _loss(control, _shaped(DECRESCENDO)) == pytest.approx(400 / 3, rel=0.05)
    (gain_db,) = control.gain_db_B(Rendered(torch.zeros(1), _shaped(CRESCENDO + 4)))
    assert gain_db == pytest.approx(-4, abs=0.05)


def test_a_sudden_change_in_the_curve_can_be_met() -> None:
    jump = _curve((0, -30), (2, -30), (2.01, -12), (4, -12))
    assert _loss(Intensity(jump, SAMPLES), _shaped(jump)) < 0.1


def test_intensity_counts_only_the_frames_in_its_mask() -> None:
    late = torch.arange(len(CRESCENDO)) >= len(CRESCENDO) // 2
    wrong_early = torch.where(late, CRESCENDO, CRESCENDO - 20)
    everywhere = Intensity(CRESCENDO, SAMPLES, window=1)
    masked = Intensity(CRESCENDO, SAMPLES, window=1, mask_T=late)
    assert _loss(everywhere, _shaped(wrong_early)) > 150
    # Two frames at the border hear the other side.
    assert _loss(masked, _shaped(wrong_early)) < 3


def test_shape_does_not_hear_the_level() -> None:
    control = IntensityShape(Intensity(CRESCENDO, SAMPLES))
    quiet, loud = (_loss(control, _shaped(CRESCENDO + shift)) for shift in (-15, 10))
    assert quiet == pytest.approx(loud, abs=1e-3) and loud < 0.01
    assert _loss(control, _shaped(DECRESCENDO)) > 1.98


def _melody(control_notes: tuple[tuple[int, float, float], ...]) -> Melody:
    notes = tuple(spec.Note(pitch=p, beat=b, beats=d) for p, b, d in control_notes)
    frames = frame_count(SAMPLES, 1024)
    classes, sounding = targets.pitch_classes(
        spec.Melody(notes=notes), 120.0, frames, 1024, RATE_HZ
    )
    return Melody(torch.from_numpy(classes), torch.from_numpy(sounding), SAMPLES, CHROMA)


def test_melody_likes_its_note_and_dislikes_another() -> None:
    control = _melody(((72, 0, 4),))
    assert _loss(control, _tone(72)) < 0.5
    assert _loss(control, _tone(78)) > 5
    assert _loss(control, torch.zeros_like(_tone(72))) == pytest.approx(
        np.log(12) / control.sharpness
    )


def test_melody_is_free_where_no_note_sounds() -> None:
    control = _melody(((72, 0, 1),))
    half = SAMPLES // 2
    one, other = (
        torch.cat([_tone(72)[:, :half], _tone(note)[:, half:]], dim=1) for note in (78, 74)
    )
    assert _loss(control, one) == pytest.approx(_loss(control, other), abs=1e-6)


def test_the_melodys_gradient_strengthens_its_note_and_weakens_the_other() -> None:
    wanted, other = _tone(72), _tone(76)
    gains = torch.ones(2, dtype=torch.float64, requires_grad=True)
    loss = _melody(((72, 0, 4),)).loss(Rendered(LATENT, gains[0] * wanted + gains[1] * other))
    (gradient,) = torch.autograd.grad(loss, gains)
    assert gradient[0] < 0 < gradient[1]


def test_a_sharpness_of_one_is_the_papers_likelihood() -> None:
    control = replace(_melody(((72, 0, 4),)), sharpness=1.0)
    audio_BN = _tone(72) + 0.5 * _tone(76)
    logp_BKT = features.log_chroma(audio_BN, CHROMA)
    assert _loss(control, audio_BN) == pytest.approx(-logp_BKT[:, 0, control.mask_T].mean().item())


def test_the_sharper_the_melody_the_less_it_minds_what_its_note_drowns() -> None:
    # Noise beneath the note, as drums make it: the note is the strongest class in every frame.
    control, note_BN = _melody(((72, 0, 4),)), _tone(72)
    drums_BN = 0.3 * note_BN.abs().max() * _noise(SAMPLES)
    soft, sharp = (
        _loss(replace(control, sharpness=s), note_BN + drums_BN) - _loss(control, note_BN)
        for s in (1.0, 4.0)
    )
    assert sharp < 0.2 * soft
    # A note that drowns it is as far from what was asked as ever: the gap to the strongest.
    louder_BN = note_BN + 4 * _tone(76)
    logp_BKT = features.log_chroma(louder_BN, CHROMA)[:, :, control.mask_T]
    gap = (logp_BKT.amax(1) - logp_BKT[:, 0]).mean().item()
    assert gap <= _loss(control, louder_BN) <= gap + np.log(12) / control.sharpness


def _form(pattern: str) -> Structure:
    frames, window = targets.similarity_grid(SAMPLES, RATE_HZ, len(pattern))
    target = targets.pattern_similarity(pattern, frames, window).double()
    return Structure(target, SAMPLES, MEL, window)


def _sections(pattern: str) -> Tensor:
    length = SAMPLES // len(pattern)
    parts = {"A": _tone(69, 81, 93, samples=length), "B": _noise(length), "C": _tone(40, 45)}
    return torch.cat([parts[letter][:, :length] for letter in pattern], dim=1)


@pytest.mark.parametrize("played", ["ABBA", "ABAB", "AABB"])
def test_structure_prefers_the_form_that_is_played(played: str) -> None:
    losses = {asked: _loss(_form(asked), _sections(played)) for asked in ("ABBA", "ABAB", "AABB")}
    assert min(losses, key=losses.__getitem__) == played
    assert losses.pop(played) < 0.01 < 0.5 < min(losses.values())


def test_structure_reaches_zero_where_timbre_is_that_of_the_letters() -> None:
    # Any rotation of the letters' one-hot rows, in the place of 19 coefficients.
    control = _form("ABCA")
    ids = torch.from_numpy(targets.section_ids("ABCA", len(control.target_TT)))
    rotation = torch.linalg.qr(torch.randn(19, 19, dtype=torch.float64))[0]
    rows = rotation[:, :3] @ torch.nn.functional.one_hot(ids).T.double()
    similarity = features.self_similarity(40 * rows[None], control.window)
    assert (similarity - control.target_TT).square().mean().item() < 1e-12


def _looping(samples: int, tail: int) -> Tensor:
    return _noise(samples).repeat(1, 2)[:, : samples + tail]


def _struck(*at_s: float) -> Tensor:
    # Bursts of noise that decay within a tenth of a second, over a quiet bed.
    audio = 0.02 * _noise()
    for at in at_s:
        first = round(at * RATE_HZ)
        decay = torch.exp(-torch.arange(SAMPLES - first) / (0.02 * RATE_HZ))
        audio[:, first:] += _noise(SAMPLES - first, seed=3) * decay
    return audio


BEATS = (0.25, 0.75, 1.25, 1.75)


def _attacks(audio: Tensor) -> Attacks:
    return Attacks(features.flux(features.log_mel(audio, MEL)), SAMPLES, MEL)


def test_attacks_that_stay_cost_nothing_and_silence_costs_one() -> None:
    control = _attacks(_struck(*BEATS))
    assert _loss(control, _struck(*BEATS)) == 0.0
    assert _loss(control, torch.zeros(1, SAMPLES, dtype=torch.float64)) == pytest.approx(1.0)


def test_attacks_cost_by_how_many_are_gone_or_elsewhere() -> None:
    control = _attacks(_struck(*BEATS))
    one_gone, two_gone = (_loss(control, _struck(*BEATS[n:])) for n in (1, 2))
    assert 0.15 < one_gone < 0.35 and one_gone + 0.15 < two_gone < 0.65
    assert _loss(control, _struck(*(at + 0.1 for at in BEATS))) > 1.2


def test_attacks_leave_level_and_timbre_free() -> None:
    audio = _struck(*BEATS)
    control = _attacks(audio)
    darker = audio[:, 1:] + 0.7 * audio[:, :-1]
    darker = torch.nn.functional.pad(darker, (1, 0))
    # The floor of the logarithm alone is in the way.
    assert _loss(control, 1.5 * audio) < 0.05
    assert _loss(control, darker) < 0.1


def test_a_loop_that_repeats_itself_costs_nothing() -> None:
    # A length that is a multiple of no hop.
    control = LoopSelf(SAMPLES - 777, RATE_HZ // 2, MEL)
    assert _loss(control, _looping(SAMPLES - 777, RATE_HZ // 2)) == 0


def test_a_loop_costs_more_the_more_its_tail_departs_from_its_start() -> None:
    control = LoopSelf(SAMPLES, RATE_HZ // 2, MEL)
    same, other = _looping(SAMPLES, RATE_HZ // 2), _tone(69, samples=SAMPLES + RATE_HZ // 2)
    inside = torch.arange(same.shape[1]) < SAMPLES
    losses = [
        _loss(control, torch.where(inside, same, (1 - share) * same + share * other))
        for share in (0.0, 0.2, 0.5, 1.0)
    ]
    assert losses == sorted(losses) and losses[1] > 0.05


def test_a_loop_hears_a_jump_in_phase_through_the_waveform_only() -> None:
    # 110 Hz and half a period more: the same spectrum, the opposite sign at the loop point.
    samples = 200 * 441 + 200
    tone = _tone(45, samples=samples + RATE_HZ // 2)
    wave, spectral = (
        LoopSelf(samples, RATE_HZ // 2, MEL, wave_weight=weight) for weight in (1.0, 0.0)
    )
    assert _loss(wave, tone) - _loss(spectral, tone) > 1
    assert _loss(spectral, tone) < 1


def test_latent_match_is_the_mean_square_over_the_masked_steps() -> None:
    reference = torch.randn(1, 4, 1, 8)
    mask = torch.tensor([1.0, 1, 0, 0, 0, 0, 0, 1])
    control = LatentMatch("outpaint", reference, mask)
    x_0 = reference.clone()
    x_0[..., 2:7] += 100
    assert control.loss(Rendered(x_0)).item() == 0
    x_0[..., :2] += 3
    assert control.loss(Rendered(x_0)).item() == pytest.approx(9 * 2 / 3)
    with pytest.raises(ValueError, match="outpaint has 0 known latent steps"):
        LatentMatch("outpaint", reference, 0 * mask)


def _audio_controls() -> list[Control]:
    return [
        Intensity(CRESCENDO, SAMPLES),
        IntensityShape(Intensity(CRESCENDO, SAMPLES)),
        _melody(((72, 0, 4),)),
        _form("AB"),
        _attacks(_struck(*BEATS)),
    ]


@pytest.mark.parametrize("control", _audio_controls(), ids=lambda control: type(control).__name__)
def test_what_follows_the_loop_point_is_not_heard(control: Control) -> None:
    take = _shaped(CRESCENDO) + _tone(72)
    tails = [torch.zeros(1, 5000, dtype=torch.float64), 10 * _noise(5000)]
    one, other = (_loss(control, torch.cat([take, tail], dim=1)) for tail in tails)
    assert one == other == _loss(control, take)


@pytest.mark.parametrize(
    "control",
    [*_audio_controls(), LoopSelf(SAMPLES, 1000, MEL)],
    ids=lambda control: type(control).__name__,
)
def test_audio_that_is_too_short_is_refused(control: Control) -> None:
    assert control.needs_audio
    with pytest.raises(ValueError, match=f"audio has {SAMPLES - 1} samples; allowed: "):
        _loss(control, _noise(SAMPLES - 1))
    with pytest.raises(ValueError, match="audio has 0 samples; allowed: "):
        control.loss(Rendered(LATENT))


@pytest.mark.parametrize(
    "control",
    [*_audio_controls(), LoopSelf(SAMPLES - 5000, 5000, MEL)],
    ids=lambda control: type(control).__name__,
)
def test_the_gradient_is_the_slope_along_any_direction(control: Control) -> None:
    audio = (_shaped(CRESCENDO) + _tone(72)).requires_grad_()
    direction = _noise(seed=1)
    (gradient,) = torch.autograd.grad(control.loss(Rendered(LATENT, audio)), audio)
    step = 1e-6
    ahead, behind = (_loss(control, audio.detach() + sign * step * direction) for sign in (1, -1))
    slope = (ahead - behind) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_a_batch_costs_the_mean_of_its_clips() -> None:
    one, other = _shaped(CRESCENDO) + _tone(72), _shaped(DECRESCENDO) + _tone(75)
    for control in (*_audio_controls(), LoopSelf(SAMPLES - 5000, 5000, MEL)):
        together = _loss(control, torch.cat([one, other]))
        # The loop's waveform term is relative to the power of the whole batch.
        near = 0.2 if isinstance(control, LoopSelf) else 1e-9
        assert together == pytest.approx((_loss(control, one) + _loss(control, other)) / 2, near)


SEARCHES = {
    "curve": (Intensity(CRESCENDO.float(), SAMPLES), 0.2),
    "melody": (_melody(((72, 0, 2), (76, 2, 2))), 0.8),
    "form": (replace(_form("AB"), target_TT=_form("AB").target_TT.float()), 0.2),
    "seam": (LoopSelf(SAMPLES - RATE_HZ // 2, RATE_HZ // 2, MEL), 0.7),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_fifteen_steps_of_a_search_come_near(name: str) -> None:
    # The latent is the sound itself: levels of 64 tones in each tenth of a second.
    control, share = SEARCHES[name]
    time = torch.arange(SAMPLES) / RATE_HZ
    pitches = 440 * 2 ** (torch.arange(-9, 55) / 12)
    tones = 0.02 * torch.sin(2 * torch.pi * pitches[:, None] * time)

    def losses(x_0: Tensor) -> dict[str, Tensor]:
        levels = torch.nn.functional.interpolate(x_0[:, :, 0], SAMPLES, mode="linear")
        return total([control], Rendered(x_0, (levels * tones).sum(dim=1)))

    x_T = torch.randn(1, 64, 1, 20, generator=torch.Generator().manual_seed(0))
    steps = list(optimise(x_T, lambda x: x, losses, Settings(15, adam(0.1))))
    assert best_step(iter(steps)).total < share * steps[0].total


def test_total_weighs_and_names_each_control() -> None:
    rendered = Rendered(LATENT, _shaped(CRESCENDO + 6))
    losses = total([Intensity(CRESCENDO, SAMPLES, weight=0.25), _melody(((72, 0, 4),))], rendered)
    assert list(losses) == ["intensity", "melody"]
    assert losses["intensity"].item() == pytest.approx(36 / 4, rel=0.02)


def test_two_controls_of_one_name_are_refused() -> None:
    control = Intensity(CRESCENDO, SAMPLES)
    with pytest.raises(ValueError, match="two controls are called 'intensity'"):
        total([control, control], Rendered(LATENT, _noise()))


@pytest.mark.parametrize(
    ("names", "intensity"),
    [
        (("intensity",), 1),
        (("intensity", "melody"), 1 / 4),
        (("intensity", "outpaint"), 1 / 40),
        (("intensity", "structure"), 1 / 40),
        (("intensity", "melody", "structure", "seam"), 1 / 40),
    ],
)
def test_intensity_weighs_what_the_paper_gives_it(names: tuple[str, ...], intensity: float) -> None:
    weights = default_weights(names)
    assert set(weights) == set(names)
    assert all(weights[name] == (intensity if name == "intensity" else 1) for name in names)


def test_a_curves_frames_are_those_of_its_control() -> None:
    beats = frame_beats(len(CRESCENDO), 512, 120.0, RATE_HZ)
    assert len(CRESCENDO) == features.rms_db(_noise()).shape[1]
    assert CRESCENDO[50].item() == pytest.approx(-34 + 20 * beats[50] / 4, abs=1e-4)
