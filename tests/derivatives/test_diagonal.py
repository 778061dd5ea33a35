"""Diagonals by every way, and what is summed from them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import (
    divergence,
    hessian_diagonal,
    jacobian_diagonal,
    plan,
)
from jnumerics.derivatives._modes.terms import Dense, Sizes

WEIGHTS = np.random.default_rng(1).normal(size=(2, 9)).astype(np.float32) / 3
SQUARE = np.random.default_rng(2).normal(size=(9, 9)).astype(np.float32) / 3


def grid(x):
    """Couple each cell of a 3 x 3 grid to its neighbors below and on the right."""
    cells = jnp.pad(x.reshape(3, 3), ((0, 1), (0, 1)))
    return (jnp.sin(cells[:-1, :-1]) * cells[1:, :-1] + cells[:-1, 1:] ** 2).reshape(-1)


FUNCTIONS = {
    "elementwise": (lambda x: jnp.sin(x) * x, 1),
    "line": (lambda x: x**2 * jnp.pad(x[1:], (0, 1)) + jnp.pad(x[:-1], (1, 0)), 2),
    "grid": (grid, 2),
    "head of an arrow": (lambda x: (x * x[0]).at[0].add(jnp.sum(x**2)), 2),
    "stencil": (lambda x: x**2 * jnp.roll(x, 1) - jnp.roll(x, -1), 3),
    "narrow": (lambda x: jnp.tanh(WEIGHTS @ x) @ WEIGHTS, 4),
    "residual": (lambda x: x**3 + jnp.tanh(WEIGHTS @ x) @ WEIGHTS, 5),
    "dense": (lambda x: jnp.tanh(SQUARE @ x), 9),
    "shifted": (lambda x: jnp.roll(x, 1) ** 2, 1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_diagonal_is_that_of_the_jacobian(name, key):
    fun, _ = FUNCTIONS[name]
    x = jax.random.normal(key, (9,))
    expected = jnp.diagonal(jax.jacfwd(fun)(x))
    np.testing.assert_allclose(jacobian_diagonal(fun)(x), expected, atol=1e-5)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_diagonal_takes_as_few_passes_as_structure_allows(name, key):
    fun, passes = FUNCTIONS[name]
    chosen = plan(fun, jax.random.normal(key, (9,)), target="diagonal")
    assert min(c.passes for c in chosen.candidates if c.passes) == passes


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vmap_of_the_diagonal_is_per_sample(name, key):
    fun, _ = FUNCTIONS[name]
    X = jax.random.normal(key, (4, 9))
    expected = jax.vmap(lambda x: jnp.diagonal(jax.jacfwd(fun)(x)))(X)
    np.testing.assert_allclose(jax.vmap(jacobian_diagonal(fun))(X), expected, atol=1e-5)


def test_large_dense_diagonals_do_not_form_the_jacobian(key, temp_bytes):
    n = 3000
    weight = jax.random.normal(key, (n,))

    def dense(x):
        return jnp.sin(x) * jnp.cumsum(x * weight)

    x = jax.random.normal(key, (n,))
    assert temp_bytes(jacobian_diagonal(dense), x) < 4 * n * n
    expected = jnp.cos(x) * jnp.cumsum(x * weight) + jnp.sin(x) * weight
    np.testing.assert_allclose(jacobian_diagonal(dense)(x), expected, atol=1e-3)


def test_trees_keep_their_shapes(key):
    tree = {"a": jax.random.normal(key, (2, 3)), "b": jnp.float32(0.5)}

    def both(t):
        return {"a": t["a"] ** 2 * t["b"], "b": jnp.sum(t["a"]) * t["b"] ** 2}

    diagonal = jacobian_diagonal(both)(tree)
    np.testing.assert_allclose(diagonal["a"], 2 * tree["a"] * tree["b"], rtol=1e-5)
    expected = 2 * jnp.sum(tree["a"]) * tree["b"]
    np.testing.assert_allclose(diagonal["b"], expected, rtol=1e-5)


def test_leaves_that_depend_on_nothing_have_zeros():
    diagonal = jacobian_diagonal(lambda t: (jnp.ones(2), t[0][:1] * t[1] ** 2))(
        (jnp.ones(2), jnp.ones(1))
    )
    np.testing.assert_array_equal(diagonal[0], [0.0, 0.0])
    np.testing.assert_array_equal(diagonal[1], [2.0])


def test_divergence_sums_the_diagonal(key):
    x = jax.random.normal(key, (9,))
    for fun, _ in FUNCTIONS.values():
        expected = jnp.trace(jax.jacfwd(fun)(x))
        np.testing.assert_allclose(divergence(fun)(x), expected, atol=1e-5)


@pytest.mark.slow
def test_hessian_diagonal_is_that_of_the_hessian(key):
    x = jax.random.normal(key, (2, 4))

    def energy(x):
        return jnp.sum(jnp.sin(x) ** 2) * jnp.prod(x[0]) + x[1, 1] ** 3

    hessian = jax.jit(jax.hessian(energy))(x).reshape(8, 8)
    diagonal = hessian_diagonal(energy)(x)
    assert diagonal.shape == (2, 4)
    np.testing.assert_allclose(diagonal.ravel(), jnp.diagonal(hessian), rtol=1e-4)


def test_hessian_diagonal_nests_as_its_arguments():
    diagonal = hessian_diagonal(lambda t, s: t["a"] ** 3 * s + jnp.sum(t["b"]), (1, 0))(
        {"a": jnp.float32(2), "b": jnp.ones((0, 2))}, jnp.float32(5)
    )
    assert (diagonal[0], diagonal[1]["a"], diagonal[1]["b"].shape) == (0, 60, (0, 2))


def test_hessian_diagonal_of_a_separable_function_takes_one_pass():
    chosen = plan(jax.grad(lambda x: jnp.sum(x**4)), jnp.ones(50), target="diagonal")
    assert chosen.passes == 1


@pytest.mark.slow
def test_diagonals_are_differentiable_again(key):
    x = jax.random.normal(key, (9,))
    for fun, _ in FUNCTIONS.values():
        gradient = jax.grad(lambda x, f=fun: jnp.sum(jacobian_diagonal(f)(x) ** 2))(x)
        expected = jax.grad(
            lambda x, f=fun: jnp.sum(jnp.diagonal(jax.jacfwd(f)(x)) ** 2)
        )(x)
        np.testing.assert_allclose(gradient, expected, atol=1e-4)


@pytest.mark.boundary
@pytest.mark.parametrize("tool", [jacobian_diagonal, divergence])
def test_another_shape_of_the_result_is_refused(tool):
    with pytest.raises(ValueError, match="must return its argument's tree and shapes"):
        tool(lambda x: x[:2])(jnp.ones(3))


@pytest.mark.boundary
@pytest.mark.parametrize("tool", [jacobian_diagonal, divergence])
def test_another_tree_of_the_same_shapes_is_told_apart_in_what_is_printed(tool):
    with pytest.raises(ValueError, match=r"\{'a': \*\}\), got PyTreeDef\(\*\)"):
        tool(lambda tree: tree["a"])({"a": jnp.ones(3)})


def per_sample(X):
    return jnp.sum(X**2, axis=-1)


@pytest.mark.boundary
@pytest.mark.parametrize("tool", [jacobian_diagonal, divergence, hessian_diagonal])
def test_one_number_a_sample_is_refused_and_the_way_named(tool):
    X = jnp.arange(6.0).reshape(3, 2)
    with pytest.raises(
        ValueError, match=r"for each sample of a batch, apply jax\.vmap"
    ):
        tool(per_sample)(X)
    if tool is hessian_diagonal:
        np.testing.assert_allclose(jax.vmap(tool(per_sample))(X), 2.0)


@pytest.mark.boundary
def test_a_vector_of_another_length_is_no_batch():
    with pytest.raises(ValueError, match="must return its argument's tree") as caught:
        divergence(lambda x: x[:2])(jnp.ones(3))
    assert "vmap" not in str(caught.value)


@pytest.mark.boundary
def test_hessian_diagonal_needs_a_scalar():
    with pytest.raises(
        ValueError, match=r"`fun` must return a scalar, got shape \(3,\)"
    ):
        hessian_diagonal(jnp.sin)(jnp.ones(3))


@pytest.mark.boundary
@pytest.mark.parametrize("tool", [jacobian_diagonal, divergence, hessian_diagonal])
def test_inputs_without_derivative_are_refused(tool):
    with pytest.raises(TypeError, match="must be real"):
        tool(lambda x: jnp.sum(x))(np.arange(3))
    with pytest.raises(TypeError, match="`fun` must be a function"):
        tool(3)


def test_diagonals_of_nothing_are_zero_and_empty():
    np.testing.assert_array_equal(
        jacobian_diagonal(jnp.floor)(jnp.ones(3)), jnp.zeros(3)
    )
    assert jacobian_diagonal(jnp.sin)(jnp.ones((0, 2))).shape == (0, 2)


def test_a_matrix_in_blocks_has_its_diagonal():
    matrix = np.arange(18.0).reshape(2, 3, 3)
    blocks = [
        [jnp.asarray(b) for b in np.split(r, [1], 2)] for r in np.split(matrix, [2], 1)
    ]
    diagonal = Dense(blocks).diagonal(Sizes(2, [2, 1], [1, 2]))
    np.testing.assert_array_equal(diagonal, np.diagonal(matrix, axis1=1, axis2=2))
