"""Functions whose Hessians have the entries of a graph, and how these are compared."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO

from jnumerics.derivatives import plan
from tests.derivatives._second import line


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def arrow(x):
    return jnp.sum(x[0] ** 2 * jnp.sin(x))


def block_arrow(x):
    return jnp.sum(jnp.sin(x[:4])) * jnp.sum(jnp.sin(x)) + line(x)


def heads(x):
    return jnp.sum(jnp.sin(x[:5])) ** 2 * jnp.sum(jnp.sin(x[5:]))


def bilinear(x):
    return jnp.sum(x[0] * x[1:])


def pairs(x):
    return jnp.sum(x[::2] * x[1::2])


def grid(u):
    along = jnp.diff(u, axis=0), jnp.diff(u, axis=1)
    return sum(jnp.sum(d**4) for d in along)


def on_edges(edges):
    """A function whose Hessian has the entries of a graph, and its diagonal."""
    i, j = np.asarray(edges).T
    return lambda x: jnp.sum(jnp.sin(x[i] * x[j])) + jnp.sum(x**3)


def tree(n):
    return on_edges([(k, (k - 1) // 2) for k in range(1, n)])


def graph(n, edges, seed):
    return on_edges(np.random.default_rng(seed).integers(0, n, (edges, 2)))


def candidates(fun, *args, **options):
    chosen = plan(fun, *args, target="hessian", **options)
    return {c.mode: c for c in chosen.candidates}


def dense(tree):
    is_sparse = lambda b: isinstance(b, BCOO)
    return jax.tree.map(
        lambda b: b.todense() if is_sparse(b) else b, tree, is_leaf=is_sparse
    )


def assert_close(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10),
        actual,
        expected,
    )
