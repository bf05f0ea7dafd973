import math

import numpy as np
import torch

from ditto_rt.builtin import Builtin, mel, vocoder
from ditto_rt.training.corpus import HELD_OUT_SEEDS, make_clip


def test_lobe_is_the_spectrum_of_the_window() -> None:
    offsets = torch.linspace(-3.5, 3.5, 57, dtype=torch.float64)
    n = np.arange(mel.N_FFT)
    window = np.hanning(mel.N_FFT + 1)[:-1]
    turned = np.exp(-2j * math.pi * np.outer(offsets.numpy(), n - mel.N_FFT / 2) / mel.N_FFT)
    exact = (turned @ window).real / window.sum()
    np.testing.assert_allclose(vocoder.hann_lobe(offsets).numpy(), exact, atol=1e-5)


def _only_tones(level_db: float) -> vocoder.Vocoder:
    torch.manual_seed(0)
    made = vocoder.Vocoder()
    with torch.no_grad():
        made.noise.weight.zero_()
        made.noise.bias.fill_(-30.0)
        made.tones.weight.zero_()
        gain = made.tones.bias[: vocoder.OSCILLATORS].fill_(-30.0)
        gain[69 - vocoder.LOWEST_PITCH] = 0.7 + level_db / 20 * math.log(10)
    return made


def test_held_oscillator_is_one_sine_at_440_hz() -> None:
    frames = 200
    with torch.no_grad():
        made = _only_tones(0.0).unmatched(torch.zeros(1, mel.BANDS, frames), circular=False)
    audio_N = made[0].double().numpy()
    middle = audio_N[20 * mel.HOP : -20 * mel.HOP]
    n = np.arange(len(middle)) / mel.RATE_HZ
    basis = np.stack([np.sin(2 * math.pi * 440 * n), np.cos(2 * math.pi * 440 * n)], 1)
    rest = middle - basis @ np.linalg.lstsq(basis, middle, rcond=None)[0]
    assert np.std(rest) < 0.02 * np.std(middle)


def test_turns_are_closed_by_a_tiny_detune() -> None:
    turn_BFO = 3.0 + torch.rand(1, 50, 8, generator=torch.Generator().manual_seed(0))
    closed_BFO = vocoder.close_turns(turn_BFO)
    turns = closed_BFO.sum(1) / (2.0 * math.pi)
    torch.testing.assert_close(turns, turns.round(), atol=1e-4, rtol=0)
    # At most half a turn over the whole loop.
    assert (closed_BFO - turn_BFO).abs().max() <= math.pi / 50 + 1e-5


def test_held_oscillator_of_a_loop_closes() -> None:
    frames = 45
    with torch.no_grad():
        made = _only_tones(0.0).unmatched(torch.zeros(1, mel.BANDS, frames), circular=True)
    audio_N = made[0].double().numpy()
    level_K = np.abs(np.fft.rfft(audio_N)) / len(audio_N)
    cycles = round(440 * len(audio_N) / mel.RATE_HZ)
    # A whole number of cycles and nothing else, beside the lobe's truncation.
    assert level_K.argmax() == cycles
    assert np.delete(level_K, cycles).max() < 0.02 * level_K[cycles]


def _held_out_mel() -> torch.Tensor:
    clip = make_clip(HELD_OUT_SEEDS[1], 3.0)
    whole = len(clip.audio_N) // mel.HOP * mel.HOP
    return mel.log_mel_BMF(torch.from_numpy(clip.audio_N[:whole])[None])


def test_a_turned_loop_without_tones_is_the_same_loop_turned(model: Builtin) -> None:
    network = vocoder.Vocoder()
    network.load_state_dict(model._vocoder.state_dict())
    with torch.no_grad():
        network.tones.weight.zero_()
        network.tones.bias.fill_(-30.0)
        mel_BMF = _held_out_mel()
        straight_BN = network(mel_BMF, circular=True)
        turned_BN = network(mel_BMF.roll(40, 2), circular=True)
    torch.testing.assert_close(turned_BN, straight_BN.roll(40 * mel.HOP, 1), atol=1e-3, rtol=0)


def test_a_turned_loop_differs_in_the_phases_of_its_tones_alone(model: Builtin) -> None:
    mel_BMF = _held_out_mel()
    with torch.no_grad():
        straight_BMF, turned_BMF = (
            mel.log_mel_BMF(model.vocode(asked, circular=True))
            for asked in (mel_BMF, mel_BMF.roll(40, 2))
        )
    inside = slice(44, -4)
    near = (turned_BMF.roll(-40, 2) - straight_BMF)[..., inside].abs().mean()
    assert near < 0.1


def test_the_seam_of_a_loop_is_as_true_as_the_same_place_inside(model: Builtin) -> None:
    mel_BMF = _held_out_mel()
    frames = mel_BMF.shape[2]
    around = torch.arange(-4, 4)

    def off_at_the_joint(turned: int, circular: bool) -> float:
        asked_BMF = mel_BMF.roll(turned, 2)
        with torch.no_grad():
            three_BN = model.vocode(asked_BMF, circular=circular).repeat(1, 3)
        made_BMF = mel.log_mel_BMF(three_BN)[..., frames : 2 * frames]
        return float((made_BMF - asked_BMF)[..., (around + turned) % frames].abs().mean())

    seam, inside = off_at_the_joint(0, True), off_at_the_joint(frames // 2, True)
    assert abs(seam - inside) < 0.1 * inside
    assert off_at_the_joint(0, False) > 1.1 * seam


def test_audio_has_512_samples_for_each_frame_and_carries_gradient() -> None:
    mel_BMF = torch.zeros(2, mel.BANDS, 12, requires_grad=True)
    audio_BN = vocoder.Vocoder()(mel_BMF)
    assert audio_BN.shape == (2, 12 * mel.HOP)
    audio_BN.square().mean().backward()
    assert mel_BMF.grad is not None and mel_BMF.grad.abs().sum() > 0
