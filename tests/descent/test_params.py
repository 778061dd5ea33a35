"""The parameters of a descent: pytrees and dtypes."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jnumerics import descent
from tests.descent._losses import OPTIMIZERS, Module, Weights, custom


@pytest.mark.parametrize(
    "params",
    [
        {"a": jnp.ones(2), "b": (jnp.ones((3, 1)), None)},
        Weights(first=[jnp.ones(2)], second=jnp.ones(())),
        Module(jnp.ones((2, 3)), activation="tanh"),
        {"empty": jnp.ones((0, 3)), "one": 1.0},
        (),
    ],
    ids=["dict", "namedtuple", "module", "empty", "nothing"],
)
def test_any_pytree_is_minimized_leaf_by_leaf(params):
    def loss(p):
        assert jax.tree.structure(p) == jax.tree.structure(params)
        return sum((jnp.sum(x**2) for x in jax.tree.leaves(p)), start=jnp.zeros(()))

    optimizer = optax.sgd(0.25, momentum=0.9)
    result = descent.minimize(loss, params, optimizer=optimizer, steps=1)
    again = descent.minimize(
        loss, result.params, optimizer=optimizer, steps=0, state=result.state
    )
    half = jax.tree.map(lambda x: jnp.asarray(x) / 2, params)
    chex.assert_trees_all_close(result.params, half)
    chex.assert_trees_all_equal(again.params, result.params)


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "complex64"])
@pytest.mark.parametrize("name", ["sgd", "adam", "lbfgs"])
def test_params_keep_their_dtype(name, dtype, x64):
    start = jnp.zeros(2, dtype)
    result = descent.minimize(
        lambda p: jnp.sum(jnp.abs(p - 1) ** 2),
        start,
        optimizer=OPTIMIZERS[name](),
        steps=2,
    )
    assert result.params.dtype == start.dtype
    assert result.losses.dtype == jnp.finfo(start.dtype).dtype


def test_losses_have_the_dtype_of_the_loss():
    result = descent.minimize(
        lambda p: jnp.sum(p).astype(jnp.bfloat16),
        jnp.ones(2),
        optimizer=optax.sgd(0.1),
        steps=2,
    )
    assert (result.losses.dtype, result.params.dtype) == (jnp.bfloat16, jnp.float32)


@pytest.mark.parametrize(
    "start", [2, 2.0, np.float32(2), np.array(2.0), jnp.asarray(2.0)]
)
def test_a_number_is_a_parameter(start):
    result = descent.minimize(lambda p: p**2, start, optimizer=optax.sgd(0.25), steps=1)
    assert result.params.dtype == jnp.float32
    assert not result.params.weak_type
    assert result.params == 1.0


def test_matrix_params_are_arrays():
    result = descent.minimize(
        lambda p: jnp.sum(p * p),
        np.matrix([[1.0, 2.0]]),
        optimizer=optax.sgd(0.25),
        steps=1,
    )
    np.testing.assert_array_equal(result.params, [[0.5, 1.0]])


@pytest.mark.usefixtures("standard_promotion")
def test_state_may_widen_its_dtype():
    # starts from the integer 0 and accumulates thirds
    def update(grad, state, params=None):
        return jax.tree.map(lambda g: -0.1 * g, grad), state + 1 / 3

    optimizer = custom(lambda _: 0, update)
    result = descent.minimize(jnp.sum, jnp.ones(2), optimizer=optimizer, steps=3)
    again = descent.minimize(
        jnp.sum, result.params, optimizer=optimizer, steps=3, state=result.state
    )
    np.testing.assert_allclose([result.state, again.state], [1.0, 2.0], rtol=1e-6)


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("name", ["sgd", "adam", "lbfgs"])
def test_complex_params_go_down(name):
    goal = np.array([1 + 2j, -3j], np.complex64)
    result = descent.minimize(
        lambda z: jnp.sum(jnp.abs(z - goal) ** 2),
        jnp.zeros(2, jnp.complex64),
        optimizer={
            "sgd": optax.sgd(0.3),
            "adam": optax.adam(0.1),
            "lbfgs": optax.lbfgs(),
        }[name],
        steps=150,
    )
    np.testing.assert_allclose(result.params, goal, atol=0.02)


def test_complex_descent_is_that_of_real_and_imaginary_part():
    def loss(z):
        return jnp.abs(z**3 - 2j) ** 2

    z = descent.minimize(loss, 1 + 1j, optimizer=optax.sgd(0.01), steps=20).params
    x, y = descent.minimize(
        lambda p: loss(jax.lax.complex(p[0], p[1])),
        jnp.ones(2),
        optimizer=optax.sgd(0.01),
        steps=20,
    ).params
    np.testing.assert_allclose([z.real, z.imag], [x, y], rtol=1e-5)
