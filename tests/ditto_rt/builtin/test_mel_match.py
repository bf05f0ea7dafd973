import pytest
import torch

from ditto_rt.builtin import frames, mel, mel_match
from ditto_rt.builtin.frames import analyse, synthesise
from ditto_rt.builtin.mel import BANDS, HOP, RATE_HZ, log_mel_BMF
from ditto_rt.builtin.mel_match import LAST_PUSHES, MOST, match_mel

FRAMES = 24


def _noise(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(1, FRAMES * HOP, generator=generator)


def _slope() -> torch.Tensor:
    # Smooth over bands and time, as music's mel is; at most 1 nat.
    bands, frames = torch.meshgrid(torch.arange(BANDS), torch.arange(FRAMES), indexing="ij")
    return (bands / 20.0 + frames / 4.0).sin()[None]


def _above_the_bass(audio_BN: torch.Tensor) -> torch.Tensor:
    spectrum = torch.fft.rfft(audio_BN)
    hz = torch.fft.rfftfreq(audio_BN.shape[1], 1.0 / RATE_HZ)
    return torch.fft.irfft(spectrum * (hz > 900.0), audio_BN.shape[1])


def test_audio_that_has_the_mel_already_stays_above_the_bass() -> None:
    audio_BN = _noise(0)
    made_BN = match_mel(audio_BN, log_mel_BMF(audio_BN), circular=False)
    inside = slice(2 * HOP, -2 * HOP)
    stayed, was = (_above_the_bass(one)[:, inside] for one in (made_BN, audio_BN))
    torch.testing.assert_close(stayed, was, atol=1e-3, rtol=0)


def test_phases_of_the_bass_settle_into_what_frames_can_have() -> None:
    samples = torch.arange(FRAMES * HOP) / RATE_HZ
    tone_BN = 0.5 * torch.sin(2 * torch.pi * 55.0 * samples)[None]
    # The right magnitudes, and phases that jump by up to an eighth of a turn to either side.
    spectrum_BFK = analyse(tone_BN, circular=False)
    turned = 0.25 * (torch.rand(FRAMES, generator=torch.Generator().manual_seed(6)) - 0.5)
    jumpy_BN = synthesise(spectrum_BFK * torch.exp(2j * torch.pi * turned)[:, None], circular=False)
    made_BN = match_mel(jumpy_BN, log_mel_BMF(tone_BN), circular=False)

    def purity(audio_BN: torch.Tensor) -> float:
        size_BFK = analyse(audio_BN, False).abs()[:, 4:-4]
        real_BFK = spectrum_BFK.abs()[:, 4:-4]
        return float((size_BFK - real_BFK).norm() / real_BFK.norm())

    assert purity(made_BN) < 0.5 * purity(jumpy_BN)


@pytest.mark.parametrize("circular", [False, True])
def test_the_mel_comes_nearer_by_two_thirds(circular: bool) -> None:
    audio_BN = _noise(1)
    asked_BMF = log_mel_BMF(audio_BN) + _slope()
    made_BMF = log_mel_BMF(match_mel(audio_BN, asked_BMF, circular))
    inside = slice(2, -2)
    before = _slope()[..., inside].abs().mean()
    assert (made_BMF - asked_BMF)[..., inside].abs().mean() < before / 3


def test_no_bin_moves_further_than_three_steps_may() -> None:
    audio_BN = _noise(2)
    asked_BMF = log_mel_BMF(audio_BN)
    asked_BMF[:, BANDS // 2 :] += 10.0
    loud_BN = match_mel(audio_BN, asked_BMF, circular=False)
    # What lies above the highest band stays as it was.
    louder = _above_the_bass(loud_BN).std() / _above_the_bass(audio_BN).std()
    assert 0.9 < louder / torch.e ** (MOST + sum(LAST_PUSHES) * MOST) < 1.0


def test_a_turned_loop_gives_the_same_turned() -> None:
    audio_BN = _noise(3)
    asked_BMF = log_mel_BMF(audio_BN) + _slope()
    turned_BN = match_mel(audio_BN.roll(7 * HOP, 1), asked_BMF.roll(7, 2), circular=True)
    straight_BN = match_mel(audio_BN, asked_BMF, circular=True)
    torch.testing.assert_close(turned_BN, straight_BN.roll(7 * HOP, 1), atol=1e-5, rtol=0)


def test_gradients_are_those_of_finite_differences() -> None:
    audio_BN = _noise(4).double().requires_grad_()
    asked_BMF = (log_mel_BMF(audio_BN.detach()) + _slope()).requires_grad_()
    generator = torch.Generator().manual_seed(5)
    ways = [torch.randn(x.shape, generator=generator).double() for x in (audio_BN, asked_BMF)]

    def value(step: float) -> torch.Tensor:
        moved = match_mel(audio_BN + step * ways[0], asked_BMF + step * ways[1], False)
        # The phases of the bass are found without a gradient.
        return _above_the_bass(moved).pow(4).sum()

    slopes = torch.autograd.grad(value(0.0), (audio_BN, asked_BMF))
    along = sum((slope * way).sum() for slope, way in zip(slopes, ways, strict=True))
    with torch.no_grad():
        between = (value(1e-6) - value(-1e-6)) / 2e-6
    torch.testing.assert_close(along, between, rtol=5e-3, atol=0)


def test_tables_first_made_without_gradients_serve_with_them() -> None:
    mel._filters.cache_clear()
    mel_match._filters.cache_clear()
    for made_once in (frames._window, frames._mirrored_K, frames._weight_N):
        made_once.cache_clear()
    with torch.inference_mode():
        match_mel(_noise(7), _slope(), circular=False)
    asked_BMF = _slope().requires_grad_()
    (slope,) = torch.autograd.grad(match_mel(_noise(7), asked_BMF, False).sum(), asked_BMF)
    assert slope.abs().sum() > 0.0
