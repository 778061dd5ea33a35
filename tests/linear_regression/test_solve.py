"""`solve`: its digits, its rank, its derivatives."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import linear_regression
from jnumerics.derivatives._program.jaxpr import equations_inside
from tests.linear_regression._problems import (
    SEED_X,
    SEED_Y,
    START,
    draw,
    gradient_descent,
)


@pytest.mark.parametrize(
    ("m", "n"), [(1, 1), (4, 2), (6, 6), (900, 7), (3000, 3), (3, 0), (600, 0)]
)
@pytest.mark.parametrize("columns", [(), (1,), (3,), (0,)])
def test_solve_agrees_with_numpy(m, n, columns, x64):
    X, _, _ = draw(m, n)
    Y = np.random.default_rng(1).normal(size=(m, *columns))
    expected = np.linalg.lstsq(X, Y.reshape(m, -1) if Y.size else np.zeros((m, 0)))[0]
    theta = linear_regression.solve(X, Y)
    assert theta.shape == (n, *columns)
    np.testing.assert_allclose(theta, expected.reshape(n, *columns), rtol=1e-9)


def test_solve_is_where_descent_ends(x64):
    theta = linear_regression.solve(SEED_X, SEED_Y)
    d = gradient_descent(SEED_X, SEED_Y, START, learning_rate=0.1, steps=5000)
    np.testing.assert_allclose(theta, [9.25, -1.5], rtol=1e-13)
    np.testing.assert_allclose(d.theta, theta, rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-30, 1e30, 2e38])
def test_columns_of_any_unit_neither_overflow_nor_vanish(scale):
    X, y, _ = (a.astype(np.float32) for a in draw(20, 3))
    units, y = np.array([1, scale, 1], np.float32), y * np.float32(1e6)
    expected = linear_regression.solve(X, y)
    obtained = linear_regression.solve(X * units, y)
    np.testing.assert_allclose(obtained * units, expected, rtol=1e-5)


def test_solve_keeps_the_digits_that_the_normal_equations_lose(x64):
    t = np.linspace(0, 1, 50)
    X, truth = np.vander(t, 8, increasing=True), np.ones(8)
    y = X @ truth
    error = np.abs(linear_regression.solve(X, y) - truth).max()
    normal = np.abs(np.linalg.solve(X.T @ X, X.T @ y) - truth).max()
    assert error < 1e-10 < 1e-9 < normal


@pytest.mark.parametrize("m", [3, 40, 3000])
@pytest.mark.parametrize("kind", ["zero column", "equal columns", "sum of columns"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_solve_of_dependent_columns_is_nan(kind, m, dtype, x64):
    X, y, _ = (a.astype(dtype) for a in draw(m, 3))
    column = {"zero": 0 * X[:, 1], "equal": X[:, 0], "sum": X[:, 0] - 3 * X[:, 1]}
    X[:, 1 if kind == "zero column" else 2] = column[kind.split()[0]]
    assert np.isnan(linear_regression.solve(X, y)).all()


def test_solve_is_not_shy_of_a_large_condition_number(x64):
    X = np.vander(np.linspace(0, 1, 30), 12)
    assert np.linalg.cond(X) > 1e8
    assert np.isfinite(linear_regression.solve(X, np.ones(30))).all()


@pytest.mark.parametrize("m", [1000, 1_000_000])
def test_solve_does_not_refuse_a_large_offset_for_its_many_rows(m):
    rng = np.random.default_rng(0)
    pressure = (101325 + 10 * rng.normal(size=m)).astype(np.float32)
    X = np.column_stack([np.ones(m, np.float32), pressure])
    y = (3 + 0.5 * (pressure - 101325.0) + rng.normal(size=m)).astype(np.float32)
    expected = np.linalg.lstsq(X.astype(float), y.astype(float))[0]
    obtained = linear_regression.solve(X, y)
    # a condition number of 10^4 leaves three digits
    np.testing.assert_allclose(obtained, expected, rtol=2e-3)


def nearly_dependent(m, n, distance, dtype):
    """The last column lies in the span of the others but for a part of its length."""
    X, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(m, n)))
    X[:, -1] = X[:, 0] * np.sqrt(1 - distance**2) + distance * X[:, -1]
    return X.astype(dtype)


@pytest.mark.parametrize(("m", "n"), [(9000, 5), (9, 2), (800, 2), (1_000_000, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rank_is_lost_at_the_documented_distance(m, n, dtype, x64):
    bound = 16 * n * np.finfo(dtype).eps
    for factor, is_refused in ((0.7, True), (1.4, False)):
        X = nearly_dependent(m, n, factor * bound, dtype)
        theta = linear_regression.solve(X, np.ones(m, dtype))
        assert np.isnan(theta).all() if is_refused else np.isfinite(theta).all()


def dependent(kind, m):
    rng = np.random.default_rng(0)
    one, t, z = np.ones(m), rng.integers(0, 60, m) / 1.0, rng.normal(size=m)
    return {
        "constants": [one, 101325 * one],
        "a third": [one, one / 3],
        "a copy": [one, t, t],
        "a line": [one, t, 3 * t - 7],
        "a ramp": [one, t / 60, 1 - t / 60],
        "classes": [one, *((t % 3 == k) * one for k in range(3))],
        "normal": [z, t, z - t],
    }[kind]


@pytest.mark.parametrize("m", [20, 500, 1000, 30_000, 300_000])
@pytest.mark.parametrize(
    "kind",
    ["constants", "a third", "a copy", "a line", "a ramp", "classes", "normal"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dependent_columns_are_seen_however_many_rows_there_are(kind, m, dtype, x64):
    X = np.column_stack(dependent(kind, m)).astype(dtype)
    assert np.isnan(linear_regression.solve(X, np.ones(m, dtype))).all()


def normal_equations(X, y):
    return jnp.linalg.solve(X.T @ X, X.T @ y)


@pytest.mark.parametrize("columns", [(), (2,)])
@pytest.mark.parametrize("is_exact", [False, True])
@pytest.mark.slow
def test_derivatives_of_solve_are_those_of_the_normal_equations(columns, is_exact, x64):
    X, _, _ = draw(5, 2)
    Y = np.random.default_rng(1).normal(size=(5, *columns))
    Y = X @ Y[:2] if is_exact else Y
    both = linear_regression.solve, normal_equations
    for derivative in (jax.jacfwd, jax.jacrev):
        obtained, expected = (jax.jit(derivative(f, (0, 1)))(X, Y) for f in both)
        chex.assert_trees_all_close(obtained, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
def test_second_derivatives_of_solve_are_those_of_the_normal_equations(x64):
    X, y, _ = draw(4, 2)

    def bent(f, outer, inner):
        scalar = inner(lambda X, y: jnp.sum(jnp.sin(f(X, y))), (0, 1))
        return jax.jit(outer(scalar, (0, 1)))(X, y)

    expected = bent(normal_equations, jax.jacfwd, jax.jacrev)
    for order in ((jax.jacfwd, jax.jacrev), (jax.jacrev, jax.jacfwd)):
        obtained = bent(linear_regression.solve, *order)
        chex.assert_trees_all_close(obtained, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("m", [6, 600])
def test_vmap_of_solve_is_a_loop(m, x64):
    X = np.random.default_rng(0).normal(size=(3, m, 2))
    # one of each kind: far from dependent, nearly so, dependent
    X[1, :, 1] = X[1, :, 0] + 1e-9 * X[1, :, 1]
    X[2, :, 1] = X[2, :, 0]
    y = np.random.default_rng(1).normal(size=(3, m))
    together = jax.vmap(linear_regression.solve)(X, y)
    for i in range(3):
        alone = linear_regression.solve(X[i], y[i])
        np.testing.assert_allclose(together[i], alone, rtol=(1e-7, 1e-5, 1)[i])


@pytest.mark.parametrize("fun", ["solve", "gradient_descent"])
def test_blocks_of_rows_are_factorized_one_at_a_time(fun):
    # JAX 0.10 hangs where two calls at a time have stacks of matrices to factorize
    X, y, _ = draw(3000, 3)
    call = getattr(linear_regression, fun)
    options = {"learning_rate": 0.1, "steps": 999} if fun == "gradient_descent" else {}
    theta = [np.zeros(3)] if fun == "gradient_descent" else []
    closed = jax.make_jaxpr(lambda X, y: call(X, y, *theta, **options))(X, y)
    operands: list[Any] = [
        eqn.invars[0].aval
        for top in closed.jaxpr.eqns
        for eqn in (top, *equations_inside(top))
        if eqn.primitive.name in ("qr", "geqrf", "householder_product", "cholesky")
    ]
    assert {operand.ndim for operand in operands} == {2}
