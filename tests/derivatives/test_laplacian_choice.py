"""Laplacians as they are chosen: colored directions, collapsed or nested."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnumerics.derivatives import laplacian, value_grad_and_laplacian
from jnumerics.derivatives._plan.second.choose import choose, shared
from jnumerics.derivatives._plan.second.collapsed import collapsed
from jnumerics.derivatives._plan.second.request import Request
from jnumerics.derivatives._program.trace import trace
from tests.derivatives._second import trace_of_hessian

random = np.random.default_rng(0)
WIDE = random.normal(size=(3, 6)) / 2
X = random.uniform(0.2, 0.8, size=6)


def close(actual, expected, rtol=1e-10, atol=1e-10):
    chex.assert_trees_all_close(actual, expected, rtol=rtol, atol=atol)


def network(x):
    weights = WIDE.astype(x.dtype)
    return jnp.sum(jnp.tanh(jnp.sin(weights @ x) @ weights) ** 2) * jnp.prod(x[:2])


def request(fun, x):
    return Request(trace(fun, (x,)), None, vouched=False, max_bytes=None)


def directions(fun, x):
    """How many directions the collapsed mode takes."""
    asked = request(fun, x)
    swept = collapsed(asked, shared(asked, None))
    assert not isinstance(swept, str)
    return swept.count


RING, GRID_SHAPE = 32, (6, 7)
GRAPHS = {  # the function, the shape of its argument, the colors of its Hessian's graph
    "separable": (lambda x: jnp.sum(jnp.sin(x) ** 4), (50,), 1),
    "line": (lambda x: jnp.sum(jnp.sin(x[1:] * x[:-1])), (41,), 2),
    "even ring": (lambda x: jnp.sum(jnp.sin(x * jnp.roll(x, 1))), (RING,), 2),
    "odd ring": (lambda x: jnp.sum(jnp.sin(x * jnp.roll(x, 1))), (RING + 1,), 3),
    "grid": (
        lambda x: jnp.sum(jnp.sin(x[1:] * x[:-1])) + jnp.sum(x[:, 1:] * x[:, :-1] ** 2),
        GRID_SHAPE,
        2,
    ),
    "particles apart": (
        lambda x: jnp.sum(jnp.tanh(jnp.tanh(x @ WIDE[:, :3].T) @ WIDE)),
        (10, 3),
        3,
    ),
    "pairs, none with itself": (lambda x: jnp.sum(x[::2] * x[1::2]), (20,), 1),
    "arrow": (lambda x: x[0] * jnp.sum(x[1:] ** 3), (30,), 2),
    "elementwise field": (lambda x: jnp.sin(x) ** 2, (40,), 1),
    "field of differences": (lambda x: {"a": jnp.diff(x) ** 2, "b": x**3}, (40,), 2),
    "dense": (lambda x: jnp.prod(jnp.sin(x)), (12,), 12),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_inputs_without_an_entry_between_them_share_a_direction(name, x64):
    fun, shape, colors = GRAPHS[name]
    x = random.uniform(0.2, 0.8, size=shape)
    assert directions(fun, jnp.asarray(x)) == colors
    expected = trace_of_hessian(fun, x)
    close(laplacian(fun, mode="collapsed")(x), expected)
    if not jax.tree.leaves(expected)[0].shape:
        actual = value_grad_and_laplacian(fun)(x)
        close(tuple(actual), (fun(x), jax.grad(fun)(x), expected))


def test_colors_never_join_what_meets(x64):
    """Random sparse graphs, by products of their ends."""
    for seed in range(3):
        draw = np.random.default_rng(seed)
        left, right = draw.integers(0, 30, size=(2, 40))
        fun = lambda x, left=left, right=right: jnp.sum(jnp.sin(x[left] * x[right]))
        x = draw.uniform(0.2, 0.8, size=30)
        close(laplacian(fun, mode="collapsed")(x), trace_of_hessian(fun, x))


def test_a_narrow_gradient_is_nested_and_a_dense_one_collapsed():
    into, out = (
        jnp.asarray(random.normal(size=s), "float32") for s in ((60, 2), (2, 90))
    )
    weights = jnp.asarray(random.normal(size=(40, 64)), jnp.float32)

    def narrow(x):
        return jnp.sum(jnp.tanh(jnp.tanh(x @ into) @ out))

    def dense(x):
        return jnp.sum(jnp.tanh(jnp.tanh(x @ weights) @ weights.T))

    assert choose(request(narrow, jnp.ones(60)), "auto").mode == "nested"
    assert choose(request(dense, jnp.ones(40)), "auto").mode == "collapsed"
