import librosa
import numpy as np
import torch

from ditto_rt.builtin import mel


def test_equals_librosa() -> None:
    audio_N = np.random.default_rng(0).normal(size=20 * mel.HOP).astype(np.float32)
    ours_MF = mel.log_mel_BMF(torch.from_numpy(audio_N)[None])[0].numpy()
    theirs_MF = librosa.feature.melspectrogram(
        y=audio_N,
        sr=mel.RATE_HZ,
        n_fft=mel.N_FFT,
        hop_length=mel.HOP,
        power=1.0,
        n_mels=mel.BANDS,
        fmin=mel.LOW_HZ,
        fmax=mel.HIGH_HZ,
        norm=None,
        pad_mode="reflect",
    )
    np.testing.assert_allclose(ours_MF, np.log(np.maximum(theirs_MF, mel.FLOOR))[:, :20], atol=1e-3)


def test_frame_f_is_centred_on_sample_512_f() -> None:
    audio_BN = torch.zeros(1, 40 * mel.HOP)
    audio_BN[0, 17 * mel.HOP] = 1.0
    assert mel.log_mel_BMF(audio_BN).sum(1).argmax() == 17
