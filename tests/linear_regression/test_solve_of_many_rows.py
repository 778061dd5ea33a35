"""`solve` by the normal equations, or by R alone: digits and derivatives."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.linalg import solve_triangular

from jnumerics import derivatives, linear_regression
from jnumerics.linear_regression import _factors
from tests.linear_regression._problems import draw


def conditioned(m, n, condition, noise, seed=0):
    """Columns of some condition number, and targets of which noise is left."""
    rng = np.random.default_rng(seed)
    (left, _), (turn, _) = (np.linalg.qr(rng.normal(size=(k, n))) for k in (m, n))
    X = left * np.geomspace(1, 1 / condition, n) @ turn.T
    fitted = X @ rng.normal(size=n)
    return X, fitted + noise * np.linalg.norm(fitted) / m**0.5 * rng.normal(size=m)


def plain(X, y):
    Q, R = jnp.linalg.qr(X)
    return solve_triangular(R, Q.T @ y)


@pytest.mark.parametrize("condition", [3, 1e2, 3e2, 1e3, 1e4, 1e5])
@pytest.mark.parametrize("noise", [0, 1e-3, 1])
@pytest.mark.parametrize(("m", "n"), [(512, 2), (3000, 3), (20_000, 12)])
def test_no_more_digits_are_lost_than_by_one_factorization(m, n, condition, noise):
    errors = []
    for seed in range(4):
        X, y = (a.astype(np.float32) for a in conditioned(m, n, condition, noise, seed))
        truth, *_ = np.linalg.lstsq(X.astype(float), y.astype(float))
        both = np.stack([linear_regression.solve(X, y), plain(X, y)])
        errors.append(np.linalg.norm(both - truth, axis=1) / np.linalg.norm(truth))
    ours, theirs = np.max(errors, 0)
    assert ours <= 5 * theirs + condition * np.finfo(np.float32).eps


@pytest.mark.parametrize("condition", [1e2, 1e7, 1e8, 1e10, 1e12])
def test_digits_in_double_precision_are_those_of_lapack(condition, x64):
    X, y = conditioned(3000, 4, condition, 0)
    expected, *_ = np.linalg.lstsq(X, y)
    size = np.linalg.norm(expected)
    error = np.linalg.norm(linear_regression.solve(X, y) - expected) / size
    assert error < 10 * condition * np.finfo(float).eps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [10, 1e3, 1e5])
def test_corrections_are_as_many_as_the_condition_needs(offset, dtype, x64):
    z, y, _ = draw(2000, 3)
    X = np.column_stack([np.full(2000, 0.7), offset + z]).astype(dtype)
    X /= np.linalg.norm(X, axis=0)
    few = _factors.factorize(jnp.asarray(X))
    assert few.corrections is not None
    assert 1 <= few.corrections <= 12
    more = few._replace(corrections=few.corrections + 20)
    b = jnp.asarray(y[:, None], dtype), jnp.zeros((4, 1), dtype)
    ours, settled = (_factors.solve(f, b)[1] for f in (few, more))
    scale = np.linalg.cond(X) ** 2 * np.finfo(dtype).eps * np.abs(settled).max()
    assert np.abs(ours - settled).max() <= 2 * scale


def normal_equations(X, y):
    return jnp.linalg.solve(X.T @ X, X.T @ y)


def to_second_order(f, X, y):
    """A loss's derivatives along one direction, by both orders of the modes."""

    def loss(X, y):
        return jnp.sum(jnp.sin(f(X, y)))

    def slope(X, y):
        return jax.jvp(loss, (X, y), tangents)[1]

    tangents = jnp.cos(7 * X + 1), jnp.sin(3 * y)
    pushed = jax.jvp(f, (X, y), tangents)
    pulled, bent = jax.jvp(jax.grad(loss, (0, 1)), (X, y), tangents)
    return pushed, pulled, bent, jax.grad(slope, (0, 1))(X, y)


@pytest.mark.slow
def test_derivatives_are_those_of_the_normal_equations(x64):
    X, y = map(jnp.asarray, conditioned(600, 3, 10, 1))
    both = linear_regression.solve, normal_equations
    ours, expected = (jax.jit(to_second_order, static_argnums=0)(f, X, y) for f in both)
    chex.assert_trees_all_close(ours, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("condition", [1e2, 1e3])
@pytest.mark.slow
def test_derivatives_in_single_precision_are_those_in_double(condition):
    X, y = (a.astype(np.float32) for a in conditioned(600, 3, condition, 1e-3))
    run = jax.jit(to_second_order, static_argnums=0)
    ours = run(linear_regression.solve, X, y)
    with jax.enable_x64(True):
        wide = jnp.asarray(X, float), jnp.asarray(y, float)
        expected = jax.tree.map(np.asarray, run(linear_regression.solve, *wide))
    for a, b in zip(*map(jax.tree.leaves, (ours, expected)), strict=True):
        bound = 100 * condition * np.finfo(np.float32).eps
        assert np.abs(a - b).max() <= bound * np.abs(b).max()


@pytest.mark.parametrize("m", [6, 600])
def test_derivative_is_proven_linear(m, x64):
    X, _, _ = draw(m, 2)
    Y = np.random.default_rng(1).normal(size=(3, m))

    def fit(y):
        return linear_regression.solve(X, y)

    # refused where it is not proven
    blocks = derivatives.batch_jacobian(jax.vmap(fit))(Y)
    np.testing.assert_allclose(blocks, [np.linalg.pinv(X)] * 3, rtol=1e-9, atol=1e-12)
