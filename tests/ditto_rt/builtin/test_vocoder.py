import math

import numpy as np
import torch

from ditto_rt.builtin import mel, vocoder


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
        audio_N = _only_tones(0.0)(torch.zeros(1, mel.BANDS, frames))[0].double().numpy()
    middle = audio_N[20 * mel.HOP : -20 * mel.HOP]
    n = np.arange(len(middle)) / mel.RATE_HZ
    basis = np.stack([np.sin(2 * math.pi * 440 * n), np.cos(2 * math.pi * 440 * n)], 1)
    rest = middle - basis @ np.linalg.lstsq(basis, middle, rcond=None)[0]
    assert np.std(rest) < 0.02 * np.std(middle)


def test_audio_has_512_samples_for_each_frame_and_carries_gradient() -> None:
    mel_BMF = torch.zeros(2, mel.BANDS, 12, requires_grad=True)
    audio_BN = vocoder.Vocoder()(mel_BMF)
    assert audio_BN.shape == (2, 12 * mel.HOP)
    audio_BN.square().mean().backward()
    assert mel_BMF.grad is not None and mel_BMF.grad.abs().sum() > 0
