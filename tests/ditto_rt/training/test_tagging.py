import numpy as np
import torch

from ditto_rt.builtin import Builtin
from ditto_rt.training.tagging import BATCH, CROPS_FRAMES, Heap, draw


def test_cuts_lie_inside_the_clips_they_are_said_to_be_of(model: Builtin) -> None:
    lengths = [100, 170, 300, 500, 600]
    starts = np.cumsum([0, *lengths])
    # Each clip's mel is its own index times ten, so a cut tells which clip it came from.
    mel_MF = torch.cat([torch.full((128, n), 10.0 * i) for i, n in enumerate(lengths)], 1).half()
    none = torch.zeros(len(lengths), dtype=torch.long)
    heap = Heap(mel_MF, starts, none, none, none)
    seen = set()
    for seed in range(6):
        torch.manual_seed(seed)
        cut_BMF, clip_B = draw(heap, model._latent, np.random.default_rng(seed))
        assert len(cut_BMF) == BATCH and cut_BMF.shape[2] in CROPS_FRAMES
        seen.add(cut_BMF.shape[2])
        assert all(lengths[i] >= cut_BMF.shape[2] for i in clip_B.tolist())
        # The disturbance is far smaller than the step from clip to clip, but for the codec's share.
        plain = (cut_BMF.mean((1, 2)) - 10.0 * clip_B).abs() < 4.0
        assert plain.float().mean() > 0.4
    assert len(seen) > 1
