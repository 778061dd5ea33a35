from functools import cache, partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics import linear_regression
from tests import reference

SEED_X = np.array([[1, 5], [1, 2], [1, 4], [1, 5]])
SEED_Y = np.array([1, 6, 4, 2])
START = np.zeros(2)

gradient_descent = linear_regression.gradient_descent


def draw(m, n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, n)), rng.normal(size=m), rng.normal(size=n)


def naive(X, y, theta, rate, steps):
    """The recurrence as it is written, in JAX, for derivatives."""
    m, costs = len(y), []
    for _ in range(steps):
        theta = theta - rate / m * (X.T @ (X @ theta - y))
        residual = X @ theta - y
        costs.append(residual @ residual / (2 * m))
    return theta, jnp.stack(costs)


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


# Values: the direct way, the triangle, the triangle by blocks

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


# Derivatives of the iterates


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


# solve


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


@pytest.mark.parametrize(("m", "n"), [(9, 2), (800, 2), (9000, 5), (1_000_000, 2)])
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


def test_vmap_of_solve_is_a_loop(x64):
    X = np.random.default_rng(0).normal(size=(3, 6, 2))
    y = np.random.default_rng(1).normal(size=(3, 6))
    together = jax.vmap(linear_regression.solve)(X, y)
    for i in range(3):
        np.testing.assert_allclose(together[i], linear_regression.solve(X[i], y[i]))


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


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("X", "theta", "error", "message"),
    [
        (np.ones(4), START, ValueError, r"`X` must have rank 2, got shape \(4,\)"),
        (SEED_X, np.zeros((2, 1)), ValueError, r"`theta` must have rank 1, got shape"),
        (SEED_X, np.zeros(3), ValueError, r"`X` must have a last axis of size 3, got"),
        (
            np.ones((0, 2)),
            START,
            ValueError,
            r"`X` must have at least one row, got shape",
        ),
        (SEED_X * 1j, START, TypeError, r"`X` must be real, got dtype complex"),
        (SEED_X.tolist(), START, TypeError, r"`X` must be an array, got list"),
        (SEED_X, "00", TypeError, r"`theta` must be an array, got str"),
    ],
)
def test_cost_and_descent_reject(X, theta, error, message):
    with pytest.raises(error, match=message):
        linear_regression.cost(theta, X, SEED_Y)
    with pytest.raises(error, match=message):
        gradient_descent(X, SEED_Y, theta, learning_rate=0.1, steps=1)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (SEED_Y * 1j, "`y` must be real, got dtype complex"),
        (SEED_Y.tolist(), "`y` must be an array, got list"),
        (SEED_Y.astype(object), "`y` must hold numbers that JAX has, got dtype object"),
    ],
)
def test_cost_and_descent_reject_targets_of_another_type(y, message):
    with pytest.raises(TypeError, match=message):
        linear_regression.cost(START, SEED_X, y)
    with pytest.raises(TypeError, match=message):
        gradient_descent(SEED_X, y, START, learning_rate=0.1, steps=1)


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"learning_rate": np.ones(1)}, ValueError, "`learning_rate` must have rank 0"),
        ({"learning_rate": 1j}, TypeError, "`learning_rate` must be real"),
        ({"learning_rate": "fast"}, TypeError, "`learning_rate` must be an array"),
        ({"steps": -1}, ValueError, "`steps` must be at least 0, got -1"),
        (
            {"steps": 2**31},
            ValueError,
            "`steps` must be at most 2147483647, got 214748",
        ),
        ({"steps": 1.0}, TypeError, "`steps` must be an integer, got float"),
    ],
)
def test_descent_rejects_options(options, error, message):
    with pytest.raises(error, match=message):
        gradient_descent(
            SEED_X, SEED_Y, START, **{"learning_rate": 0.1, "steps": 1, **options}
        )


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (np.ones(3), np.ones(3), ValueError, r"`X` must have rank 2, got shape \(3,\)"),
        (np.ones((2, 3)), np.ones(2), ValueError, r"`X` must have as many rows as col"),
        (np.ones((0, 0)), np.ones(0), ValueError, r"`X` must have at least one row"),
        (
            SEED_X,
            np.ones(3),
            ValueError,
            r"`y` must have an axis 0 of size 4, got shape",
        ),
        (SEED_X, 1.0, ValueError, r"`y` must have rank 1 or 2, got shape \(\)"),
        (
            SEED_X,
            np.ones((4, 1, 1)),
            ValueError,
            r"`y` must have rank 1 or 2, got shape",
        ),
        (SEED_X, SEED_Y * 1j, TypeError, r"`y` must be real, got dtype complex"),
        (SEED_X.tolist(), SEED_Y, TypeError, r"`X` must be an array, got list"),
    ],
)
def test_solve_rejects(X, y, error, message):
    with pytest.raises(error, match=message):
        linear_regression.solve(X, y)


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
