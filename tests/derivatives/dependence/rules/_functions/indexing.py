"""Gathers, scatters and slices."""

import jax
import jax.numpy as jnp
from jax import lax


def known_rows(x):
    return x[jnp.array([3, 0, 3, 1])]


INDEXING = {
    "rows": ((4, 3), known_rows),
    "columns": ((4, 3), lambda x: x[:, jnp.array([2, 0])]),
    "pairs": ((4, 3), lambda x: x[jnp.array([3, 0]), jnp.array([2, 1])]),
    "grid": ((4, 3), lambda x: x[jnp.array([[3], [0]]), jnp.array([[2, 1]])]),
    "apart": ((4, 2, 3), lambda x: x[jnp.array([3, 0]), :, jnp.array([2, 1])]),
    "negative": ((4, 3), lambda x: x[jnp.array([-1, -4])]),
    "fill": (
        (4,),
        lambda x: x.at[jnp.array([2, 9, -9])].get(mode="fill", fill_value=0),
    ),
    "fill a size of one": (
        (1, 2),
        lambda x: x.at[jnp.array([0, 3])].get(mode="fill", fill_value=0),
    ),
    "clip": ((4,), lambda x: x.at[jnp.array([2, 9, -9])].get(mode="clip")),
    "take": ((4, 3), lambda x: jnp.take(x, jnp.array([1, 7]), axis=0, mode="clip")),
    "slices": (
        (6, 4),
        lambda x: jax.vmap(lambda i: lax.dynamic_slice(x, (i, 1), (2, 3)))(
            jnp.array([0, 9, 3])
        ),
    ),
    "take_along_axis": (
        (3, 4),
        lambda x: jnp.take_along_axis(x, jnp.array([[1], [3], [0]]), 1),
    ),
    "vmapped": ((3, 4), lambda x: jax.vmap(lambda r, i: r[i])(x, jnp.array([1, 3, 0]))),
    "scalar index": ((4, 3), lambda x: x[2]),
    "nothing": ((4, 3), lambda x: x[jnp.zeros((0,), int)]),
    "computed": ((8,), lambda x: x[(3 * jnp.arange(8) + 1) % 8]),
    "sorted constant": ((5,), lambda x: x[jnp.argsort(jnp.array([3, 1, 4, 0, 5]))]),
    "add": ((4,), lambda x: jnp.zeros(6).at[jnp.array([5, 0, 5, 2])].add(x)[:4]),
    "add nothing": (
        (3, 2),
        lambda x: lax.scatter_add(
            x,
            jnp.zeros((0, 1), int),
            x[:0],
            lax.ScatterDimensionNumbers((1,), (0,), (0,)),
        ),
    ),
    "add to": (
        (3, 4),
        lambda x: x.at[jnp.array([2])].add(x[:1])[2:, :1] - 2 * x[2:, :1],
    ),
    "add rows": ((2, 3), lambda x: jnp.zeros((4, 3)).at[jnp.array([3, 1])].add(x)),
    "add columns": (
        (2, 3),
        lambda x: jnp.zeros((2, 5)).at[:, jnp.array([3, 1, 4])].add(x),
    ),
    "add dropped": (
        (3,),
        lambda x: jnp.zeros(4).at[jnp.array([3, 9, 1])].add(x, mode="drop"),
    ),
    "add all dropped": (
        (2,),
        lambda x: jnp.zeros(4).at[jnp.array([9, 8])].add(x, mode="drop"),
    ),
    "add clipped": (
        (3,),
        lambda x: jnp.zeros(4).at[jnp.array([2, 9, 1])].add(x, mode="clip"),
    ),
    "set": ((4, 3), lambda x: x.at[1].set(x[3])),
    "set many": ((5,), lambda x: x.at[jnp.array([3, 0])].set(x[1:3])),
    "set unique": (
        (5,),
        lambda x: x.at[jnp.array([3, 0])].set(x[1:3], unique_indices=True),
    ),
    "set constant": ((5, 2), lambda x: x.at[jnp.array([3, 0])].set(1.0)),
    "set slices": ((5, 4), lambda x: x.at[1:3, ::2].set(2 * x[3:, :2])),
    "multiply": ((5,), lambda x: x.at[jnp.array([3, 0])].multiply(3.0)),
    "diagonal": ((4, 4), jnp.diagonal),
    "diag": ((3,), jnp.diag),
    "triu": ((3, 4), jnp.triu),
    "repeat": ((3, 2), lambda x: jnp.repeat(x, 2, axis=0)),
    "roll axis": ((3, 4), lambda x: jnp.roll(x[:, :1], 1, 0)),
    "trace": ((1, 1), lambda x: jnp.trace(x)),
    "segment_sum": (
        (5,),
        lambda x: jax.ops.segment_sum(x, jnp.array([0, 0, 2, 1, 2]), 3)[:1],
    ),
    "upper triangle": ((3, 3), lambda x: x[jnp.triu_indices(3)]),
}
