"""Values: the direct way, the triangle, the triangle by blocks."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import linear_regression
from tests import reference
from tests.linear_regression._problems import draw, gradient_descent

WAYS = {
    "few rows": (7, 3, 20),
    "few steps": (300, 5, 4),
    "triangle": (150, 3, 40),
    "blocks": (1100, 3, 40),
    "one column": (600, 1, 30),
    "wide": (3, 6, 30),
    "no column": (120, 0, 5),
}


@pytest.mark.parametrize(("m", "n", "steps"), WAYS.values(), ids=WAYS)
def test_descent_agrees_with_the_numpy_loop(m, n, steps, x64):
    X, y, theta = draw(m, n)
    rate = 0.3
    expected = reference.gradient_descent(X, y, theta, rate, steps)
    obtained = gradient_descent(X, y, theta, learning_rate=rate, steps=steps)
    chex.assert_trees_all_close(tuple(obtained), expected, rtol=1e-11)


def test_cost_agrees_with_numpy(x64):
    X, y, theta = draw(50, 4)
    residual = X @ theta - y
    expected = residual @ residual / 100
    np.testing.assert_allclose(
        linear_regression.cost(theta, X, y), expected, rtol=1e-14
    )


def test_costs_of_a_nearly_exact_fit_do_not_cancel(x64):
    X, _, truth = draw(2000, 3)
    y = X @ truth * 1e6  # y'y / 2m is 1e12: its rounding is 1e-4
    d = gradient_descent(X, y, truth, learning_rate=0.5, steps=200)
    _, expected = reference.gradient_descent(X, y, truth, 0.5, 200)
    early = expected > 1e-6  # where rounding y is a part in a million
    assert early.sum() > 30
    np.testing.assert_allclose(d.cost_history[early], expected[early], rtol=1e-6)
    assert np.all(d.cost_history[~early] < 2e-6)


def test_costs_are_as_accurate_beside_their_derivatives(x64):
    X, _, truth = draw(150, 3)
    y = X @ truth * 1e6  # the products of derivatives would cancel to 1e-4

    def costs(start):
        return gradient_descent(X, y, start, learning_rate=0.5, steps=200).cost_history

    beside, _ = jax.jvp(costs, (truth,), (truth,))
    np.testing.assert_array_equal(beside, costs(truth))


@pytest.mark.parametrize("m", [6, 150])
def test_too_large_a_rate_diverges_like_the_plain_loop(m, x64):
    X, y, theta = draw(m, 2)
    d = gradient_descent(X, y, theta, learning_rate=40.0, steps=60)
    expected = reference.gradient_descent(X, y, theta, 40.0, 60)
    np.testing.assert_allclose(d.theta, expected[0], rtol=1e-9)
    np.testing.assert_allclose(d.cost_history, expected[1], rtol=1e-9)
    beyond = gradient_descent(X, y, theta, learning_rate=1e30, steps=100)
    assert not np.isfinite(beyond.cost_history[-1])
    assert np.isfinite(beyond.cost_history[0])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("m", [6, 150])
def test_half_precision_is_rounded_once(m, dtype):
    half = [jnp.asarray(a, jnp.float32).astype(dtype) for a in draw(m, 2)]
    single = [a.astype(jnp.float32) for a in half]
    options = {"learning_rate": 0.3, "steps": 10}
    obtained = gradient_descent(*half, **options)
    expected = gradient_descent(*single, **options)
    rounded = jax.tree.map(lambda a: a.astype(dtype), expected)
    chex.assert_trees_all_equal(obtained, rounded)
    obtained = linear_regression.cost(half[2], half[0], half[1])
    assert obtained == linear_regression.cost(single[2], single[0], single[1]).astype(
        dtype
    )
    obtained = linear_regression.solve(half[0], half[1])
    expected = linear_regression.solve(single[0], single[1]).astype(dtype)
    np.testing.assert_array_equal(obtained, expected)


@pytest.mark.parametrize("m", [4, 200])
def test_no_steps_leave_theta_and_no_cost(m):
    X, y, theta = draw(m, 2)
    d = gradient_descent(X, y, theta, learning_rate=0.1, steps=0)
    np.testing.assert_array_equal(d.theta, theta.astype(np.float32))
    assert d.cost_history.shape == (0,)


def test_learning_rate_does_not_compile_again():
    X, y, theta = (a.astype(np.float32) for a in draw(150, 2))
    descend = jax.jit(
        chex.assert_max_traces(
            lambda rate: gradient_descent(X, y, theta, learning_rate=rate, steps=9), 1
        )
    )
    lower = [descend(rate).cost_history[-1] for rate in (0.01, 0.1, 0.5)]
    assert lower[0] > lower[1] > lower[2]


@pytest.mark.parametrize("m", [5, 150])
def test_vmap_over_rates_and_over_problems_is_a_loop(m, x64):
    X, y, theta = draw(m, 2)
    rates = np.array([0.01, 0.1, 0.3])
    descend = partial(gradient_descent, steps=9)
    together = jax.vmap(lambda r: descend(X, y, theta, learning_rate=r))(rates)
    shifts = np.array([0.0, 1.0, 2.0])
    problems = jax.vmap(lambda s: descend(X + s, y - s, theta, learning_rate=0.1))(
        shifts
    )
    for i, (rate, shift) in enumerate(zip(rates, shifts, strict=True)):
        one = descend(X, y, theta, learning_rate=rate)
        chex.assert_trees_all_close(entry(together, i), one, rtol=1e-10)
        one = descend(X + shift, y - shift, theta, learning_rate=0.1)
        chex.assert_trees_all_close(entry(problems, i), one, rtol=1e-10)


def entry(tree, i):
    return jax.tree.map(lambda a: a[i], tree)
