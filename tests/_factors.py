"""Jacobians from cuts and splits, in one compiled program with the dense ones."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax import lax

from jnumerics.derivatives._dependence.boxes import batch_index
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._dependence.propagate import propagate
from jnumerics.derivatives._modes.flow import Cut, SampleAxis, batch_capacity, narrowest
from jnumerics.derivatives._modes.skip import split_skips
from jnumerics.derivatives._program.joint import trace
from jnumerics.derivatives._program.linearity.directions import forwardable
from jnumerics.derivatives._program.tangent import part

# --- functions to differentiate ------------------------------------------------------


def array(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def complex_array(*shape):
    return (array(*shape) + 1j * array(*shape, seed=1)) / 3


def weights(n_out, n_in, seed=0):
    return jnp.asarray(array(n_out, n_in, seed=seed) / np.sqrt(n_in))


def network(*sizes):
    """A multilayer perceptron, tanh between its layers."""
    ws = [weights(b, a) for a, b in itertools.pairwise(sizes)]

    def apply(x):
        for w in ws[:-1]:
            x = jnp.tanh(w @ x)
        return ws[-1] @ x

    return apply


def residual_blocks(n, hidden, blocks):
    ws = [
        (weights(hidden, n, seed=k), weights(n, hidden, seed=k)) for k in range(blocks)
    ]

    def fun(x):
        for down, up in ws:
            x = x + up @ jnp.tanh(down @ x)
        return x

    return fun


def newton(x):
    """A while loop that carries tangents: it does not transpose."""
    state = (x, 0)
    return lax.while_loop(
        lambda c: c[1] < 3, lambda c: (0.5 * (c[0] + 2.0 / c[0]), c[1] + 1), state
    )[0]


@jax.custom_vjp
def only_reverse(x):
    """A rule whose backward pass holds a while loop, so that it transposes once."""
    return jnp.sin(x)


def _backward(x, cotangent):
    start = (cotangent * jnp.cos(x) * 4.0, 0)
    halved = lax.while_loop(lambda c: c[1] < 2, lambda c: (c[0] * 0.5, c[1] + 1), start)
    return (halved[0],)


only_reverse.defvjp(lambda x: (only_reverse(x), x), _backward)


def step(kind, a, b, size, seed):
    shared = min(a.size, b.size)
    a1, b1 = a[:shared], b[:shared]
    options = [
        lambda: jnp.tanh(weights(size, a.size, seed=seed) @ a),
        lambda: weights(size, a.size, seed=seed) @ a,
        lambda: a1 + b1,
        lambda: b1 - jnp.sin(a1),
        lambda: a1 * b1,
        lambda: jnp.concatenate([a, b])[:7],
        lambda: a[::-1] * 2.0,
        lambda: a.at[0].set(jnp.sum(b)),
        lambda: a.at[jnp.array([0, a.size - 1])].add(b[:1].repeat(2)),
        lambda: lax.scan(lambda c, t: (jnp.sin(c) * t, c), a, b)[1].reshape(-1)[:6],
        lambda: lax.cond(a[0] > 0, lambda: a1 * 2.0, lambda: b1**2),
        lambda: newton(2.0 + a**2) + jnp.mean(a),
    ]
    return options[kind]()


steps = st.tuples(
    st.integers(0, 11), st.integers(0, 99), st.integers(0, 99), st.integers(1, 5)
)


def program_of(chosen):
    """A function of two vectors in random steps, each of which reads earlier results."""

    def fun(x, y):
        values = [x, y]
        for k, (kind, i, j, size) in enumerate(chosen):
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(step(kind, a, b, size, k))
        return values[-1], values[(chosen[0][1] + len(chosen)) % len(values)]

    return fun


# --- Jacobians -----------------------------------------------------------------------


def traced(fun, *args):
    """The tangent program of a function of arrays."""

    def flat(leaves):
        return jax.tree.leaves(fun(*leaves)), []

    leaves = [jnp.asarray(a) for a in args]
    return trace(flat, leaves, range(len(args))).program


def dense(fun, *args, mode=jax.jacfwd):
    """The Jacobian over all inputs and outputs, laid end to end."""
    sizes = np.cumsum([np.size(a) for a in args])[:-1]

    def whole(x):
        parts = jnp.split(x, sizes)
        pairs = zip(parts, args, strict=True)
        leaves = jax.tree.leaves(fun(*(p.reshape(np.shape(a)) for p, a in pairs)))
        return jnp.concatenate([y.ravel() for y in leaves])

    point = jnp.concatenate([jnp.ravel(a) for a in args])
    return mode(whole, holomorphic=jnp.iscomplexobj(point))(point)


def evaluated(linear, starts, ends):
    """The matrix of a linear function of the variables `starts`, column by column."""
    sizes = np.cumsum([v.aval.size for v in starts])[:-1]

    def push(x):
        pairs = zip(jnp.split(x, sizes), starts, strict=True)
        results = linear(*(t.reshape(v.aval.shape) for t, v in pairs))
        return jnp.concatenate([r.ravel() for r in results])

    n, m = (sum(v.aval.size for v in vs) for vs in (starts, ends))
    if not n or not m:
        return jnp.zeros((m, n), starts[0].aval.dtype)
    return jax.vmap(push, out_axes=1)(jnp.eye(n, dtype=starts[0].aval.dtype))


def product(cut, program, outputs, env):
    """J_after J_before, in the rows of `outputs`, where None is zero."""
    before = evaluated(cut.before.reverse(env), cut.variables, program.tangents).T
    after = evaluated(cut.after.forward(env), cut.variables, cut.after.outputs)
    ends = np.cumsum([v.aval.size for v in cut.after.outputs])[:-1]
    rows = dict(zip(cut.after.outputs, jnp.split(after @ before, ends), strict=True))
    n = sum(v.aval.size for v in program.tangents)
    zeros = [
        jnp.zeros((v.aval.size, n), program.tangents[0].aval.dtype)
        for v in program.values[: len(outputs)]
    ]
    return jnp.concatenate(
        [rows.get(v, z) for v, z in zip(outputs, zeros, strict=True)]
    )


def pure_jacobian(split, program, env):
    """The Jacobian of the pure parts, from one pass with ones."""
    n = sum(v.aval.size for v in program.tangents)
    ones = [jnp.ones(v.aval.shape, v.aval.dtype) for v in program.tangents]
    kept = [v for v in split.pure if v is not None]
    found = iter(part(split.equations, program.tangents, kept).forward(env)(*ones))
    blocks = []
    values = program.values[: len(split.pure)]
    for v, columns, value in zip(split.pure, split.columns, values, strict=True):
        block = jnp.zeros((value.aval.size, n + 1), ones[0].dtype)
        if v is not None:
            assert columns.shape == value.aval.shape
            where = np.where(columns.ravel() < 0, n, columns.ravel())
            block = block.at[np.arange(len(where)), where].set(next(found).ravel())
        blocks.append(block)
    return jnp.concatenate(blocks)[:, :n]


def assert_close(actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=1e-9, atol=1e-11)


def assert_equals_dense(build, program, fun, args, expected=None):
    """Hold the Jacobian that `build` makes of the residuals against the dense one."""
    is_forward = all(map(forwardable, program.linear))
    mode = jax.jacfwd if is_forward else jax.jacrev

    @jax.jit
    def both(args):
        ours = build(program.evaluate(args)[1])
        return ours, dense(fun, *args, mode=mode) if expected is None else expected

    assert_close(*both([jnp.asarray(a) for a in args]))


def checked_cut(fun, *args, expected=None, **options):
    """The cut of a function, whose factors give its Jacobian."""
    program = traced(fun, *args)
    cut = narrowest(program.linear, program.tangents, program.outputs, **options)
    assert isinstance(cut, Cut), cut

    def build(env):
        return product(cut, program, program.outputs, env)

    assert_equals_dense(build, program, fun, args, expected)
    return cut


def no_cut(fun, *args, **options):
    """The reason why a function has no cut."""
    program = traced(fun, *args)
    reason = narrowest(program.linear, program.tangents, program.outputs, **options)
    assert isinstance(reason, str)
    return reason


def split_of(program):
    split = split_skips(program, constants_of(program))
    assert split is not None
    return split


def checked_split(fun, *args):
    """The split of a function and the cut of its mixed part, if there is one."""
    program = traced(fun, *args)
    split, cut = split_of(program), None
    if any(v is not None for v in split.mixed):
        cut = narrowest(split.equations, program.tangents, split.mixed)
        assert isinstance(cut, Cut), cut

    def build(env):
        pure = pure_jacobian(split, program, env)
        return pure + product(cut, program, split.mixed, env) if cut else pure

    assert_equals_dense(build, program, fun, args)
    return split, cut


# --- batches -------------------------------------------------------------------------


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
    found = []
    for k, (var, where) in enumerate(starts):
        still = [jnp.zeros(v.aval.shape, v.aval.dtype) for v, _ in starts]

        def run(t, k=k, still=still):
            results = linear(*still[:k], t, *still[k + 1 :])
            pairs = zip(results, ends, strict=True)
            return jnp.concatenate([samples_first(r, w, n) for r, w in pairs], 1)

        found.append(jax.vmap(run)(directions(var, where, n)))
    return jnp.concatenate(found)


def batch_blocks(cut, axes, n, env):
    """Blocks (n, out, in) from the cut's factors; both ends have their samples first."""
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
