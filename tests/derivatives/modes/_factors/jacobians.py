"""Jacobians from cuts and splits, in one compiled program with the dense ones."""

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._modes.flow import Cut, narrowest
from jnumerics.derivatives._modes.skip import split_skips
from jnumerics.derivatives._program.joint import trace
from jnumerics.derivatives._program.linearity.directions import forwardable
from jnumerics.derivatives._program.tangent import part


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
    moving = [v for v in split.pure if v is not None]
    pieces = iter(part(split.equations, program.tangents, moving).forward(env)(*ones))
    blocks = []
    values = program.values[: len(split.pure)]
    for v, columns, value in zip(split.pure, split.columns, values, strict=True):
        block = jnp.zeros((value.aval.size, n + 1), ones[0].dtype)
        if v is not None:
            assert columns.shape == value.aval.shape
            where = np.where(columns.ravel() < 0, n, columns.ravel())
            block = block.at[np.arange(len(where)), where].set(next(pieces).ravel())
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
