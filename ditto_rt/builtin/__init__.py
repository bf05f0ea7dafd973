"""The built-in model: trained by this project, shipped with it, and loaded without a network."""

from ditto_rt.builtin.model import Builtin, load

__all__ = ["Builtin", "load"]
