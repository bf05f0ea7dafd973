"""Features against librosa and scipy, their gradients, and what a search needs of them."""

import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import savgol_filter
from torch import Tensor

from ditto_rt import features
from ditto_rt.features import ChromaSpec, MelSpec

torch.set_num_threads(1)
RATE_HZ = 44_100
MEL, CHROMA = MelSpec(RATE_HZ), ChromaSpec(RATE_HZ)


def _music(seconds: float = 1.5) -> NDArray[np.float64]:
    # Two chords, a bass, a fade and some noise: no band is empty, nothing is constant.
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    rng = np.random.default_rng(0)
    notes = np.where(time[None] < seconds / 2, [[60], [64], [67], [40]], [[62], [65], [69], [45]])
    tones = np.sin(2 * np.pi * librosa.midi_to_hz(notes) * time).sum(0)
    return (0.1 * tones + 0.003 * rng.standard_normal(len(time))) * (0.3 + 0.7 * time / seconds)


def _torch(audio: NDArray[np.float64], dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(audio, dtype=dtype)[None]


def _sine(hz: float, seconds: float = 0.5, amplitude: float = 0.5) -> Tensor:
    time = torch.arange(int(seconds * RATE_HZ), dtype=torch.float64) / RATE_HZ
    return amplitude * torch.sin(2 * torch.pi * hz * time)[None]


def test_power_spectrum_is_librosas() -> None:
    expected = np.abs(librosa.stft(_music(), n_fft=2048, hop_length=512)) ** 2
    ours = features.stft_power(_torch(_music()), 2048, 512)[0].numpy()
    assert ours.shape == (1025, 1 + len(_music()) // 512)
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6 * expected.max())


def test_log_mel_is_librosas() -> None:
    expected = librosa.feature.melspectrogram(
        y=_music(), sr=RATE_HZ, n_fft=2048, hop_length=512, n_mels=128, fmin=20, fmax=20_000
    )
    ours = features.log_mel(_torch(_music()), MEL)[0].numpy()
    # Nepers; librosa's filters are float32.
    np.testing.assert_allclose(ours, np.log(expected + MEL.floor), atol=1e-4)


def test_rms_is_librosas_in_decibels() -> None:
    expected = librosa.feature.rms(
        y=_music(), frame_length=2048, hop_length=512, center=True, pad_mode="reflect"
    )
    ours = features.rms_db(_torch(_music()))[0].numpy()
    np.testing.assert_allclose(ours, 20 * np.log10(expected[0]), atol=1e-4)


def test_level_of_a_sine_is_its_rms_up_to_both_ends() -> None:
    # -6.02 dB amplitude, 3.01 dB less as RMS; reflected ends are no quieter.
    level = features.rms_db(_sine(441.0))
    assert torch.allclose(level, torch.full_like(level, -9.03), atol=0.1)


def test_level_of_silence_is_the_floor_and_has_a_gradient() -> None:
    silence = torch.zeros(1, RATE_HZ, requires_grad=True)
    level = features.rms_db(silence)
    assert torch.allclose(level, torch.full_like(level, -100.0))
    (gradient,) = torch.autograd.grad(level.sum(), silence)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(("frames", "window", "order"), [(90, 11, 2), (90, 89, 2), (20, 5, 3)])
def test_savgol_is_scipys(frames: int, window: int, order: int) -> None:
    curve = np.random.default_rng(0).standard_normal((3, frames))
    expected = savgol_filter(curve, window, order, axis=-1, mode="interp")
    ours = features.savgol(torch.from_numpy(curve), window, order).numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-10)


def test_savgol_keeps_a_ramp_a_ramp() -> None:
    ramp = torch.linspace(-40, -10, 120, dtype=torch.float64)
    assert torch.allclose(features.savgol(ramp, 87), ramp, atol=1e-10)


def test_savgol_fits_its_window_to_a_short_curve() -> None:
    curve = torch.randn(30, dtype=torch.float64)
    expected = torch.from_numpy(savgol_filter(curve.numpy(), 29, 2))
    assert torch.allclose(features.savgol(curve, 87), expected, atol=1e-10)
    assert torch.equal(features.savgol(curve, 1), curve)
    assert torch.equal(features.savgol(curve[:2], 87), curve[:2])


def test_chroma_is_librosas_behind_a_butterworth_high_pass() -> None:
    power = np.abs(librosa.stft(_music(), n_fft=4096, hop_length=1024)) ** 2
    bins_hz = librosa.fft_frequencies(sr=RATE_HZ, n_fft=4096)
    with np.errstate(divide="ignore"):
        passed = power * (1 / (1 + (261.2 / bins_hz) ** 4))[:, None]
    filters = librosa.filters.chroma(sr=RATE_HZ, n_fft=4096, tuning=0)
    expected = filters @ passed
    ours = features.chroma(_torch(_music()), CHROMA)[0].numpy()
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6 * expected.max())


def test_high_pass_halves_the_power_at_middle_c_and_takes_the_bass_away() -> None:
    gains = features.high_pass(np.array([0.0, 261.2 / 4, 261.2, 261.2 * 4]))
    assert gains == pytest.approx([0, 1 / 257, 1 / 2, 256 / 257])


@pytest.mark.parametrize("pitch", range(60, 96))
def test_the_strongest_pitch_class_is_that_of_the_note(pitch: int) -> None:
    logp = features.log_chroma(_sine(float(librosa.midi_to_hz(pitch))), CHROMA)
    assert (logp.argmax(dim=1) == pitch % 12).all()


def test_a_bass_note_below_middle_c_hides_no_melody() -> None:
    both = _sine(65.4, amplitude=0.5) + _sine(659.3, amplitude=0.15)
    assert (features.log_chroma(both, CHROMA).argmax(dim=1) == 4).all()


def test_log_chroma_is_a_distribution_even_in_silence() -> None:
    for audio in (_torch(_music()), torch.zeros(1, RATE_HZ, dtype=torch.float64)):
        logp = features.log_chroma(audio, CHROMA)
        total = logp.exp().sum(dim=1)
        assert torch.allclose(total, torch.ones_like(total))
    assert torch.allclose(logp.exp(), torch.full_like(logp, 1 / 12))


def test_mfcc_is_librosas_without_the_first() -> None:
    mel = features.log_mel(_torch(_music()), MEL)
    expected = librosa.feature.mfcc(S=mel[0].numpy(), n_mfcc=20)[1:]
    np.testing.assert_allclose(features.mfcc(mel, 20)[0].numpy(), expected, atol=1e-9)


def test_timbre_does_not_hear_the_level() -> None:
    # Loud enough for the floor to be far below.
    noise = torch.randn(1, RATE_HZ, dtype=torch.float64)
    soft, loud = (features.timbre(gain * noise, MEL, 10) for gain in (0.1, 1.0))
    assert torch.allclose(soft, loud, atol=0.05)


def test_timbre_averages_equal_parts() -> None:
    mel = features.log_mel(_torch(_music())[:, : 512 * 119], MEL)
    assert mel.shape[2] == 120
    expected = features.mfcc(mel).reshape(1, 19, 10, 12).mean(dim=3)
    ours = features.timbre(_torch(_music())[:, : 512 * 119], MEL, 10)
    assert torch.allclose(ours, expected, atol=1e-10)


def test_self_similarity_is_one_with_itself_and_symmetric() -> None:
    similarity = features.self_similarity(torch.randn(2, 19, 40, dtype=torch.float64))
    assert torch.allclose(similarity, similarity.transpose(1, 2))
    diagonal = similarity.diagonal(dim1=1, dim2=2)
    assert torch.allclose(diagonal, torch.ones_like(diagonal))
    assert similarity.abs().max() <= 1 + 1e-12


def test_smoothing_the_frames_smooths_the_matrix_along_both_axes() -> None:
    frames = torch.randn(1, 19, 40, dtype=torch.float64)
    plain = features.self_similarity(frames)[0].numpy()
    both = savgol_filter(savgol_filter(plain, 11, 2, axis=0), 11, 2, axis=1)
    np.testing.assert_allclose(features.self_similarity(frames, 11)[0].numpy(), both, atol=1e-10)


SMALL_MEL = MelSpec(8000, n_fft=128, hop=64, bands=16, high_hz=4000)
SMALL_CHROMA = ChromaSpec(8000, n_fft=256, hop=128)
DIFFERENTIABLE = {
    "rms": lambda audio: features.rms_db(audio, 128, 64),
    "mel": lambda audio: features.log_mel(audio, SMALL_MEL),
    "chroma": lambda audio: features.log_chroma(audio, SMALL_CHROMA),
    "structure": lambda audio: features.self_similarity(features.timbre(audio, SMALL_MEL, 8), 5),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradient_is_that_of_finite_differences(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    audio = torch.randn(1, 640, generator=generator, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(DIFFERENTIABLE[name], (audio,), fast_mode=True, atol=1e-6)


def test_a_first_use_in_inference_mode_leaves_later_gradients_intact() -> None:
    # Constants are cached; one made as an inference tensor would break every backward pass.
    mel, chroma = MelSpec(RATE_HZ, bands=37), ChromaSpec(RATE_HZ, n_fft=2048)
    with torch.inference_mode():
        features.timbre(_sine(441.0), mel, 5)
        features.log_chroma(_sine(441.0), chroma)
        features.savgol(torch.zeros(77), 9)
    audio = _sine(441.0).requires_grad_()
    loss = features.timbre(audio, mel, 5).sum() + features.log_chroma(audio, chroma).sum()
    (gradient,) = torch.autograd.grad(loss + features.savgol(audio[:, :77], 9).sum(), audio)
    assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


@pytest.mark.parametrize("rate_hz", [22_050, 32_000, 48_000])
def test_other_rates_hear_the_same_notes(rate_hz: int) -> None:
    time = torch.arange(rate_hz // 2, dtype=torch.float64) / rate_hz
    audio = torch.sin(2 * torch.pi * 880.0 * time)[None]
    assert (features.log_chroma(audio, ChromaSpec(rate_hz)).argmax(dim=1) == 9).all()
    assert features.log_mel(audio, MelSpec(rate_hz)).shape[1] == 128
