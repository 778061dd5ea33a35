"""`evaluate`: the sum of powers, at any point."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import polynomial
from tests.polynomial._nodes import draw


@pytest.mark.parametrize("y", [0.7, np.zeros(()), draw(2, 1, 3), draw(0)])
@pytest.mark.parametrize("shape", [(), (3, 4)])
def test_evaluate_is_the_sum_of_powers(y, shape, x64):
    a = draw(5, *shape, seed=3)
    expected = sum(np.multiply.outer(np.asarray(y) ** k, a[k]) for k in range(5))
    np.testing.assert_allclose(polynomial.evaluate(a, y), expected, rtol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 9, 10, 64])
def test_evaluate_and_numpy_agree_for_any_number_of_coefficients(n, x64):
    a, y = draw(n), draw(7, seed=1)
    np.testing.assert_allclose(
        polynomial.evaluate(a, y), np.polyval(a[::-1], y), rtol=1e-13
    )


def test_evaluate_complex_coefficients_at_complex_points(x64):
    a, y = draw(6) + 1j * draw(6, seed=1), draw(4) + 1j * draw(4, seed=2)
    expected = np.polyval(a[::-1], y)
    np.testing.assert_allclose(polynomial.evaluate(a, y), expected, rtol=1e-14)
    np.testing.assert_allclose(
        polynomial.evaluate(a.real, y), np.polyval(a.real[::-1], y), rtol=1e-14
    )


def test_evaluate_at_infinite_and_huge_points():
    y = jnp.array([jnp.inf, -jnp.inf, 1e38])
    np.testing.assert_array_equal(polynomial.evaluate(jnp.array([3.0]), y), 3)
    line = polynomial.evaluate(jnp.array([3.0, 2.0]), y)
    np.testing.assert_array_equal(line, [np.inf, -np.inf, np.float32(2e38)])
    assert jnp.isnan(polynomial.evaluate(jnp.array([3.0, 2.0, 0.0]), jnp.inf))


def test_slope_of_a_constant_is_zero():
    assert jax.grad(polynomial.evaluate, 1)(jnp.array([3.0]), 2.0) == 0


@pytest.mark.parametrize("y", [0.0, -2.5, 1e30, jnp.inf])
def test_slope_of_a_line_is_its_coefficient_everywhere(y):
    slope = jax.grad(lambda y: polynomial.evaluate(jnp.array([3.0, 2.0]), y))(y)
    assert slope == 2
