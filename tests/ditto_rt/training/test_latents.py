from pathlib import Path

import numpy as np
import pytest
import torch

from ditto_rt.builtin.denoiser import grid_GW
from ditto_rt.builtin.latent import COMPONENTS, GROUPS, Latent
from ditto_rt.builtin.mel import RATE_HZ, log_mel_BMF
from ditto_rt.training.latents import STEP, Latents, draw_batch, encode_corpus, read_latents

SHARD = {"bpm_I": np.array([120.0, 90.0]), "genre_I": np.array([1, 3]), "mood_I": np.array([2, 4])}


def _latents(widths: tuple[int, ...]) -> Latents:
    # Each latent says where it lies, so that a cut can be found again.
    place = torch.arange(sum(widths)).half()
    starts = np.cumsum([0, *widths])
    labels = np.arange(1, len(widths) + 1)
    x0_CHW = place.expand(COMPONENTS, GROUPS, -1).contiguous()
    return Latents(x0_CHW, starts, 100.0 + labels, labels, labels)


def test_the_corpus_is_read_back_as_it_was_encoded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lengths = (50 * STEP, 60 * STEP + 100)
    audio_N = rng.integers(-3000, 3000, sum(lengths)).astype(np.int16)
    np.savez(
        tmp_path / "shard_00000.npz", audio_N=audio_N, start_I=[0, *np.cumsum(lengths)], **SHARD
    )
    latent = Latent()
    mel = log_mel_BMF(torch.from_numpy(audio_N[: lengths[0]] / np.float32(32767.0))[None])
    latent.fit(mel)
    encode_corpus(tmp_path, latent, tmp_path)
    data = read_latents(tmp_path)
    assert data.start_I.tolist() == [0, 50, 110]
    torch.testing.assert_close(data.x0_CHW[:, :, :50], latent.encode(mel)[0].half())
    for name, column in SHARD.items():
        np.testing.assert_array_equal(getattr(data, name), column)


def test_a_batch_is_cut_from_its_clips_with_the_grid_of_the_place() -> None:
    data = _latents((140, 150, 300))
    for seed in range(20):
        batch = draw_batch(data, 8, np.random.default_rng(seed))
        width = batch.x0_BCHW.shape[3]
        assert 43 <= width <= 259
        for row in range(8):
            first = int(batch.x0_BCHW[row, 0, 0, 0])
            clip = int(np.searchsorted(data.start_I, first, "right")) - 1
            assert first + width <= data.start_I[clip + 1]
            assert batch.genre_B[row] in (0, clip + 1) and batch.mood_B[row] in (0, clip + 1)
            bpm = float(data.bpm_I[clip])
            before = (first - data.start_I[clip]) * STEP / RATE_HZ * bpm / 60.0
            grid = grid_GW(bpm, before, width, STEP / RATE_HZ)
            torch.testing.assert_close(batch.grid_BGHW[row, :, 0], grid, atol=1e-4, rtol=0)


def test_half_of_the_clips_begin_on_their_first_beat() -> None:
    data = _latents((280,) * 4)
    firsts = torch.cat(
        [draw_batch(data, 16, np.random.default_rng(s)).x0_BCHW[:, 0, 0, 0] for s in range(40)]
    )
    assert float((firsts % 280 == 0).float().mean()) == pytest.approx(0.5, abs=0.06)


def test_tags_are_left_out_alone_and_all_at_once() -> None:
    data = _latents((280,) * 4)
    said = torch.cat(
        [
            torch.stack((one.genre_B > 0, one.mood_B > 0, one.bpm_B > 0), 1)
            for one in (draw_batch(data, 64, np.random.default_rng(s)) for s in range(60))
        ]
    ).double()
    none = float((said.sum(1) == 0).double().mean())
    assert 0.08 < none < 0.125
    for column in said.T:
        # A tenth alone, beside the tenth that are left out together.
        assert float(column.mean()) == pytest.approx(0.81, abs=0.02)


def test_the_same_step_draws_the_same_batch() -> None:
    data = _latents((140, 150, 300))
    one, same, other = (draw_batch(data, 4, np.random.default_rng((1, s))) for s in (7, 7, 8))
    assert torch.equal(one.x0_BCHW, same.x0_BCHW) and torch.equal(one.bpm_B, same.bpm_B)
    assert one.x0_BCHW.shape != other.x0_BCHW.shape or not torch.equal(one.x0_BCHW, other.x0_BCHW)
