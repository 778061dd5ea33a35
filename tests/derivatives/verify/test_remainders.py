"""The remainders of which a check is made."""

import numpy as np
import pytest

from jnumerics.derivatives._verify.flat import Leaf, largest, layout
from jnumerics.derivatives._verify.taylor import Precision, measure


def remainders(f, derivative, u=1.0):
    """Along one number, in NumPy."""
    return measure(
        lambda x: np.stack([f(x[0])]),
        lambda u: np.stack([derivative * u[0]]),
        np.array([0.5]),
        np.array([u]),
        [Leaf(0, (1,), np.dtype("float64"))],
        Precision.from_eps(2.0**-52),
        lambda x: x,
    )


def test_remainders_of_a_right_and_of_a_wrong_derivative():
    leaves = [Leaf(0, (1,), np.dtype("float64"))]
    correct = remainders(np.exp, np.exp(0.5))
    wrong = remainders(np.exp, 1.001 * np.exp(0.5))
    assert correct.order(leaves) == pytest.approx(2, abs=0.01)
    assert wrong.order(leaves) == pytest.approx(1, abs=0.01)
    assert correct.errors[0] < 1e-9
    assert wrong.errors[0] == pytest.approx(1e-3, rel=0.01)
    assert not correct.is_wrong[0]
    assert wrong.is_wrong[0]


def test_remainders_of_a_jump_and_of_a_vertical_slope_grow():
    with np.errstate(all="ignore"):
        assert remainders(lambda x: np.sign(x - 0.5), 0.0).grows[0]
        assert remainders(lambda x: np.sqrt(np.abs(x - 0.5)), 0.0).grows[0]
        assert not remainders(lambda x: np.abs(x - 0.5), 0.0).grows[0]
        assert not remainders(np.sin, 2.0).grows[0]


def test_both_parts_of_a_complex_number_have_its_magnitude():
    numbers = np.array([3, 1, 4, 0.0])  # 3 + 4i and 1
    (leaf,) = layout([np.ones(2, complex)])
    np.testing.assert_array_equal(leaf.magnitudes(numbers), [5, 1, 5, 1])


def test_the_largest_magnitude_is_each_arrays_own_and_finite():
    leaves = layout([np.ones(3), np.ones(2)])
    magnitudes = largest(np.array([1, -3, np.inf, np.nan, 2]), leaves)
    np.testing.assert_array_equal(magnitudes, [3, 3, 3, 2, 2])
