"""Compressions of Jacobians that are zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import jacobian, jacobian_diagonal, plan
from tests.derivatives.modes.coloring._cases import array, compressed


def test_the_zero_jacobian_takes_no_pass():
    def fun(x):
        return x[jnp.array([7, 9])] * 2  # out of range: filled, not read

    with jax.numpy_dtype_promotion("standard"):
        compression = compressed(
            lambda x: x.at[jnp.array([7])].get(mode="fill") * 2, array(3), limit=1
        )
    del fun
    assert (compression.n_colors, compression.rows.size, compression.unproven.size) == (
        0,
        0,
        0,
    )


NOTHING_READ = {
    "selected": lambda x: jnp.where(jnp.arange(5) < 0, x, 0.0),
    "dropped": lambda x: jnp.zeros(5).at[jnp.arange(5) + 9].add(x, mode="drop"),
    "multiplied": lambda x: jnp.concatenate([jnp.zeros((3, 5)) @ (x * x), 0 * x[2:2]]),
    "two leaves": lambda x: (jnp.where(False, x, 1.0), jnp.where(False, x[:2], 1.0)),
}


@pytest.mark.parametrize("name", NOTHING_READ)
@pytest.mark.parametrize("mode", ["compressed", "auto"])
@pytest.mark.parametrize("format", ["dense", "bcoo"])
def test_a_jacobian_of_zeros_is_compressed_to_no_pass(name, mode, format):
    fun, x = NOTHING_READ[name], jnp.ones(5)
    J = jacobian(fun, mode=mode, format=format)(x)
    for block, expected in zip(
        jax.tree.leaves(J, is_leaf=lambda b: hasattr(b, "todense")),
        jax.tree.leaves(jax.jacfwd(fun)(x)),
        strict=True,
    ):
        dense = block.todense() if format == "bcoo" else block
        np.testing.assert_array_equal(dense, expected)
        assert dense.dtype == expected.dtype


def test_a_diagonal_of_zeros_is_found():
    diagonal = jacobian_diagonal(NOTHING_READ["selected"])(jnp.ones(5))
    np.testing.assert_array_equal(diagonal, np.zeros(5))


def test_a_plan_of_a_jacobian_of_zeros_names_no_colors():
    assert "0 colors of inputs" in str(plan(NOTHING_READ["selected"], jnp.ones(5)))
