"""Passes: directions pushed forward through a part of the program, or pulled back.

Results are stacks of matrices `(n, rows, columns)`. A full Jacobian is one matrix (n =
1). Per-sample blocks are n of them, and a direction is then one in the same component
of every sample: because no sample's output reads another sample's input, all samples
share the pass.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from jnumerics.derivatives._modes.rewrite import started_at
from jnumerics.derivatives._program.layout import Env, Layout, as_varying
from jnumerics.derivatives._program.tangent import LinearPart


def columns(
    linear: LinearPart,
    env: Env,
    inputs: Sequence[Layout],
    outputs: Sequence[Layout],
    chunk: int | None = None,
) -> list[list[Array]]:
    """Push every direction of every input forward.

    Returns:
        For each output the list over inputs of matrices `(n, rows, columns)`.
    """
    by_input = []
    for turn, (var, layout) in enumerate(zip(linear.inputs, inputs, strict=True)):
        only, reached = linear, list(range(len(outputs)))
        if len(inputs) > 1:
            only, reached = started_at(linear, var)
        ends = [outputs[k] for k in reached]
        push, fill = only.forward(env), 1 + turn * len(outputs)
        blocks = _blocks(push, _alone(layout), layout, ends, 2, chunk, fill)
        column = dict(zip(reached, blocks, strict=True))
        by_input.append(
            [
                column[k] if k in column else o.zero_block(layout)
                for k, o in enumerate(outputs)
            ]
        )
    return [list(row) for row in zip(*by_input, strict=True)]


def rows(
    linear: LinearPart,
    env: Env,
    inputs: Sequence[Layout],
    outputs: Sequence[Layout],
    chunk: int | None = None,
) -> list[list[Array]]:
    """Pull every direction of every output back.

    Returns:
        For each output the list over inputs of matrices `(n, rows, columns)`.
    """
    by_output = []
    for turn, (var, layout) in enumerate(zip(linear.outputs, outputs, strict=True)):
        pull = linear.towards(var).reverse(env)
        fill = 1 + turn * len(inputs)
        blocks = _blocks(pull, _alone(layout), layout, inputs, 1, chunk, fill)
        by_output.append(blocks)
    return by_output


def one_by_one(
    linear: LinearPart,
    env: Env,
    starts: Sequence[Layout],
    ends: Sequence[Layout],
    axis: int,
    chunk: int | None = None,
) -> list[list[Array]]:
    """Push every basis vector, through a program that need not be linear.

    Returns:
        For each start the list over ends of results stacked along `axis`.
    """
    push, by_start = linear.forward(env), []
    for turn, start in enumerate(starts):
        directions = functools.partial(basis_vector, starts, turn)
        fill = 1 + turn * len(ends)
        by_start.append(_blocks(push, directions, start, ends, axis, chunk, fill))
    return by_start


def _blocks(
    push: Callable[..., list[Array]],
    directions: Callable[[Any], list[Array]],
    start: Layout,
    ends: Sequence[Layout],
    axis: int,
    chunk: int | None,
    fill: int,
) -> list[Array]:
    """Push each direction of one start, and stack the results at each end."""

    def apply(k: Any) -> list[Array]:
        results = push(*directions(k))
        return [end.flat(r) for end, r in zip(ends, results, strict=True)]

    return stack(apply, start.count, axis, chunk, fill) if ends else []


def _alone(layout: Layout) -> Callable[[Any], list[Array]]:
    """Return the directions of one leaf, where a pass moves no other."""
    return lambda k: [layout.one_hot(k)]


def basis_vector(layouts: Sequence[Layout], position: int, k: Any) -> list[Array]:
    """Return the direction that is one in component `k` of one leaf alone."""
    direction = [layout.zeros() for layout in layouts]
    direction[position] = layouts[position].one_hot(k)
    # if the compiler saw the zeros, it would drop the NaN of zero times infinity
    return lax.optimization_barrier(direction)


def stack(
    apply: Callable[[Any], list[Array]],
    count: int,
    axis: int,
    chunk: int | None = None,
    fill: int = 1,
) -> list[Array]:
    """Stack the results of `apply(0) ... apply(count - 1)` along a new axis.

    With `chunk`, only so many are alive at a time: a loop writes the results in place,
    and the last chunk overlaps the one before where `chunk` does not divide `count`.
    The arrays start out filled with `fill`, `fill` + 1 and so on: XLA would make
    arrays of equal numbers once, and copy them, beyond the bytes that are allowed
    (`tests/derivatives/plan/test_memory.py` measures them).
    """
    if count == 1:
        return [jnp.expand_dims(r, axis) for r in apply(0)]
    along = jax.vmap(apply, out_axes=axis)
    if count == 0 or chunk is None or chunk >= count:
        return along(lax.iota(jnp.int32, count))

    def body(k: Any, filled: list[Array]) -> list[Array]:
        start = jnp.minimum(k * chunk, count - chunk)
        results = along(start + lax.iota(jnp.int32, chunk))
        pairs = zip(filled, results, strict=True)
        return [lax.dynamic_update_slice_in_dim(f, r, start, axis) for f, r in pairs]

    single = jax.eval_shape(apply, jnp.int32(0))
    empty = [
        as_varying(
            jnp.full((*r.shape[:axis], count, *r.shape[axis:]), number, r.dtype), r
        )
        for number, r in enumerate(single, fill)
    ]
    return lax.fori_loop(0, -(-count // chunk), body, empty)
