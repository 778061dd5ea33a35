"""Derivatives of the iterates."""

from functools import cache, partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.linear_regression._problems import draw, gradient_descent


def naive(X, y, theta, rate, steps):
    """The recurrence as it is written, in JAX, for derivatives."""
    m, costs = len(y), []
    for _ in range(steps):
        theta = theta - rate / m * (X.T @ (X @ theta - y))
        residual = X @ theta - y
        costs.append(residual @ residual / (2 * m))
    return theta, jnp.stack(costs)


def singular(kind, m):
    X, y, theta = draw(m, 3)
    if kind == "zero column":
        X[:, 1] = 0
    if kind == "equal columns":
        X[:, 2] = X[:, 0]
    if kind == "exact fit":
        y = X @ np.array([1.0, -2.0, 0.5])
    if kind == "exact fit from the start":
        y = X @ theta
    return X, y, theta, jnp.asarray(0.2)


KINDS = [
    "regular",
    "zero column",
    "equal columns",
    "exact fit",
    "exact fit from the start",
]


def to_second_order(f):
    """All derivatives of a loss of `f`, compiled once for each shape."""

    def loss(*args):
        return sum(jnp.sum(jnp.sin(a)) for a in f(*args))

    def all_of_them(args, tangents):
        every = tuple(range(len(args)))

        def slope(*args):
            return jax.jvp(loss, args, tangents)[1]

        pushed = jax.jvp(f, args, tangents)
        # forward over reverse, and reverse over forward
        pulled, bent = jax.jvp(jax.grad(loss, every), args, tangents)
        return pushed, pulled, bent, jax.grad(slope, every)(*args)

    return jax.jit(all_of_them)


def descend(X, y, theta, rate):
    return tuple(gradient_descent(X, y, theta, learning_rate=rate, steps=6))


OURS, PLAIN = to_second_order(descend), to_second_order(partial(naive, steps=6))


@pytest.mark.parametrize("m", [8, 120])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_derivatives_are_those_of_the_plain_recurrence(kind, m, x64):
    arguments = jax.tree.map(jnp.asarray, singular(kind, m))
    tangents = jax.tree.map(lambda a: jnp.cos(7 * a + 1), arguments)
    obtained, expected = (f(arguments, tangents) for f in (OURS, PLAIN))
    chex.assert_trees_all_close(obtained[:2], expected[:2], rtol=1e-10, atol=1e-12)
    chex.assert_trees_all_close(obtained[2:], expected[2:], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", ["zero column", "exact fit"])
def test_qr_has_no_derivative_where_the_iterates_have_one(kind, x64):
    X, y, theta, _ = singular(kind, 120)  # so many rows that the values take the QR
    y = 0 * y if kind == "exact fit" else y  # by theta = 0, without rounding
    both = jnp.asarray(np.column_stack([X, y]))
    _, of_triangle = jax.jvp(lambda A: jnp.linalg.qr(A, mode="r"), (both,), (both,))
    assert not np.isfinite(of_triangle).all()
    descend = partial(gradient_descent, y=y, theta=theta, learning_rate=0.1, steps=9)
    _, of_descent = jax.jvp(descend, (X,), (X,))
    assert np.isfinite(of_descent.theta).all()
    assert np.isfinite(of_descent.cost_history).all()


def test_derivative_with_respect_to_the_rate_is_that_of_a_difference_quotient(x64):
    X, y, theta = draw(150, 2)

    def last_cost(rate):
        d = gradient_descent(X, y, theta, learning_rate=rate, steps=9)
        return d.cost_history[-1]

    h = 1e-6
    quotient = (last_cost(0.1 + h) - last_cost(0.1 - h)) / (2 * h)
    for derivative in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(derivative(last_cost)(0.1), quotient, rtol=1e-7)


def table(kind, m, seed):
    """Data as people have them, in float32, and a rate at which descent converges."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(m, 4))
    if kind == "years":
        X = np.column_stack([np.ones(m), rng.uniform(1960, 2020, m)])
        y = 14 + 0.02 * (X[:, 1] - 1990) + 0.2 * normal[:, 0]
    elif kind == "units":
        columns = [np.ones(m), 101325 + 10 * normal[:, 0], 293 + 5 * normal[:, 1]]
        X = np.column_stack(columns)
        y = X @ np.array([0.0, 1e-3, 0.1]) + normal[:, 2]
    elif kind == "one column of units":
        X = 101325 + 10 * normal[:, :1]
        y = 1e-3 * X[:, 0] + normal[:, 1]
    elif kind == "years, units and digits":
        year = rng.uniform(1960, 2020, m)
        columns = [np.ones(m), year, 101325 + 10 * normal[:, 0], normal[:, 1:3]]
        X = np.column_stack(columns)
        y = X @ np.array([1, 0.02, 1e-3, 0.5, -0.2]) + normal[:, 3]
    elif kind == "powers":
        X = np.vander(np.linspace(0, 1, m), 5)
        y = np.sin(5 * X[:, -2])
    else:
        X = normal
        y = X @ np.arange(1, 5) + {"standardized": 1, "nearly exact": 1e-3}[kind]
    rate = 1.5 * m / np.linalg.norm(X, 2) ** 2
    return [np.asarray(a, np.float32) for a in (X, y, np.zeros(X.shape[1]), rate)]


def weighted_iterates(X, y, theta, rate, *, descend):
    """A few numbers made of the last parameters and of all costs."""
    theta, costs = descend(X, y, theta, rate)
    weights = jnp.cos(jnp.arange(0.3, theta.size + costs.size)).astype(theta.dtype)
    of_theta, of_costs = jnp.split(weights, [theta.size])
    return jnp.stack([theta @ of_theta, costs @ of_costs, costs[-1]])


def plain_descent(X, y, theta, rate, steps=300):
    m = len(y)
    product = partial(jnp.matmul, precision="highest")

    def update(theta, _):
        theta = theta - rate / m * product(X.T, product(X, theta) - y)
        residual = product(X, theta) - y
        return theta, product(residual, residual) / (2 * m)

    return jax.lax.scan(update, theta, length=steps)


def our_descent(X, y, theta, rate):
    return gradient_descent(X, y, theta, learning_rate=rate, steps=300)


TABLES = [
    "years",
    "units",
    "one column of units",
    "years, units and digits",
    "powers",
    "standardized",
    "nearly exact",
]


@pytest.mark.parametrize("m", [12, 150, 4000])
@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.slow
def test_derivatives_in_single_precision_are_those_of_the_plain_recurrence(
    kind, m, mode
):
    of_ours, of_plain = np.zeros((2, 3, 3))  # three arguments, three results
    ours, plain = (all_derivatives(f, mode) for f in (our_descent, plain_descent))
    for seed in range(6):
        data = table(kind, m, seed)
        with jax.enable_x64(True):
            truth = jax.tree.map(np.asarray, plain(*(a.astype(float) for a in data)))
        of_ours = np.maximum(of_ours, largest_errors(ours(*data), truth))
        of_plain = np.maximum(of_plain, largest_errors(plain(*data), truth))
    assert np.all(of_ours <= 2 * of_plain + 2e-6), (of_ours, of_plain)


@pytest.mark.parametrize("scale", [2e-38, 2e-37, 1e-18, 1e15])
def test_derivatives_of_columns_of_any_unit_are_finite(scale):
    X, y, theta = (jnp.asarray(a, jnp.float32) for a in draw(150, 2))
    X *= jnp.asarray([[1, scale]], jnp.float32)

    def last_cost(X, y, theta):
        rate = 1e-2 if scale < 1 else 1e-32
        return gradient_descent(X, y, theta, learning_rate=rate, steps=9)[1][-1]

    gradients = jax.grad(last_cost, (0, 1, 2))(X, y, theta)
    assert all(np.isfinite(g).all() for g in gradients)


@cache  # tables of one shape share the programs
def all_derivatives(descend, mode):
    """For each of X, y and theta its Jacobian, or that times a few directions."""
    f = partial(weighted_iterates, descend=descend)
    if mode == "reverse":
        return jax.jit(jax.jacrev(f, (0, 1, 2)))

    def along(k, *args):
        def of_one(a):
            filled: Any = [*args[:k], a, *args[k + 1 :]]
            return f(*filled)

        shape = (8, *args[k].shape)
        directions = np.random.default_rng(1).choice([-1.0, 1.0], shape)

        def push(direction):
            return jax.jvp(of_one, (args[k],), (direction,))[1]

        return jax.vmap(push, out_axes=1)(directions.astype(args[k].dtype))

    return jax.jit(lambda *args: tuple(along(k, *args) for k in range(3)))


def largest_errors(obtained, truth):
    """The error of each result, relative to its largest entry that is no rounding."""
    rows = []
    for a, b in zip(obtained, truth, strict=True):
        size = np.abs(b).reshape(3, -1).max(1)
        size = np.maximum(size, 1e-7 * size.max())
        rows.append(np.abs(np.asarray(a, float) - b).reshape(3, -1).max(1) / size)
    return np.array(rows)
