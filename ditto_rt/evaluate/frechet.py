"""The Frechet distance between two sets of embeddings. N clips, E embedding."""

import numpy as np
from numpy.typing import NDArray


def frechet(first_NE: NDArray[np.float64], second_NE: NDArray[np.float64]) -> float:
    """Return the squared distance of the normal distributions that fit the two sets.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Heusel et al. 2017, eq. 6). It falls towards its
    limit as sets grow, so compare sets of one size only. Raises ValueError for fewer than two rows.
    """
    if min(len(first_NE), len(second_NE)) < 2:
        raise ValueError(f"sets have {len(first_NE)} and {len(second_NE)} rows; allowed: 2 or more")
    apart_E = first_NE.mean(0) - second_NE.mean(0)
    first_EE, second_EE = (np.cov(rows, rowvar=False) for rows in (first_NE, second_NE))
    # The product of two such matrices has real eigenvalues of 0 or more, but for rounding.
    shared = np.sqrt(np.linalg.eigvals(first_EE @ second_EE).real.clip(0.0)).sum()
    return float(apart_E @ apart_E + np.trace(first_EE) + np.trace(second_EE) - 2.0 * shared)
