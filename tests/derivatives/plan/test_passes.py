"""Passes that are counted on one of them: as the program of all of them is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental import pallas

from jnumerics.derivatives import laplacian
from jnumerics.derivatives._dependence.samples import sample_axes
from jnumerics.derivatives._modes.ends import Forward, Reverse, make_problem
from jnumerics.derivatives._plan import candidates, passes
from jnumerics.derivatives._plan.cost import count
from jnumerics.derivatives._program.trace import trace
from tests.derivatives.plan._functions import NARROW, WIDE, dense, narrow

KERNEL = jnp.asarray(np.random.default_rng(4).normal(size=(3, 3, 2, 4)), jnp.float32)


def layers(x):
    return jnp.tanh(jnp.tanh(WIDE @ x) @ WIDE)


def looped(x):
    step = lambda y, w: (jnp.tanh(WIDE.T @ (WIDE @ y)) * w, jnp.sum(y))
    return lax.scan(step, x, jnp.arange(1.0, 8.0, dtype=x.dtype))


def counted_loop(x):
    return lax.fori_loop(0, 5, lambda _, y: jnp.sin(WIDE.T @ (WIDE @ y)), x)


def branched(x):
    ways = lambda y: jnp.sin(WIDE @ y), lambda y: (WIDE @ y) ** 2
    return lax.cond(jnp.sum(x) > 0, *ways, x)


def convolved(x):
    dims = ("NHWC", "HWIO", "NHWC")
    y = lax.conv_general_dilated(x, KERNEL, (1, 1), "SAME", dimension_numbers=dims)
    return jnp.tanh(y).sum((1, 2))


def attended(x):
    return jax.nn.softmax(x @ x.T) @ x


def parts(tree):
    return {"sum": jnp.sin(tree[0]) + jnp.sum(tree[1]), "product": jnp.outer(*tree)}


CASES = {
    "one product": (dense, jnp.ones(50)),
    "a narrow place": (narrow, jnp.ones(200)),
    "layers": (layers, jnp.ones(50)),
    "elementwise": (jnp.sin, jnp.ones(300)),
    "differences": (lambda x: jnp.diff(x) ** 2, jnp.ones(300)),
    "running sum": (jnp.cumsum, jnp.ones(200)),
    "gather": (lambda x: x[jnp.arange(150) // 2] ** 2, jnp.ones(100)),
    "sort": (jnp.sort, jnp.arange(200.0)),
    "scan": (looped, jnp.ones(50)),
    "loop": (counted_loop, jnp.ones(50)),
    "branches": (branched, jnp.ones(50)),
    "convolution": (convolved, jnp.ones((2, 8, 8, 2))),
    "attention": (attended, jnp.ones((12, 8))),
    "several leaves": (parts, (jnp.ones(20), jnp.ones(30))),
    "a scalar": (lambda x: jnp.sum(NARROW @ jnp.sin(x)), jnp.ones(200)),
    "one input": (lambda x: jnp.sin(x * jnp.arange(100.0)), jnp.float32(1)),
}


def both(problem, kind):
    """Costs of forward and reverse mode: counted on one pass, and on all of them."""
    _, m, n = problem.sizes.shape
    for strategy in (Forward(n), Reverse(m)):
        program = candidates.passes_jaxpr(problem, kind, strategy, None)
        yield passes.of_end(problem, kind, strategy), count(program)


def close(pairs):
    """Within a quarter below, and the one over the other within a fifth.

    A batching rule spreads what it selects from, and turns operands and results of
    products, which is not counted.
    """
    pairs = list(pairs)
    for one, every in pairs:
        assert one.operations == pytest.approx(every.operations, rel=0.12)
        assert 0.75 < one.seconds / every.seconds < 1.05
    (forward, f), (reverse, r) = pairs
    assert forward.seconds / reverse.seconds == pytest.approx(
        f.seconds / r.seconds, rel=0.2
    )


@pytest.mark.parametrize("name", CASES)
def test_one_pass_counts_what_the_program_of_all_does(name):
    fun, x = CASES[name]
    close(both(make_problem(trace(fun, (x,))), "jacobian"))


@pytest.mark.parametrize("name", ["layers", "elementwise", "loop", "attention"])
def test_one_pass_counts_a_diagonal_too(name):
    fun, x = CASES[name]
    if name == "layers":
        fun = lambda x: layers(x)[: x.size]
    close(both(make_problem(trace(fun, (x,)), None, "diagonal"), "diagonal"))


@pytest.mark.parametrize("axis", [0, 1])
def test_one_pass_counts_samples_that_share_it(axis):
    fun = lambda X: jnp.moveaxis(jnp.sin(jnp.moveaxis(X, axis, 0) @ WIDE), 0, axis)
    target = trace(fun, (jnp.ones((64, 30) if axis == 0 else (30, 64)),))
    axes = sample_axes(target, axis, axis)
    close(both(make_problem(target, axes), "batch"))


def test_what_directions_share_counts_once():
    # a loop's weights are read once for all directions, what they make of them is not
    program = jax.make_jaxpr(counted_loop)(jnp.ones(50))
    (x,) = program.jaxpr.invars
    one, ten = (count(program, batched=[x], size=k) for k in (1, 10))
    assert ten.operations == pytest.approx(10 * one.operations, rel=1e-3)
    weights = 5 * 2 * WIDE.nbytes
    assert ten.bytes < 10 * (one.bytes - weights) + 1.1 * weights
    assert count(program, batched=[], size=10) == one == count(program)


def test_a_kernel_reads_more_than_its_operands():
    def doubled(x_ref, y_ref):
        y_ref[...] = 2 * x_ref[...]

    @jax.custom_jvp
    def kernel(x):
        shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return pallas.pallas_call(doubled, shape, interpret=True)(x)

    kernel.defjvp(lambda primals, tangents: (kernel(*primals), 2 * tangents[0]))
    x = jnp.linspace(0.1, 1.0, 16)
    lap = laplacian(lambda x: jnp.sum(jnp.sin(kernel(x))))(x)
    np.testing.assert_allclose(lap, -4 * jnp.sum(jnp.sin(2 * x)), rtol=1e-5)
    program = jax.make_jaxpr(kernel)(x)
    assert count(program, batched=program.jaxpr.invars, size=3).bytes > 0
