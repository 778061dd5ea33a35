"""Cuts of a batch, whose factors give the block of each sample."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives._dependence.boxes import batch_index
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._dependence.propagate import propagate
from jnumerics.derivatives._modes.flow import Cut, SampleAxis, batch_capacity, narrowest
from tests.derivatives.modes._factors.jacobians import assert_close, dense, traced


def samples_first(x, where, n):
    """Bring a variable's value to shape (samples, elements)."""
    if where is None:
        return x.reshape(n, math.prod(x.shape) // n)
    axis, inner = where
    x = x.reshape(*x.shape[:axis], n, inner, *x.shape[axis + 1 :])
    others = [k for k in range(x.ndim) if k != axis]
    return x.transpose(axis, *others).reshape(n, math.prod(x.shape) // n)


def directions(var, where, n):
    """For each component the tangent that is one in it in every sample."""
    index = np.arange(var.aval.size).reshape(var.aval.shape)
    rows = np.asarray(samples_first(index, where, n))
    hot = [np.isin(index, rows[:, k]) for k in range(rows.shape[1])]
    shape = (len(hot), *var.aval.shape)
    return jnp.asarray(np.reshape(hot, shape), var.aval.dtype)


def batch_factor(linear, starts, ends, n):
    """Results (directions, samples, elements); `starts` and `ends` are (var, axis)."""
    rows = []
    for k, (var, where) in enumerate(starts):
        still = [jnp.zeros(v.aval.shape, v.aval.dtype) for v, _ in starts]

        def run(t, k=k, still=still):
            results = linear(*still[:k], t, *still[k + 1 :])
            pairs = zip(results, ends, strict=True)
            return jnp.concatenate([samples_first(r, w, n) for r, w in pairs], 1)

        rows.append(jax.vmap(run)(directions(var, where, n)))
    return jnp.concatenate(rows)


def batch_blocks(cut, axes, n, env):
    """Blocks (n, out, in) from the cut's factors; both ends have samples first."""
    starts = [(v, axes[v]) for v in cut.variables]
    own = SampleAxis(0, 1)
    inputs, outputs = ([own] * len(vs) for vs in (cut.before.inputs, cut.after.outputs))
    before = batch_factor(cut.before.reverse(env), starts, inputs, n)
    after = batch_factor(cut.after.forward(env), starts, outputs, n)
    return jnp.einsum("dnm,dnk->nmk", after, before)


def batch_cut(program, equations, outputs, n):
    """The cut of a batch of one input, and the axes of its variables."""
    (x,) = program.tangents
    boxes = propagate(
        equations, {x: batch_index(x.aval.shape, 0)}, constants_of(program)
    )
    capacity, axes = batch_capacity(boxes, n)
    cut = narrowest(equations, [x], outputs, capacity=capacity)
    assert isinstance(cut, Cut), cut
    return cut, axes


def true_blocks(fun, x):
    n = x.shape[0]
    whole = dense(fun, x).reshape(n, -1, n, x[0].size)
    return whole[np.arange(n), :, np.arange(n)]


def checked_batch_cut(fun, x):
    """The cut of a function of a batch, whose factors give each sample's block."""
    program, n = traced(fun, x), x.shape[0]
    cut, axes = batch_cut(program, program.linear, program.outputs, n)

    @jax.jit
    def both(x):
        env = program.evaluate([x])[1]
        return batch_blocks(cut, axes, n, env), true_blocks(fun, x)

    assert_close(*both(jnp.asarray(x)))
    return cut, axes
