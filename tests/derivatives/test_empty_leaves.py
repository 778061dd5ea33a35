"""Leaves of size 0, alone and beside others: every derivative, every mode."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import (
    batch_jacobian,
    check_derivatives,
    compare_modes,
    dependence,
    divergence,
    hessian,
    jacobian,
    jacobian_diagonal,
    laplacian,
    plan,
)

NONE, NO_ROWS = jnp.zeros(0), jnp.zeros((2, 0))
POINT = {"a": jnp.arange(1.0, 4.0), "none": NONE, "no rows": NO_ROWS}
BATCH = {"a": jnp.ones((4, 2)), "none": jnp.zeros((4, 0))}
NO_SAMPLES = {"a": jnp.ones((0, 2)), "none": jnp.zeros((0, 3))}


def elementwise(p):
    return {"a": p["a"] ** 2, "none": 3 * p["none"], "no rows": jnp.sin(p["no rows"])}


def mixing(p):
    return elementwise(p) | {"a": jnp.cumsum(p["a"]) * p["a"][::-1]}


def scalar(p):
    return sum(jnp.sum(x**3) for x in p.values())


def squares(p):
    return jax.tree.map(jnp.square, p)


FUNCTIONS = {"elementwise": elementwise, "mixing": mixing, "scalar": scalar}
each_mode = pytest.mark.parametrize(
    "mode", ["auto", "forward", "reverse", "cut", "compressed"]
)


def assert_same(actual, truth):
    assert jax.tree.structure(actual) == jax.tree.structure(truth)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-6, strict=True)
    jax.tree.map(close, actual, truth)


@each_mode
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_jacobian_has_empty_blocks(name, mode):
    truth = jax.jit(jax.jacfwd(FUNCTIONS[name]))(POINT)
    assert_same(jacobian(FUNCTIONS[name], mode=mode)(POINT), truth)
    bounded = jacobian(FUNCTIONS[name], mode=mode, max_bytes=20_000)
    assert_same(bounded(POINT), truth)


@each_mode
def test_a_sparse_jacobian_has_empty_blocks(mode):
    J = jacobian(mixing, mode=mode, format="bcoo")(POINT)
    is_block = lambda b: hasattr(b, "todense")
    dense = jax.tree.map(lambda b: b.todense(), J, is_leaf=is_block)
    assert_same(dense, jax.jit(jax.jacfwd(mixing))(POINT))


@each_mode
@pytest.mark.parametrize(
    ("fun", "x", "shape"),
    [
        pytest.param(jnp.sin, NONE, (0, 0), id="both ends"),
        pytest.param(lambda x: x[:0], jnp.ones(3), (0, 3), id="results"),
        pytest.param(lambda x: jnp.ones(3) * x.sum(), NONE, (3, 0), id="arguments"),
    ],
)
def test_empty_ends_have_an_empty_jacobian(fun, x, shape, mode):
    assert jacobian(fun, mode=mode)(x).shape == shape
    assert jacobian(fun, mode=mode, format="bcoo")(x).todense().shape == shape


@pytest.mark.parametrize("format", ["dense", "bcoo"])
def test_a_hessian_has_empty_blocks(format):
    H = hessian(scalar, format=format)(POINT)
    if format == "bcoo":
        is_block = lambda b: hasattr(b, "todense")
        H = jax.tree.map(lambda b: b.todense(), H, is_leaf=is_block)
    assert_same(H, jax.jit(jax.hessian(scalar))(POINT))


@pytest.mark.parametrize("name", ["elementwise", "mixing"])
def test_a_diagonal_has_empty_leaves(name):
    full = jax.jit(jax.jacfwd(FUNCTIONS[name]))(POINT)
    truth = {"a": jnp.diagonal(full["a"]["a"]), "none": NONE, "no rows": NO_ROWS}
    assert_same(jacobian_diagonal(FUNCTIONS[name])(POINT), truth)
    assert_same(divergence(FUNCTIONS[name])(POINT), truth["a"].sum())
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), (POINT, truth))
    assert_same(jax.vmap(jacobian_diagonal(FUNCTIONS[name]))(stacked[0]), stacked[1])


def test_a_laplacian_takes_empty_leaves():
    np.testing.assert_allclose(laplacian(scalar)(POINT), 36)
    assert laplacian(jnp.sum)(NONE) == 0
    assert divergence(jnp.sin)(NO_ROWS) == 0


@pytest.mark.parametrize("check", ["proof", "probe", None])
@pytest.mark.parametrize("mode", ["auto", "forward", "reverse", "cut", "compressed"])
@pytest.mark.parametrize("batch", [BATCH, NO_SAMPLES], ids=["none", "no samples"])
def test_a_batch_has_empty_blocks(batch, mode, check):
    blocks = batch_jacobian(squares, mode=mode, check=check)(batch)
    assert_same(blocks, jax.vmap(jax.jacfwd(squares))(batch))


@pytest.mark.parametrize("target", ["jacobian", "diagonal"])
def test_a_plan_counts_no_empty_leaf(target):
    chosen = plan(mixing, POINT, target=target)
    assert (chosen.n_outputs, chosen.n_inputs) == (3, 3)


def test_dependence_of_empty_leaves_is_elementwise():
    assert dependence(elementwise, POINT).is_elementwise
    assert dependence(squares, NO_SAMPLES).is_elementwise


def test_modes_of_empty_leaves_are_compared():
    for fun, x, batch in [
        (mixing, POINT, False),
        (squares, BATCH, True),
        (squares, NO_SAMPLES, True),
        (jnp.sin, NONE, False),
    ]:
        comparison = compare_modes(fun, x, batch=batch, repeats=1)
        assert [m.error for m in comparison.modes] == [None] * 4


@pytest.mark.parametrize("x", [POINT, {"none": NONE}], ids=["beside", "alone"])
def test_derivatives_by_empty_leaves_are_checked(x):
    assert check_derivatives(squares, x).passed


@pytest.mark.parametrize("op", ["set", "add", "subtract", "multiply"])
@pytest.mark.parametrize("mode", ["clip", "drop"])
def test_a_scatter_into_an_axis_without_elements_hits_nothing(op, mode):
    def fun(x, k):
        empty = jnp.zeros((0, 3)) * x.sum()
        hit = getattr(empty.at[k], op)(x[0], mode=mode, unique_indices=True)
        return jnp.concatenate([hit.ravel(), x])

    x, k = jnp.ones(3), jnp.array([1])
    np.testing.assert_array_equal(jacobian(fun)(x, k), np.eye(3))


@pytest.mark.parametrize("shape", [(0, 3, 3), (3, 0, 2), (0, 3, 0)])
def test_a_product_with_a_triangle_and_nothing_reads_nothing(shape):
    lower = jnp.tril(jnp.ones((3, shape[1])))

    def fun(x):
        return jnp.tensordot(lower, x, ((1,), (1,)))

    x = jnp.zeros(shape)
    assert dependence(fun, x).is_elementwise
    assert_same(jacobian(fun, mode="compressed")(x), jax.jit(jax.jacfwd(fun))(x))
