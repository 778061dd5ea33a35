"""Passes: pushing directions forward through a part of the program, or back.

Results are stacks of matrices `(n, rows, columns)`. A full Jacobian is one matrix
(n = 1). Per-sample blocks are n of them, and a direction is then one in a component of
every sample at once: because no sample's output reads another sample's input, all samples
share the pass.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Var
from jaxtyping import Array

from jnumerics.derivatives._rewrite import started_at
from jnumerics.derivatives._tangent import LinearPart, part

Env = dict[Var, Any]


@dataclass(frozen=True)
class Layout:
    """How the elements of a variable are counted.

    Attributes:
        shape: Its shape.
        dtype: Its dtype.
        axis: Its axis of samples, or None where all elements are one sample's.
        inner: Elements of each sample along that axis: more than one where it was merged
            with the axes behind it.
    """

    shape: tuple[int, ...]
    dtype: Any
    axis: int | None = None
    inner: int = 1

    @classmethod
    def of(cls, var: Any, axis: int | None = None, inner: int = 1) -> "Layout":
        """Lay out a variable."""
        return cls(tuple(var.aval.shape), var.aval.dtype, axis, inner)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return 1 if self.axis is None else self.shape[self.axis] // self.inner

    @property
    def rest(self) -> tuple[int, ...]:
        """Shape of one sample."""
        if self.axis is None:
            return self.shape
        inner = (self.inner,) if self.inner > 1 else ()
        return (*self.shape[: self.axis], *inner, *self.shape[self.axis + 1 :])

    @property
    def count(self) -> int:
        """Number of directions: elements of one sample."""
        return math.prod(self.rest)

    def one_hot(self, k: Any) -> Array:
        """Make the direction that is one in component `k` of every sample."""
        if self.count == 1:
            return self.ones()
        index = lax.iota(jnp.int32, self.count).reshape(self.rest)
        return self.spread((index == k).astype(self.dtype))

    def spread(self, sample: Array) -> Array:
        """Give every sample the same value, of shape `rest`."""
        if self.axis is None:
            return sample
        before, after = self.rest[: self.axis], self.rest[self.axis :]
        whole = jnp.broadcast_to(
            jnp.expand_dims(sample, self.axis), (*before, self.samples, *after)
        )
        return whole.reshape(self.shape)

    def flat(self, x: Any) -> Any:
        """Bring a value, of JAX or NumPy, to shape `(samples, count)`."""
        if self.axis is not None:
            before, after = self.rest[: self.axis], self.rest[self.axis :]
            x = x.reshape(*before, self.samples, *after)
            x = x.transpose(self.axis, *(k for k in range(x.ndim) if k != self.axis))
        return x.reshape(self.samples, self.count)

    def ones(self) -> Array:
        """Make the tangent that is one everywhere."""
        return jnp.ones(self.shape, self.dtype)

    def zeros(self) -> Array:
        """Make the zero tangent."""
        return jnp.zeros(self.shape, self.dtype)

    def zero_block(self, start: "Layout") -> Array:
        """Make the matrices of an output that does not depend on an input."""
        dtype = jnp.promote_types(self.dtype, start.dtype)
        return jnp.zeros((self.samples, self.count, start.count), dtype)


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
        jnp.full((*r.shape[:axis], count, *r.shape[axis:]), number, r.dtype)
        for number, r in enumerate(single, fill)
    ]
    return lax.fori_loop(0, -(-count // chunk), body, empty)
