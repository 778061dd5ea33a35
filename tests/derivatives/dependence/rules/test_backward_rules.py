"""Boxes through rules that only transpose, turned from what their cotangents read."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jnumerics.derivatives import batch_jacobian, dependence, jacobian, plan
from tests import hulls

MATRIX = np.tril(np.random.default_rng(0).uniform(1, 2, (3, 3)))


def looped(tree):
    """The same numbers, out of a while loop that JAX does not transpose."""
    halves = lambda t: jax.tree.map(lambda g: g / 2 + g / 2, t)
    start = (0, tree)
    step = lambda s: (s[0] + 1, halves(s[1]))
    return lax.while_loop(lambda s: s[0] < 3, step, start)[1]


def only_transposes(linear):
    """A linear function whose backward rule is all that there is of its derivative."""

    @jax.custom_vjp
    def fun(*xs):
        return linear(*xs)

    def backward(start, cotangent):
        _, pull = jax.vjp(linear, *start)
        return pull(looped(cotangent))

    fun.defvjp(lambda *xs: (linear(*xs), jax.tree.map(jnp.zeros_like, xs)), backward)
    return fun


FUNCTIONS = {
    "elementwise": (lambda x: 3 * x, (4, 3)),
    "shifted": (lambda x: jnp.roll(x, 1, axis=0), (4, 3)),
    "turned": (lambda x: x[:, ::-1].T, (4, 3)),
    "summed": (lambda x: x.sum(axis=1), (4, 3)),
    "summed to a scalar": (lambda x: x.sum(), (4, 3)),
    "spread": (lambda x: jnp.broadcast_to(x[:, None], (4, 2, 3)), (4, 3)),
    "differences": (lambda x: x[1:] - x[:-1], (7, 2)),
    "windows": (lambda x: x[4:] + x[2:-2] - x[:-4], (9,)),
    "a product": (lambda x: x @ MATRIX.astype(x.dtype), (4, 3)),
    "a part": (lambda x: x[1:3], (4, 3)),
    "padded": (lambda x: jnp.pad(x, ((1, 2), (0, 1))), (4, 3)),
    "of a scalar": (lambda x: x * np.arange(3.0), ()),
    "nothing": (lambda x: 2 * x, (0, 3)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_boxes_are_the_hulls_of_the_true_nonzeros(name, x64):
    linear, shape = FUNCTIONS[name]
    x = jnp.ones(shape)
    boxes = dependence(only_transposes(linear), x)
    lower, upper = hulls.hull(hulls.pattern(linear, x), x.ndim)
    there = upper >= lower
    np.testing.assert_array_equal(boxes.lower[..., : x.ndim][there], lower[there])
    np.testing.assert_array_equal(boxes.upper[..., : x.ndim][there], upper[there])


def test_what_no_cotangent_reads_depends_on_nothing():
    boxes = dependence(only_transposes(lambda x: jnp.pad(x, (1, 2))), jnp.ones(3))
    assert (boxes.lower > boxes.upper).ravel().tolist() == [
        True,
        *[False] * 3,
        *[True] * 2,
    ]


def test_several_operands_and_results_keep_what_is_theirs():
    fun = only_transposes(lambda a, b: (a + b[:, None], b[::-1]))
    a, b = jnp.ones((3, 2)), jnp.ones(3)
    of_a, of_b = (dependence(fun, a, b, argnums=k) for k in (0, 1))
    index = np.arange(3)
    np.testing.assert_array_equal(of_a.lower[0][..., 0], index[:, None] + [[0, 0]])
    np.testing.assert_array_equal(of_a.upper[0][..., 1], [[0, 1]] * 3)
    assert (of_a.lower[1] > of_a.upper[1]).all()
    np.testing.assert_array_equal(of_b.upper[0][..., 0], index[:, None] + [[0, 0]])
    np.testing.assert_array_equal(of_b.lower[1][..., 0], index[::-1])


@pytest.mark.parametrize("mode", ["auto", "reverse"])
def test_independent_samples_share_passes_of_a_rule_that_only_transposes(mode):
    scale = only_transposes(lambda x: 3 * x)

    def fun(x):
        return jnp.tanh(scale(jnp.sin(x)) @ MATRIX.astype(x.dtype))

    x = jnp.linspace(0, 1, 15).reshape(5, 3)
    blocks = batch_jacobian(fun, mode=mode)(x)
    truth = jax.vmap(
        jax.jacfwd(lambda r: jnp.tanh((3 * jnp.sin(r)) @ MATRIX.astype(r.dtype)))
    )(x)
    np.testing.assert_allclose(blocks, truth, atol=1e-5)
    assert plan(fun, x, target="batch").passes == 3


def test_samples_that_a_backward_rule_mixes_are_refused():
    fun = only_transposes(lambda x: x + jnp.roll(x, 1, axis=0))
    with pytest.raises(
        ValueError, match=r"samples 0 to 3 of .*\(\w+ at .*test_backward_rules"
    ):
        batch_jacobian(fun)(jnp.ones((4, 2)))


def test_a_jacobian_through_such_a_rule_is_that_of_jax():
    fun = only_transposes(lambda x: x[2:] - x[:-2])
    x = jnp.linspace(0, 1, 12)
    truth = jax.jit(jax.jacrev(lambda x: jnp.sin(x[2:] ** 2 - x[:-2] ** 2)))(x)
    through = lambda x: jnp.sin(fun(x**2))
    np.testing.assert_allclose(jacobian(through)(x), truth, atol=1e-6)
    sparse = jacobian(through, format="bcoo")(x)
    np.testing.assert_allclose(sparse.todense(), truth, atol=1e-6)
