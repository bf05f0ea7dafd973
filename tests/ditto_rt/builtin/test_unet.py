"""diffusers without torch's compiler, in processes of their own."""

import subprocess
import sys
import textwrap

import pytest

from tests.source_tree import ROOT


def said(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout.strip()


def test_a_take_is_made_without_the_compiler_and_it_can_be_had_after_that() -> None:
    program = """
        import sys, torch
        from ditto_rt import builtin
        from ditto_rt.render import render
        from ditto_rt.spec import Intensity, Job, Point, Quality

        model = builtin.load(torch.device("cpu"))
        curve = Intensity(points=(Point(beat=0, db=-20),))
        job = Job(bpm=240, beats=4, intensity=curve, quality=Quality(iterations=1))
        *_, take = render(job, model, 48_000)
        print(len(take.audio_N), "torch._dynamo" in sys.modules)
        double = torch.compile(lambda x: 2 * x, backend="eager")
        print(double(torch.ones(1)).item(), "torch._dynamo" in sys.modules)
    """
    assert said(program).splitlines() == ["48000 False", "2.0 True"]


@pytest.mark.parametrize("stand_in", ['ModuleType("torch._dynamo")', "None"])
def test_a_stand_in_that_is_not_enough_is_left_for_the_compiler_itself(stand_in: str) -> None:
    # As it would be where another version of diffusers or torch asks for more.
    program = f"""
        import runpy, sys
        from types import ModuleType
        # The file alone: its package has diffusers imported already.
        made = runpy.run_path("ditto_rt/builtin/unet.py")["unet_class"]({stand_in})
        print(made.__name__, hasattr(sys.modules["torch._dynamo"], "optimize"))
        print(sum(p.numel() for p in made(
            sample_size=8, in_channels=2, out_channels=2, block_out_channels=(8, 8),
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), norm_num_groups=4,
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=4,
            attention_head_dim=4,
        ).parameters()) > 1000)
    """
    assert said(program).splitlines() == ["UNet2DConditionModel True", "True"]
