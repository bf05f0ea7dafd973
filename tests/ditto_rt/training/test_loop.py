from pathlib import Path

import torch
from torch import Tensor, nn

from ditto_rt.training.loop import Plan, Run, train


def _fit(path: Path, steps: int) -> Run:
    torch.manual_seed(1)
    network = nn.Linear(4, 1)
    run = Run(network, Plan(steps, 1e-2), path)

    def losses_of() -> dict[str, Tensor]:
        x = torch.randn(16, 4)
        return {"square": (network(x)[:, 0] - x.sum(1)).square().mean()}

    train(run, losses_of, "test")
    return run


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    # The same plan twice over would decay at other steps, so the plan is the longer one's.
    whole = _fit(tmp_path / "whole.pt", 60)
    torch.manual_seed(1)
    network = nn.Linear(4, 1)
    broken = Run(network, Plan(60, 1e-2), tmp_path / "broken.pt")
    for _ in range(25):
        x = torch.randn(16, 4)
        broken.advance((network(x)[:, 0] - x.sum(1)).square().mean())
    broken.save()
    resumed = _fit(tmp_path / "broken.pt", 60)
    assert resumed.step == 60
    for name, value in whole.averaged().items():
        torch.testing.assert_close(resumed.averaged()[name], value)


def test_the_average_forgets_its_start(tmp_path: Path) -> None:
    run = _fit(tmp_path / "run.pt", 400)
    torch.testing.assert_close(run.averaged()["weight"], torch.ones(1, 4), atol=0.1, rtol=0)


def test_losses_are_added_up_and_kept_by_name(tmp_path: Path) -> None:
    network = nn.Linear(1, 1, bias=False)
    run = Run(network, Plan(50, 0.0), tmp_path / "run.pt")
    seen: list[float] = []

    def losses_of() -> dict[str, Tensor]:
        loss = network.weight.square().sum()
        loss.register_hook(lambda gradient: seen.append(float(gradient)))
        return {"one": loss, "half": 0.5 * loss}

    train(run, losses_of, "test")
    ((step, smooth),) = run.history
    assert step == 50 and smooth["half"] == 0.5 * smooth["one"]
    assert seen == [1.5] * 50


def test_a_follower_has_the_average_and_moves_with_it(tmp_path: Path) -> None:
    network = nn.Linear(4, 1)
    run = Run(network, Plan(20, 1e-1), tmp_path / "run.pt")
    follower = run.follower(network)
    before = follower.weight.clone()
    for _ in range(20):
        run.advance(network(torch.ones(1, 4)).square().sum())
    assert torch.equal(follower.weight, run.averaged()["weight"])
    assert not torch.equal(follower.weight, before)
    assert not torch.equal(follower.weight, network.weight)
    assert not follower.weight.requires_grad
