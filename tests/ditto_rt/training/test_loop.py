from pathlib import Path

import torch
from torch import Tensor, nn

from ditto_rt.training.loop import Plan, Run, train


def _fit(path: Path, steps: int) -> Run:
    torch.manual_seed(1)
    network = nn.Linear(4, 1)
    run = Run(network, Plan(steps, 1e-2), path)

    def loss_of() -> Tensor:
        x = torch.randn(16, 4)
        return (network(x)[:, 0] - x.sum(1)).square().mean()

    train(run, loss_of, "test")
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
