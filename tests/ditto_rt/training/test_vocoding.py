from pathlib import Path

import pytest
import torch

from ditto_rt.builtin import weights
from ditto_rt.builtin.latent import Latent
from ditto_rt.training import adversary, vocoding
from ditto_rt.training.adversary import Adversary
from ditto_rt.training.loop import Plan, Run
from ditto_rt.training.vocoder_loss import mel_distance, multi_resolution

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small corpus with the shipped latent; the adversary joins at once."""
    from ditto_rt.training.shards import write_shard

    monkeypatch.setattr("ditto_rt.training.shards.SHARD_CLIPS", 1)
    monkeypatch.setattr(adversary, "ALONE_STEPS", 1)
    monkeypatch.setattr(adversary, "RAMP_STEPS", 1)
    monkeypatch.setattr(vocoding, "BATCH", 1)
    (tmp_path / "corpus").mkdir()
    write_shard(tmp_path / "corpus", 0)
    latent = Latent()
    weights.load_into(latent, weights.LATENT)
    torch.save(latent.state_dict(), tmp_path / "latent.pt")
    return tmp_path


def _trained(folder: Path, steps: int, minutes: float | None = None) -> Run:
    # A run is told when to stop by minutes, so that its plan, and its rate, stay the whole one's.
    return vocoding.train_vocoder(folder, Plan(steps, 1e-3, minutes=minutes), CPU, shipped=True)


def test_a_broken_run_ends_as_a_whole_one_with_its_adversary(folder: Path) -> None:
    torch.manual_seed(5)
    whole = _trained(folder, 4).averaged()
    judge = torch.load(folder / "vocoder.pt", weights_only=True)["adversary"]
    (folder / "vocoder.pt").unlink()
    torch.manual_seed(5)
    for step in range(1, 5):
        assert _trained(folder, 4, minutes=0.0).step == step
        # What else draws from the generator between two runs changes nothing.
        torch.rand(7)
    state = torch.load(folder / "vocoder.pt", weights_only=True)
    assert state["adversary"]["step"] == judge["step"] == 4
    for name, value in judge["network"].items():
        torch.testing.assert_close(state["adversary"]["network"][name], value)
    for name, value in state["average"].items():
        torch.testing.assert_close(value, whole[name])


def test_a_checkpoint_from_before_the_adversary_goes_on_with_a_new_one(folder: Path) -> None:
    _trained(folder, 1)
    old = torch.load(folder / "vocoder.pt", weights_only=True)
    del old["adversary"], old["cuda_rng"]
    torch.save(old, folder / "vocoder.pt")
    assert _trained(folder, 2).step == 2
    assert torch.load(folder / "vocoder.pt", weights_only=True)["adversary"]["step"] == 1


def test_the_slope_is_that_of_the_distances_until_the_adversary_joins() -> None:
    torch.manual_seed(0)
    real_BN = 0.1 * torch.randn(1, 8192)
    made_BN = (0.1 * torch.randn(1, 8192)).requires_grad_()
    judge = Adversary(CPU)
    losses = vocoding.pulled(made_BN, real_BN, judge)
    torch.stack(list(losses.values())).sum().backward()
    alone = made_BN.grad
    made_BN.grad = None
    near = multi_resolution(made_BN, real_BN) + mel_distance(made_BN, real_BN)
    near.backward()
    torch.testing.assert_close(alone, made_BN.grad)
    torch.testing.assert_close(losses["spectra"] + losses["mel"], near)

    made_BN.grad = None
    judge.step = adversary.ALONE_STEPS + adversary.RAMP_STEPS
    torch.stack(list(vocoding.pulled(made_BN, real_BN, judge).values())).sum().backward()
    assert not torch.allclose(alone, made_BN.grad)
