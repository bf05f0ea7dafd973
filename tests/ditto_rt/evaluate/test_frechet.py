import numpy as np
import pytest
from scipy.linalg import sqrtm

from ditto_rt.evaluate.frechet import frechet


def _rows(seed: int, count: int = 200) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=6)


def test_a_set_is_no_distance_from_itself_and_the_same_both_ways() -> None:
    one, two = _rows(0), _rows(1)
    assert abs(frechet(one, one)) < 1e-9
    assert frechet(one, two) == pytest.approx(frechet(two, one))


def test_a_shift_adds_its_square() -> None:
    rows = _rows(2)
    assert frechet(rows, rows + 3.0) == pytest.approx(6 * 9.0)


def test_agrees_with_the_matrix_root_of_its_definition() -> None:
    one, two = _rows(3), _rows(4)
    c1, c2 = np.cov(one.T), np.cov(two.T)
    root = sqrtm(c1 @ c2).real
    exact = ((one.mean(0) - two.mean(0)) ** 2).sum() + np.trace(c1 + c2 - 2 * root)
    assert frechet(one, two) == pytest.approx(exact, rel=1e-6)


def test_fewer_rows_than_two_are_refused() -> None:
    with pytest.raises(ValueError, match="1 and 200 rows; allowed: 2 or more"):
        frechet(_rows(0)[:1], _rows(1))
