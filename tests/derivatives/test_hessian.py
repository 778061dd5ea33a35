"""Hessians by star colors, as a user calls them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import hessian
from tests.derivatives.modes.star._graphs import (
    arrow,
    assert_close,
    candidates,
    dense,
    graph,
    numbers,
)


def energy(p, q, unused):
    middle = p["wide"] * q[:, None]
    return jnp.sum(jnp.sin(middle)) + jnp.sum(q) * p["one"] + 0.0 * jnp.sum(unused)


def test_trees_several_arguments_and_rows_of_zeros_are_served(x64):
    args = {"wide": numbers(7, 3), "one": np.float64(0.3)}, numbers(7), numbers(2)
    argnums = (0, 1, 2)
    star = candidates(energy, *args, argnums=argnums)["star"]
    assert star.same_as is None
    H = hessian(energy, argnums, mode="star", format="bcoo")(*args)
    assert_close(dense(H), jax.jit(jax.hessian(energy, argnums))(*args))


def test_a_result_of_one_entry_counts_as_a_scalar(x64):
    def one(x):
        return arrow(x)[None]

    x = numbers(12)
    assert_close(hessian(one, mode="star")(x), jax.jit(jax.hessian(one))(x))


def test_stars_under_transformations_are_those_of_jax(x64):
    X = numbers(2, 9)

    @jax.jit
    def slopes(X):
        ways = hessian(arrow, mode="star"), jax.hessian(arrow)
        totals = [lambda x, h=h: jnp.sum(jnp.sin(h(x))) for h in ways]
        return [jax.vmap(jax.value_and_grad(total))(X) for total in totals]

    assert_close(*slopes(X))


def test_stars_keep_a_bound_of_memory(x64):
    fun, x = graph(100, 160, 0), numbers(100)
    H = hessian(fun, mode="star", format="bcoo", max_bytes=40_000)(x)
    assert_close(H.todense(), jax.jit(jax.hessian(fun))(x))


@pytest.mark.boundary
def test_stars_are_for_one_real_number():
    with pytest.raises(ValueError, match="got 'star': `fun` must return one real"):
        hessian(jnp.sin, mode="star")(jnp.ones(3))
    with pytest.raises(ValueError, match="got 'star': `fun` must return one real"):
        hessian(lambda x: jnp.sum(jax.lax.complex(x**2, x)), mode="star")(jnp.ones(3))
