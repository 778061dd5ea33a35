"""The seed's numbers and the traps of the original; arguments and platforms."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import linear_regression
from tests.linear_regression._problems import (
    SEED_X,
    SEED_Y,
    START,
    draw,
    gradient_descent,
)

# The seed's numbers, and the traps of the original


def test_seed_descends_to_the_published_parameters(x64):
    d = gradient_descent(SEED_X, SEED_Y, START, learning_rate=0.01, steps=1000)
    np.testing.assert_allclose(d.theta, [5.21475495, -0.57334591], rtol=0, atol=5e-9)
    np.testing.assert_allclose(d.theta, [5.2148, -0.5733], atol=5e-5)
    expected = [5.9793703125, 5.214963481, 0.8542642598]
    np.testing.assert_allclose(
        d.cost_history[jnp.array([0, 1, -1])], expected, rtol=1e-9
    )
    assert d.cost_history.shape == (1000,)


def test_seed_in_single_precision_gives_four_digits():
    d = gradient_descent(SEED_X, SEED_Y, START, learning_rate=0.01, steps=1000)
    assert d.theta.dtype == d.cost_history.dtype == jnp.float32
    np.testing.assert_allclose(d.theta, [5.2148, -0.5733], atol=1e-4)


def test_product_is_taken_before_the_difference(x64):
    # The original's X.T @ X @ theta - y binds as (X' X theta) - y.
    one = gradient_descent(SEED_X, SEED_Y, START, learning_rate=0.01, steps=1)
    expected = 0.01 / 4 * SEED_X.T @ SEED_Y
    np.testing.assert_allclose(one.theta, expected, rtol=1e-14)


def test_costs_of_integer_data_are_not_truncated_to_integers():
    d = gradient_descent(
        SEED_X, SEED_Y, np.zeros(2, np.int64), learning_rate=0.01, steps=2
    )
    np.testing.assert_allclose(d.cost_history, [5.97937, 5.214963], rtol=1e-6)


def test_column_of_targets_means_the_same_as_a_vector():
    options = {"learning_rate": 0.01, "steps": 9}
    vector = gradient_descent(SEED_X, SEED_Y, START, **options)
    column = gradient_descent(SEED_X, SEED_Y[:, None], START, **options)
    matrix = gradient_descent(np.matrix(SEED_X), np.matrix(SEED_Y).T, START, **options)
    chex.assert_trees_all_equal(vector, column, matrix)
    cost = partial(linear_regression.cost, START, SEED_X)
    assert cost(SEED_Y) == cost(SEED_Y[:, None]) == 7.125


@pytest.mark.boundary
@pytest.mark.parametrize("shape", [(1, 4), (4, 2), (5,), (4, 1, 1), ()])
def test_targets_that_would_broadcast_are_refused(shape):
    y, message = np.zeros(shape), r"`y` must have shape \(4,\) or \(4, 1\), got"
    with pytest.raises(ValueError, match=message):
        gradient_descent(SEED_X, y, START, learning_rate=0.01, steps=1)
    with pytest.raises(ValueError, match=message):
        linear_regression.cost(START, SEED_X, y)


@pytest.mark.boundary
def test_number_of_samples_is_that_of_rows_in_a_transposed_problem():
    # len(y) of (1, 5) targets was 1: here they are refused, and m is X's.
    X = np.ones((5, 1))
    with pytest.raises(ValueError, match="`y` must have shape"):
        gradient_descent(X, np.ones((1, 5)), np.zeros(1), learning_rate=1.0, steps=1)
    assert linear_regression.cost(np.zeros(1), X, np.ones(5)) == 0.5


# Arguments and platforms


def test_dtype_of_the_answer_is_the_common_one(x64):
    X, y = jnp.ones((4, 1), jnp.float32), jnp.ones(4, jnp.float32)
    theta = jnp.zeros(1, jnp.float32)
    descend = partial(gradient_descent, learning_rate=0.1, steps=2)
    assert descend(X, y, theta).theta.dtype == jnp.float32
    assert descend(X, y, theta.astype(float)).cost_history.dtype == jnp.float64
    assert linear_regression.cost(theta, X.astype(int), y).dtype == jnp.float64
    assert linear_regression.solve(X, y.astype(float)).dtype == jnp.float64
    assert linear_regression.solve(X, y.astype(jnp.bfloat16)).dtype == jnp.float32
    wide = gradient_descent(X, y, theta, learning_rate=np.float64(0.1), steps=2)
    assert wide.theta.dtype == jnp.float32


@pytest.mark.parametrize("m", [4, 1100])
def test_regression_lowers_for_every_platform(m):
    X, y, theta = (jnp.asarray(a, jnp.float32) for a in draw(m, 2))

    def descend(X, y, theta):
        return gradient_descent(X, y, theta, learning_rate=0.1, steps=9)

    def gradient(X, y):
        return jax.grad(lambda X: jnp.sum(linear_regression.solve(X, y)))(X)

    for fun, arguments in [
        (descend, (X, y, theta)),
        (linear_regression.solve, (X, y)),
        (gradient, (X, y)),
        (linear_regression.cost, (theta, X, y)),
    ]:
        exported = jax.export.export(jax.jit(fun), platforms=("cpu", "cuda", "tpu"))
        assert exported(*arguments).platforms == ("cpu", "cuda", "tpu")


@pytest.mark.boundary  # a symbolic size is no int
def test_any_number_of_samples_is_exported(x64):
    m = jax.export.symbolic_shape("m")
    X, y = (jax.ShapeDtypeStruct((*m, *n), float) for n in ((2,), ()))
    theta = jax.ShapeDtypeStruct((2,), float)

    def descend(X, y, theta):
        return gradient_descent(X, y, theta, learning_rate=0.01, steps=1000)

    for fun, expected in (
        (lambda *args: descend(*args).theta, [5.21475495, -0.57334591]),
        (lambda X, y, theta: linear_regression.cost(theta, X, y), 7.125),
    ):
        exported = jax.export.export(jax.jit(fun))(X, y, theta)
        obtained = exported.call(SEED_X * 1.0, SEED_Y * 1.0, START)
        np.testing.assert_allclose(obtained, expected, rtol=0, atol=5e-9)
