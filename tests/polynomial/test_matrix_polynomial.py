"""The matrix polynomial: the digits that solving loses and `fit` keeps."""

import numpy as np
import pytest

from jnumerics import polynomial
from tests import reference
from tests.polynomial._nodes import NODES, draw, largest_error

# fit


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fit_keeps_the_digits_that_the_vandermonde_matrix_loses(dtype, x64):
    nodes, values = NODES.astype(dtype), draw(12, 6, 6).astype(dtype)
    exact = reference.exact_coefficients(
        nodes.astype(float), values.astype(float)
    ).astype(float)
    vandermonde = np.vander(nodes, increasing=True).astype(dtype)
    solved = np.linalg.solve(vandermonde, values.reshape(12, 36)).reshape(12, 6, 6)
    assert (
        largest_error(polynomial.fit(nodes, values), exact) < 16 * np.finfo(dtype).eps
    )
    assert largest_error(solved, exact) > 1e5 * np.finfo(dtype).eps


@pytest.mark.parametrize(
    ("dtype", "attained", "lost"),
    [(np.float64, 6.7e-16, 3.9e-9), (np.float32, 1.7e-6, 0.65)],
)
def test_errors_of_the_matrix_polynomial_are_those_of_the_seed(
    dtype, attained, lost, x64
):
    nodes, values = NODES.astype(dtype), draw(12, 100).astype(dtype)
    exact = reference.exact_coefficients(
        nodes.astype(float), values.astype(float)
    ).astype(float)
    vandermonde = np.vander(nodes, increasing=True).astype(dtype)
    solved = np.linalg.solve(vandermonde, values)
    assert largest_error(polynomial.fit(nodes, values), exact) < 2 * attained
    assert largest_error(solved, exact) > lost / 10


def test_multiplying_by_an_accurate_inverse_loses_digits_that_fit_keeps(x64):
    values = np.exp(3 * NODES)
    exact = reference.exact_coefficients(NODES, values).astype(float)
    inverse = reference.exact_coefficients(NODES, np.eye(12)).astype(float)
    attained = largest_error(polynomial.fit(NODES, values), exact)
    assert largest_error(inverse @ values, exact) > 10 * attained


def test_condition_number_of_the_matrix_polynomial_is_that_of_the_seed():
    assert np.linalg.cond(np.vander(NODES)) == pytest.approx(2.6e9, rel=0.02)


# what is refused


def test_an_accurate_inverse_loses_four_digits_more_at_the_integers(x64):
    nodes, values = np.arange(1.0, 13.0), np.sqrt(np.arange(1.0, 13.0))
    exact = reference.exact_coefficients(nodes, values).astype(float)
    inverse = reference.exact_coefficients(nodes, np.eye(12)).astype(float)
    assert largest_error(polynomial.fit(nodes, values), exact) < 4e-15
    assert largest_error(inverse @ values, exact) > 1e-11
