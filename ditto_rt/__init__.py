"""DITTO on music diffusion models: tensors in, tensors out.

Importing this package loads no torch, so the control process may read its specifications.
"""

__version__ = "0.1.0"
