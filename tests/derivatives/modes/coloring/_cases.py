"""Functions to compress, and Jacobians rebuilt from their passes."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

from jnumerics.derivatives._dependence.boxes import NONE
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._modes.coloring.compress import compress, transposed
from jnumerics.derivatives._program.jaxpr import shape_of
from jnumerics.derivatives._program.joint import trace
from jnumerics.derivatives._program.tangent import part

KERNEL = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)


def array(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def linear_part(fun, *args):
    def flat(leaves):
        return jax.tree.leaves(fun(*leaves)), []

    program = trace(flat, args, range(len(args))).program
    outputs = [v for v in program.outputs if v is not None]
    linear = part(program.linear, program.tangents, outputs)
    return program, linear, constants_of(program)


def search(fun, *args, limit=10**6, reverse=False):
    _, linear, known = linear_part(fun, *args)
    return compress(transposed(linear) if reverse else linear, known, limit=limit)


def compressed(fun, *args, **options):
    compression = search(fun, *args, **options)
    assert compression is not None
    return compression


def dense(fun, *args):
    """The Jacobian over all inputs and outputs, laid end to end."""

    def flat(x):
        sizes = np.cumsum([a.size for a in args])[:-1]
        parts = jnp.split(x, sizes)
        leaves = fun(*(p.reshape(a.shape) for p, a in zip(parts, args, strict=True)))
        return jnp.concatenate([y.ravel() for y in jax.tree.leaves(leaves)])

    point = jnp.concatenate([a.ravel() for a in args])
    return np.asarray(jax.jit(jax.jacfwd(flat))(point))


def rebuilt(fun, args, reverse=False):
    """The Jacobian from the passes that a compression names, and the compression."""
    program, linear, known = linear_part(fun, *args)
    _, env = program.evaluate(args)
    if reverse:
        linear = transposed(linear)
    compression = compress(linear, known, limit=10**6)
    assert compression is not None
    n = sum(c.size for c in compression.colors)
    m = sum(int(np.prod(shape_of(v))) for v in linear.outputs)
    masks = [
        np.arange(compression.n_colors)[(...,) + (None,) * c.ndim] == c
        for c in compression.colors
    ]
    tangents = [jnp.asarray(mask, jnp.float32) for mask in masks]
    passes = over_all(linear.forward(env), tangents, m)
    result = np.zeros((m, n))
    result[compression.rows, compression.columns] = passes[
        compression.passes, compression.rows
    ]
    if compression.unproven.size:
        rows = np.arange(m) == compression.unproven[:, None]
        ends = np.cumsum([np.prod(shape_of(v), dtype=int) for v in linear.outputs])[:-1]
        parts = zip(np.split(rows, ends, axis=1), linear.outputs, strict=True)
        cotangents = [
            jnp.asarray(part.reshape(-1, *shape_of(v)), jnp.float32)
            for part, v in parts
        ]
        result[compression.unproven] = over_all(linear.reverse(env), cotangents, n)
    return (result.T if reverse else result), compression


def over_all(linear_map, starts, size):
    """The results of a linear map from each start, (starts, size)."""

    def flat(*start):
        return jnp.concatenate([y.ravel() for y in linear_map(*start)])

    if not len(starts[0]):
        return np.zeros((0, size))
    return np.asarray(jax.jit(jax.vmap(flat))(*starts))


def tridiagonal(x):
    return x[1:-1] * x[2:] - x[:-2] ** 2


def second_difference(x):
    return jnp.convolve(x, jnp.array([1.0, -2.0, 1.0]), mode="same") * jnp.sin(x)


def star(x):
    p = jnp.pad(x, 1)
    near = p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2]
    return near - 4 * x + x**3


def flat_star(rows, columns):
    return lambda x: star(x.reshape(rows, columns)).ravel()


def ring(x):
    return jnp.roll(x, 1, 0) * jnp.roll(x, -1, 0) + x


def periodic_star(x):
    return ring(x) + jnp.roll(x, 1, 1) * jnp.roll(x, -1, 1)


def convolution(stride=1, dilation=1, padding="SAME"):
    def fun(x):
        y = jax.lax.conv_general_dilated(
            x[None, None], jnp.asarray(KERNEL[None, None]), (stride, stride), padding,
            rhs_dilation=(dilation, dilation),
        )  # fmt: skip
        return jnp.tanh(y[0, 0])

    return fun


def twice(x):
    return convolution()(convolution()(x))


def arrow(x):
    return jnp.concatenate([jnp.sum(x**2)[None], x[1:] * x[0] + x[1:] ** 2])


def reaction(u, v):
    return star(u) * v, star(v) - u * v


def mesh(x):
    """Each element of an irregular mesh reads three nodes and adds to three."""
    nodes = np.random.default_rng(1).integers(0, 60, (25, 3))
    forces = jnp.prod(x[nodes], axis=1)
    return jnp.zeros(60).at[nodes[:, 0]].add(forces) + x**2


def features_couple(x):
    return jnp.tanh(x @ array(3, 4))


def average_pool(x):
    sums = jax.lax.reduce_window(x, 0.0, jax.lax.add, (2, 3), (2, 3), "VALID")
    return sums**2


CASES = {
    "tridiagonal": (tridiagonal, [array(17)]),
    "second difference": (second_difference, [array(17)]),
    "star": (star, [array(7, 9)]),
    "flattened star": (flat_star(11, 13), [array(143)]),
    "ring": (ring, [array(23)]),
    "periodic star": (periodic_star, [array(11, 13)]),
    "convolution": (convolution(), [array(8, 11)]),
    "strided": (convolution(2), [array(8, 11)]),
    "dilated": (convolution(1, 2), [array(9, 11)]),
    "two convolutions": (twice, [array(9, 12)]),
    "arrow": (arrow, [array(30)]),
    "reaction": (reaction, [array(6, 9), array(6, 9, seed=1)]),
    "mesh": (mesh, [array(60)]),
    "blocks": (features_couple, [array(10, 3)]),
    "pool": (average_pool, [array(6, 9)]),
    "scalar input": (lambda s, x: (s * x, x[:2] * 3), [jnp.float32(2), array(5)]),
    "unused input": (lambda x, _: x[::2] * 2, [array(7), array(3)]),
    "nothing read": (lambda x: x.at[1:4].set(0.0) * 2, [array(6)]),
    "permuted": (lambda x: x[np.array([3, 0, 2, 2])] ** 2, [array(5)]),
    "per sample, then flat": (lambda x: features_couple(x).ravel(), [array(9, 3)]),
    "three axes": (lambda x: x[1:] * x[:-1, :, ::-1], [array(4, 3, 5)]),
}


@st.composite
def patterns(draw):
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 20))
    density = draw(st.floats(0, 0.6))
    seed = draw(st.integers(0, 2**31))
    mask = np.random.default_rng(seed).random((rows, columns)) < density
    reads = np.where(mask, np.arange(columns), NONE).astype(np.int32)
    reads.sort(axis=1)
    return mask, reads
