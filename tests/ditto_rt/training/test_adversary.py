import pytest
import torch

from ditto_rt.training.adversary import ALONE_STEPS, RAMP_STEPS, SHARE, Adversary, balanced

CPU = torch.device("cpu")


def _smooth_and_grainy() -> tuple[torch.Tensor, torch.Tensor]:
    """A click in each frame, which has no grain, and noise of the same power."""
    made_BN = torch.zeros(2, 16384)
    made_BN[:, ::256] = 1.6
    return made_BN, 0.1 * torch.randn(2, 16384)


def test_it_learns_to_tell_noise_from_clicks() -> None:
    torch.manual_seed(0)
    adversary = Adversary(CPU)
    told = [float(adversary.judge(*_smooth_and_grainy()).losses["told_apart"]) for _ in range(40)]
    assert told[0] > 1.5
    assert told[-1] < 0.6 * told[0]


def test_its_pull_leads_to_what_it_believes() -> None:
    torch.manual_seed(0)
    adversary = Adversary(CPU)
    for _ in range(40):
        adversary.judge(*_smooth_and_grainy())
    made_BN, real_BN = _smooth_and_grainy()
    before = adversary.judge(made_BN, real_BN)
    moved_BN = made_BN - 1.0 * before.pull_BN / before.pull_BN.norm()
    after = adversary.judge(moved_BN, real_BN)
    assert after.losses["adversarial"] < before.losses["adversarial"]


def test_it_pulls_only_after_it_has_learnt_alone() -> None:
    adversary = Adversary(CPU)
    shares = []
    for step in (0, ALONE_STEPS, ALONE_STEPS + RAMP_STEPS // 2, ALONE_STEPS + 2 * RAMP_STEPS):
        adversary.step = step
        shares.append(adversary.share())
    assert shares == pytest.approx([0.0, 0.0, 0.5 * SHARE, SHARE])


def test_judging_asks_nothing_of_who_made_the_audio() -> None:
    made_BN, real_BN = _smooth_and_grainy()
    made_BN.requires_grad_()
    verdict = Adversary(CPU).judge(made_BN, real_BN)
    assert made_BN.grad is None
    assert verdict.pull_BN.shape == made_BN.shape and not verdict.pull_BN.requires_grad
    # One half of the time is judged.
    assert 0.4 < float((verdict.pull_BN != 0).float().mean()) < 0.6


def test_the_pull_has_its_share_whatever_its_scale() -> None:
    near_BN, pull_BN = torch.randn(1, 100), torch.randn(1, 100)
    once = balanced(near_BN, pull_BN, 0.5)
    torch.testing.assert_close(once, balanced(near_BN, 1e4 * pull_BN, 0.5))
    assert float((once - near_BN).norm()) == pytest.approx(0.5 * float(near_BN.norm()), rel=1e-4)
    assert torch.equal(balanced(near_BN, 0.0 * pull_BN, 0.5), near_BN)
