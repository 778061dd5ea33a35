"""Derivatives of `fit`, `evaluate` and `interpolate`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jnumerics import polynomial
from tests.polynomial._nodes import chebyshev, draw

X = np.array([0.9, -0.4, 0.1, 1.3])
V = np.array([[0.3, 1.0], [-0.2, 0.5], [0.7, -1.1], [0.4, 0.2]])
POINTS = {"between": 0.55, "at a node": 0.1, "outside": 2.0}


@pytest.mark.slow
def test_fit_derivatives_match_those_of_the_vandermonde_system_to_second_order(x64):
    def plain(x, v):
        return jnp.linalg.solve(jnp.vander(x, increasing=True), v)

    both = polynomial.fit, plain
    for derivative in (jax.jacfwd, jax.jacrev):
        obtained, expected = (jax.jit(derivative(f, (0, 1)))(X, V) for f in both)
        for a, b in zip(obtained, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)

    def bent(f, outer, inner):
        scalar = inner(lambda x, v: jnp.sum(jnp.sin(f(x, v))), (0, 1))
        return jax.tree.leaves(jax.jit(outer(scalar, (0, 1)))(X, V))

    expected = bent(plain, jax.jacfwd, jax.jacrev)
    for order in ((jax.jacfwd, jax.jacrev), (jax.jacrev, jax.jacfwd)):
        for a, b in zip(bent(polynomial.fit, *order), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


def lagrange(x, v, y):
    basis = [
        jnp.prod(jnp.array([(y - x[k]) / (x[j] - x[k]) for k in range(4) if k != j]))
        for j in range(4)
    ]
    return jnp.stack(basis) @ v


@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev])
@pytest.mark.slow
def test_interpolate_derivatives_match_those_of_the_lagrange_basis(derivative, x64):
    expected = jax.jit(derivative(lagrange, (0, 1, 2)))
    obtained = jax.jit(derivative(polynomial.interpolate, (0, 1, 2)))
    for y in POINTS.values():
        for a, b in zip(obtained(X, V, y), expected(X, V, y), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-13, err_msg=f"at {y}")


def second_derivatives(f, outer, inner):
    slope = inner(lambda *arguments: jnp.sum(jnp.sin(f(*arguments))), (0, 1, 2))
    return jax.jit(outer(slope, (0, 1, 2)))


@pytest.mark.slow
def test_second_derivatives_match_those_of_the_lagrange_basis(x64):
    expected = second_derivatives(lagrange, jax.jacfwd, jax.jacrev)
    for order in ((jax.jacfwd, jax.jacrev), (jax.jacrev, jax.jacfwd)):
        obtained = second_derivatives(polynomial.interpolate, *order)
        for y in POINTS.values():
            pair = (jax.tree.leaves(f(X, V, y)) for f in (obtained, expected))
            for a, b in zip(*pair, strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-11, err_msg=f"at {y}")


def test_third_derivative_at_a_node(x64):
    cube = jax.grad(jax.grad(jax.grad(polynomial.interpolate, 2), 2), 2)
    values = X**3
    np.testing.assert_allclose(cube(X, values, X[1]), 6, rtol=1e-11)


def test_evaluate_derivatives_match_finite_differences_to_second_order(x64):
    a, y = draw(4, 2), np.array([0.3, -1.2])
    check_grads(polynomial.evaluate, (a, y), order=2, modes=("fwd", "rev"))


def test_coefficients_move_with_the_nodes_as_with_the_values_times_the_slope(x64):
    dx, dv = draw(4, seed=1), draw(4, 2, seed=2)
    _, tangent = jax.jvp(polynomial.fit, (X, V), (dx, dv))
    slope = jax.vmap(jax.jacfwd(polynomial.interpolate, 2), (None, None, 0))(X, V, X)
    expected = polynomial.fit(X, dv - slope * dx[:, None])
    np.testing.assert_allclose(tangent, expected, rtol=0, atol=1e-12)


def test_gradient_for_values_does_not_see_what_the_nodes_derivative_overflows_to():
    nodes = np.linspace(-1, 1, 1000, dtype=np.float32)  # D has entries of 2^1000
    gradient = jax.grad(polynomial.interpolate, 1)(nodes, jnp.ones(1000), nodes[3])
    np.testing.assert_array_equal(gradient, np.arange(1000) == 3)


def test_complex_polynomials_have_holomorphic_derivatives(x64):
    x, v, y = X * np.exp(0.5j), V[:, 0] + 1j * V[:, 1], 0.2 + 0.1j
    a = polynomial.fit(x, v)
    expected = np.polyval(np.polyder(np.asarray(a)[::-1]), y)
    slope = jax.grad(polynomial.interpolate, 2, holomorphic=True)(x, v, y)
    np.testing.assert_allclose(slope, expected, rtol=1e-12)
    slope = jax.grad(polynomial.evaluate, 1, holomorphic=True)(a, y)
    np.testing.assert_allclose(slope, expected, rtol=1e-12)


def test_real_nodes_of_complex_values_have_real_gradients(x64):
    def size(x, imaginary):
        v = V[:, 0] + imaginary * V[:, 1]
        return jnp.sum(jnp.abs(polynomial.fit(x, v)) ** 2)

    def size_in_parts(x):
        real, imaginary = polynomial.fit(x, V[:, 0]), polynomial.fit(x, V[:, 1])
        return jnp.sum(real**2) + jnp.sum(imaginary**2)

    np.testing.assert_allclose(jax.grad(size)(X, 1j), jax.grad(size_in_parts)(X))


def test_64_nodes_differentiate_through_the_loop(x64):
    x, v = np.sort(chebyshev(64)), draw(64)
    weights = draw(64, seed=1)
    gradient = jax.grad(lambda v: polynomial.fit(x, v) @ weights)(v)
    matrix = jax.vmap(lambda e: polynomial.fit(x, e), out_axes=1)(jnp.eye(64))
    np.testing.assert_allclose(gradient, weights @ matrix, rtol=1e-5)  # 1e20 / 1e15
