"""Passes: pushing directions forward through a part of the program, or back.

Results are stacks of matrices `(n, rows, columns)`. A full Jacobian is one matrix (n =
1). Per-sample blocks are n of them, and a direction is then one in a component of every
sample at once: because no sample's output reads another sample's input, all samples
share the pass.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from jnumerics.derivatives._modes.rewrite import started_at
from jnumerics.derivatives._program.layout import Env, Layout, as_varying
from jnumerics.derivatives._program.tangent import LinearPart, part


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
        only, reached = started_at(linear, var) if len(inputs) > 1 else (linear, None)
        push = only.forward(env)
        ends = [outputs[k] for k in reached] if reached is not None else outputs

        def apply(
            k: Any, push: Any = push, layout: Layout = layout, ends: Any = ends
        ) -> list[Array]:
            results = push(layout.one_hot(k))
            return [o.flat(r) for o, r in zip(ends, results, strict=True)]

        fill = 1 + turn * len(outputs)
        found = stack(apply, layout.count, 2, chunk, fill) if ends else []
        where = range(len(outputs)) if reached is None else reached
        column = dict(zip(where, found, strict=True))
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
        pull = part(linear.equations, linear.inputs, [var]).reverse(env)

        def apply(
            k: Any, pull: Callable = pull, layout: Layout = layout
        ) -> list[Array]:
            results = pull(layout.one_hot(k))
            return [i.flat(r) for i, r in zip(inputs, results, strict=True)]

        by_output.append(stack(apply, layout.count, 1, chunk, 1 + turn * len(inputs)))
    return by_output


def one_by_one(
    linear: LinearPart,
    env: Env,
    starts: Sequence[Layout],
    ends: Sequence[Layout],
    axis: int,
    chunk: int | None = None,
) -> list[list[Array]]:
    """Push every direction of every start, all else zero, through what may be nonlinear.

    Returns:
        For each start the list over ends of results stacked along `axis`.
    """
    push, found = linear.forward(env), []
    for turn, start in enumerate(starts):

        def apply(k: Any, turn: int = turn) -> list[Array]:
            results = push(*basis_vector(starts, turn, k))
            return [end.flat(r) for end, r in zip(ends, results, strict=True)]

        found.append(stack(apply, start.count, axis, chunk, 1 + turn * len(ends)))
    return found


def basis_vector(layouts: Sequence[Layout], position: int, k: Any) -> list[Array]:
    """Make the direction that is one in component `k` of one leaf alone."""
    direction = [layout.zeros() for layout in layouts]
    direction[position] = layouts[position].one_hot(k)
    # a compiler that knew of its zeros would drop what they make of infinite numbers
    return lax.optimization_barrier(direction)


def stack(
    apply: Callable[[Any], list[Array]],
    count: int,
    axis: int,
    chunk: int | None = None,
    fill: int = 1,
) -> list[Array]:
    """Stack the results of `apply(0) ... apply(count - 1)` along a new axis.

    With `chunk`, only so many are alive at a time: results are written in place by a
    loop, and the last chunk overlaps its predecessor where `chunk` does not divide.
    Before, they hold `fill` and the numbers behind it, each its own: XLA would make
    arrays of equal numbers once, and copy them.
    """
    if count == 1:
        return [jnp.expand_dims(r, axis) for r in apply(0)]
    along = jax.vmap(apply, out_axes=axis)
    if count == 0 or chunk is None or chunk >= count:
        return along(lax.iota(jnp.int32, count))

    def body(k: Any, filled: list[Array]) -> list[Array]:
        start = jnp.minimum(k * chunk, count - chunk)
        found = along(start + lax.iota(jnp.int32, chunk))
        pairs = zip(filled, found, strict=True)
        return [lax.dynamic_update_slice_in_dim(f, r, start, axis) for f, r in pairs]

    single = jax.eval_shape(apply, jnp.int32(0))
    empty = [
        as_varying(
            jnp.full((*r.shape[:axis], count, *r.shape[axis:]), number, r.dtype), r
        )
        for number, r in enumerate(single, fill)
    ]
    return lax.fori_loop(0, -(-count // chunk), body, empty)
