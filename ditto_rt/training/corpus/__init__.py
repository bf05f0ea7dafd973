"""The corpus: music composed, rendered and labelled by code, any number of clips from a seed."""

from ditto_rt.training.corpus.clip import HELD_OUT_SEEDS, Clip, make_clip

__all__ = ["HELD_OUT_SEEDS", "Clip", "make_clip"]
