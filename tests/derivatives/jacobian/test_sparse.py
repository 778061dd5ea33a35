"""Jacobians as sparse entries."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from jax.experimental.sparse import BCOO

from jnumerics.derivatives import jacobian
from tests import scenarios
from tests.derivatives.jacobian._modes import assert_close, options


def through_scipy(block):
    """Make a sparse block dense by the lines that `jacobian` documents."""
    if not block.ndim:
        return block.todense()  # SciPy has no arrays without an axis
    J = block.sum_duplicates()
    coo = scipy.sparse.coo_array((J.data, tuple(J.indices.T)), J.shape)
    assert coo.nnz == len(np.unique(J.indices, axis=0))
    if block.size:
        half = block.ndim // 2
        m, n = math.prod(block.shape[:half]), math.prod(block.shape[half:])
        matrix = coo.reshape(m, n).toarray()
        np.testing.assert_array_equal(matrix, coo.toarray().reshape(m, n))
    return coo.toarray()


@pytest.mark.parametrize("scenario", scenarios.params(every=4))
def test_sparse_entries_are_taken_by_scipy(scenario, key):
    args = scenario.make_args(key, scenario.dtypes[0])
    J = jacobian(
        scenario.fun, scenario.argnums, format="bcoo", **options(scenario, args)
    )(*args)
    is_block = {"is_leaf": lambda b: isinstance(b, BCOO)}
    dense = jax.tree.map(through_scipy, J, **is_block)
    assert_close(dense, scenario.jacobian(args), 4)


@pytest.mark.parametrize(
    ("name", "has_padding"),
    [("tridiagonal", True), ("arrow", False), ("softmax", False)],
)
def test_sparse_entries_that_stand_twice_or_nowhere_are_taken_by_scipy(
    name, has_padding, key
):
    scenario = scenarios.by_name(name)
    args = scenario.make_args(key, "float32")
    J = jacobian(scenario.fun, scenario.argnums, format="bcoo")(*args)
    indices = np.asarray(J.indices)
    assert len(np.unique(indices, axis=0)) < len(indices)
    assert bool((indices >= J.shape).any()) == has_padding
    assert_close(through_scipy(J), scenario.jacobian(args), 4)


@pytest.mark.parametrize(
    ("fun", "entries"),
    [
        # the same inputs
        pytest.param(
            lambda x: jax.lax.complex(jnp.sin(x), jnp.cos(x)), 12, id="of one element"
        ),
        # different inputs
        pytest.param(
            lambda x: jax.lax.complex(x[1:], x[:-1] ** 2), 22, id="of neighbors"
        ),
    ],
)
def test_sparse_complex_results_hold_each_entry_once(fun, entries):
    x = jnp.linspace(0.1, 1.0, 12)
    J = jacobian(fun, mode="compressed", format="bcoo")(x)
    assert J.nse == entries
    np.testing.assert_allclose(J.todense(), jacobian(fun)(x), atol=1e-6)


@pytest.mark.parametrize("mode", ["forward", "cut", "compressed"])
def test_a_sparse_block_between_scalars_holds_its_own_entry_alone(mode):
    J = jacobian(lambda x: (3 * x[0], 5 * x[1]), mode=mode, format="bcoo")((1.0, 2.0))
    assert [[b.todense() for b in row] for row in J] == [[3, 0], [0, 5]]
