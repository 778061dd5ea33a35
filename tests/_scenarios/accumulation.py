"""Functions that accumulate, sort and repeat; trees."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from tests._scenarios.table import (
    MOVED,
    Scenario,
    complex_step,
    drawn,
    full,
    generator,
    like,
    linear,
    normal,
    offsets,
    tags,
    weights,
)

MATRIX = weights(80, 3, 2)


def cumulative_sum(x, xp=jnp):
    return xp.cumsum(xp.sin(x))


def cumulative_product(x, xp=jnp):
    return xp.cumprod(x)


def cumulative_maximum_np(x, xp):
    best = np.maximum.accumulate(x.real)
    return xp.array([x[np.flatnonzero(x.real == b)[0]] for b in best])


def sort(x, xp=jnp):
    return xp.sort(x)


def top_k(x):
    return lax.top_k(x * x, 3)[0]


def top_k_np(x, xp):
    return xp.sort(x * x)[::-1][:3]


def tiled(x, xp=jnp):
    return xp.tile(x, 3) * xp.repeat(x, 3)


def tiled_pattern(n):
    one = np.eye(n, dtype=bool)
    return np.tile(one, (3, 1)) | np.repeat(one, 3, axis=0)


def triangle(x, xp=jnp):
    return xp.tril(x * x)


def triangle_pattern(n):
    one = np.eye(n * n, dtype=bool).reshape(n, n, n, n)
    return one & np.tri(n, dtype=bool)[:, :, None, None]


def lowest(x, xp=jnp):
    return xp.max(x, axis=1)


def tree(p, xp=jnp):
    h = xp.tanh(like(MATRIX, p["w"]).T @ p["w"] + p["b"][:, None])
    return h, xp.sum(p["b"] ** 2)


def tree_args(key, dtype):
    rng = generator(key)
    return ({"w": normal(rng, (3, 4), dtype), "b": normal(rng, (2,), dtype)},)


def tree_pattern():
    column, row = np.eye(4, dtype=bool), np.eye(2, dtype=bool)
    w = np.broadcast_to(column[None, :, None, :], (2, 4, 3, 4))
    b = np.broadcast_to(row[:, None, :], (2, 4, 2))
    return (
        {"b": b, "w": w},
        {"b": full(2), "w": np.zeros((3, 4), bool)},
    )


def three_arguments(x, scale, y, xp=jnp):
    return {"sum": xp.sin(x) + scale * y, "product": xp.sum(x * y)}


def empty_output(x):
    return x[:0] * 2


TABLE = (
    Scenario(
        "cumulative_sum",
        cumulative_sum,
        drawn((7,)),
        complex_step(cumulative_sum),
        np.tri(7, dtype=bool),
        MOVED,
    ),
    Scenario(
        "cumulative_product",
        cumulative_product,
        drawn((5,)),
        complex_step(cumulative_product),
        np.tri(5, dtype=bool),
        MOVED,
    ),
    Scenario(
        "cumulative_maximum",
        lax.cummax,
        drawn((8,)),
        complex_step(cumulative_maximum_np),
        np.tri(8, dtype=bool),
        tags("kink data_dependent"),
    ),
    Scenario(
        "sort",
        sort,
        drawn((7,)),
        complex_step(sort),
        full(7, 7),
        tags("kink data_dependent"),
    ),
    Scenario(
        "top_k",
        top_k,
        drawn((9,)),
        complex_step(top_k_np),
        full(3, 9),
        tags("kink data_dependent wide"),
    ),
    Scenario(
        "tiled",
        tiled,
        drawn((4,)),
        complex_step(tiled),
        tiled_pattern(4),
        tags("tall twice"),
    ),
    Scenario(
        "triangle",
        triangle,
        drawn((4, 4)),
        complex_step(triangle),
        triangle_pattern(4),
        tags("elementwise batch twice"),
    ),
    Scenario(
        "largest_of_rows",
        lowest,
        drawn((3, 5)),
        complex_step(lowest),
        np.broadcast_to(np.eye(3, dtype=bool)[:, :, None], (3, 3, 5)),
        tags("batch kink data_dependent wide"),
    ),
    Scenario(
        "dict_to_tuple",
        tree,
        tree_args,
        complex_step(tree),
        tree_pattern(),
        tags("pytree twice"),
    ),
    Scenario(
        "first_and_last_of_three",
        three_arguments,
        drawn((5,), (), (5,)),
        complex_step(three_arguments, (0, 2)),
        {
            "product": (full(5), full(5)),
            "sum": (np.eye(5, dtype=bool), np.eye(5, dtype=bool)),
        },
        tags("pytree twice"),
        argnums=(0, 2),
    ),
    Scenario(
        "empty_output",
        empty_output,
        drawn((5,)),
        linear(np.zeros((0, 5))),
        np.zeros((0, 5), bool),
        tags("zero_size twice"),
    ),
    Scenario(
        "every_other",
        lambda x: jnp.sin(x[1::2]),
        drawn((11,)),
        complex_step(lambda x, xp: xp.sin(x[1::2])),
        offsets(5, 11, 1, stride=2),
        tags("twice"),
    ),
)
