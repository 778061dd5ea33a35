"""Functions that move numbers: indexing, reshaping, transposing."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from tests._scenarios.table import (
    MOVED,
    Scenario,
    complex_step,
    drawn,
    drawn_with,
    full,
    linear,
    tags,
    wide,
)

PICKS = np.array([5, 0, 0, 3, 6])
PLACES = np.array([2, 0, 2, 4])


def gather(x, xp=jnp):
    return xp.sin(x)[PICKS if xp is np else jnp.asarray(PICKS, "int32")]


def scatter_add(x):
    return jnp.zeros(6, x.dtype).at[jnp.asarray(PLACES, "int32")].add(x * x)


def scatter_add_np(x, xp):
    out = xp.zeros(6, x.dtype)
    np.add.at(out, PLACES, x * x)
    return out


def scatter_set(x):
    return jnp.sin(x).at[2].set(1.0)


def scatter_set_jacobian(args):
    slope = np.cos(wide(args[0]))
    slope[2] = 0
    return np.diag(slope)


def row_of_everywhere(i, n):
    pattern = np.eye(n, dtype=bool)
    pattern[i] = False
    return pattern


def dynamic_slice(x, start):
    return lax.dynamic_slice(x * x, (start,), (3,))


def dynamic_slice_jacobian(args):
    x, start = wide(args[0]), int(args[1])
    return np.diag(2 * x)[start : start + 3]


def concatenate(x, xp=jnp):
    return xp.concatenate([xp.sin(x[3:]), x * x])


def pad(x):
    return lax.pad(x, jnp.zeros((), x.dtype), [(2, 1, 1)])


def pad_matrix():
    matrix = np.zeros((10, 4))
    matrix[2 + 2 * np.arange(4), np.arange(4)] = 1
    return matrix


def transpose(x, xp=jnp):
    return xp.sin(xp.transpose(x.reshape(2, 3, 4), (2, 0, 1))).reshape(4, 6)


def transpose_pattern():
    one = np.eye(24, dtype=bool).reshape(2, 3, 4, 6, 4)
    return np.transpose(one, (2, 0, 1, 3, 4)).reshape(4, 6, 6, 4)


def symmetric_part(x, xp=jnp):
    return x * x.T


def symmetric_pattern(n):
    one = np.eye(n * n, dtype=bool).reshape(n, n, n, n)
    return one | np.swapaxes(one, 0, 1)


def flip(x, xp=jnp):
    return xp.flip(x * x)


TABLE = (
    Scenario(
        "gather",
        gather,
        drawn((7,)),
        complex_step(gather),
        np.eye(7, dtype=bool)[PICKS],
        MOVED,
    ),
    Scenario(
        "scatter_add",
        scatter_add,
        drawn((4,)),
        complex_step(scatter_add_np),
        np.arange(6)[:, None] == PLACES,
        MOVED,
    ),
    Scenario(
        "scatter_set",
        scatter_set,
        drawn((5,)),
        scatter_set_jacobian,
        row_of_everywhere(2, 5),
        tags("elementwise batch twice"),
    ),
    Scenario(
        "dynamic_slice",
        dynamic_slice,
        drawn_with((8,), 4),
        dynamic_slice_jacobian,
        full(3, 8),
        tags("wide data_dependent"),
    ),
    Scenario(
        "concatenate",
        concatenate,
        drawn((5,)),
        complex_step(concatenate),
        np.concatenate([np.eye(5, dtype=bool)[3:], np.eye(5, dtype=bool)]),
        tags("tall twice"),
    ),
    Scenario(
        "pad", pad, drawn((4,)), linear(pad_matrix()), pad_matrix() != 0, tags("tall")
    ),
    Scenario(
        "transpose",
        transpose,
        drawn((6, 4)),
        complex_step(transpose),
        transpose_pattern(),
        MOVED,
    ),
    Scenario(
        "symmetric_part",
        symmetric_part,
        drawn((4, 4)),
        complex_step(symmetric_part),
        symmetric_pattern(4),
        MOVED,
    ),
    Scenario(
        "flip",
        flip,
        drawn((6,)),
        complex_step(flip),
        np.eye(6, dtype=bool)[::-1],
        MOVED,
    ),
)
