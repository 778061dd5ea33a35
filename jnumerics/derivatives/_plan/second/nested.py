"""Second derivatives nested: passes over the gradient, or over forward derivatives.

For a scalar, the divergence of the gradient, planned like every diagonal: colors, cuts,
and what is not proven linear as JAX would. Along directions d_k it is that of the
function of s at x + sum_k s_k d_k. Where the result has several entries, forward passes
over forward passes; where JAX has none, entry by entry as for a scalar.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jnumerics.derivatives._modes.collapsed.sweep import (
    Directions,
    basis,
    given,
    in_chunks,
)
from jnumerics.derivatives._modes.jacobian import diagonals, filled
from jnumerics.derivatives._plan.cost import Cost, count
from jnumerics.derivatives._plan.plan import choose
from jnumerics.derivatives._plan.result import Plan
from jnumerics.derivatives._program.layout import common_dtype
from jnumerics.derivatives._program.trace import Target, trace

Scalar = Callable[..., Array]


@dataclass(frozen=True)
class NestedScalar:
    """The divergence of a scalar function's gradient.

    Attributes:
        target: The derivative of its gradient, with (value, gradient) beside it.
        plan: How that runs.
    """

    target: Target
    plan: Plan

    @property
    def cost(self) -> Cost:
        """The predicted cost: of the gradient, and of the passes over it."""
        return count(self.plan.problem.program.primal_jaxpr()) + self.plan.choice.cost

    def run(self) -> tuple[Array, list[Array], Array]:
        """Return the value, the gradient's leaves and the Laplacian."""
        program = self.plan.problem.program
        _, (value, gradient), env = self.target.evaluate(program)
        found = diagonals(self.target, self.plan.run(env))
        zero = jnp.zeros((), value.dtype)
        return (
            value,
            gradient,
            sum((jnp.sum(d).astype(zero.dtype) for d in found), zero),
        )


def of_scalar(
    fun: Scalar,
    point: Sequence[Array],
    directions: Sequence[Array] | None,
    *,
    vouched: bool,
    max_bytes: int | None,
) -> NestedScalar:
    """Plan the nested way of a scalar function of arrays.

    Args:
        fun: The function.
        point: Its arguments.
        directions: Along what, stacked for each of these; None is all basis vectors.
        vouched: Whether the user vouches that derivatives are linear.
        max_bytes: Bound of the temporary memory.
    """
    start = list(point)

    def along_basis(*xs: Array) -> Any:
        value, gradient = value_and_gradient(fun, xs, vouched=vouched)
        return tuple(gradient), (value, gradient)

    def along(s: Array) -> Any:
        xs = [
            x + _combined(s, d).astype(x.dtype)
            for x, d in zip(point, stacks, strict=True)
        ]
        value, gradient = value_and_gradient(fun, xs, vouched=vouched)
        pairs = zip(stacks, gradient, strict=True)
        return sum(_dots(d, g, s.dtype) for d, g in pairs), (value, gradient)

    stacks = directions or ()
    if directions is not None:
        dtype = common_dtype(*(x.dtype for x in point))
        start = [jnp.zeros(directions[0].shape[0], dtype)]
    gradient = along_basis if directions is None else along
    argnums = tuple(range(len(start))) if directions is None else 0
    target = trace(gradient, start, argnums=argnums, has_aux=True, vouched=vouched)
    return NestedScalar(target, choose(target, "diagonal", max_bytes=max_bytes))


def _combined(s: Array, stack: Array) -> Array:
    return jnp.tensordot(s.astype(stack.dtype), stack, 1, precision="highest")


def _dots(stack: Array, gradient: Array, dtype: Any) -> Array:
    rows, axes = stack.astype(gradient.dtype), gradient.ndim
    return jnp.tensordot(rows, gradient, axes, precision="highest").astype(dtype)


def value_and_gradient(
    fun: Scalar, xs: Sequence[Array], *, vouched: bool
) -> tuple[Array, list[Array]]:
    """Return a scalar function's value and its gradient by each argument."""
    argnums = tuple(range(len(xs)))
    target = trace(fun, xs, argnums=argnums, vouched=vouched)
    choice = choose(target)
    value, _, env = target.evaluate(choice.problem.program)
    shapes = [aval.shape for aval in target.in_avals]
    (row,) = filled(target, choice.run(env), [()], shapes)
    return value, row


def of_entries(
    fun: Callable[..., list[Array]],
    point: Sequence[Array],
    directions: Sequence[Array] | None,
    *,
    vouched: bool,
    chunk: int | None,
) -> list[Array]:
    """Return the Laplacians of a function with several entries."""
    along = basis(point) if directions is None else given(directions)

    def second(tangents: list[Array]) -> list[Array]:
        def once(xs: list[Array]) -> list[Array]:
            return jax.jvp(lambda xs: fun(*xs), (xs,), (tangents,))[1]

        return jax.jvp(once, (list(point),), (tangents,))[1]

    try:
        jax.eval_shape(second, list(point))
    except Exception:  # whatever JAX's reason
        return _by_entry(fun, point, directions, vouched=vouched)
    return _summed(second, along, chunk)


def _summed(
    second: Callable[[list[Array]], list[Array]], along: Directions, chunk: int | None
) -> list[Array]:
    def part(start: Any, number: int, is_last: bool) -> list[Array]:
        del is_last
        return [jnp.sum(s, 0) for s in jax.vmap(second)(along.make(start, number))]

    def add(found: list[Array] | None, more: list[Array], start: Any) -> list[Array]:
        del start
        return (
            more if found is None else [a + b for a, b in zip(found, more, strict=True)]
        )

    if chunk is None or chunk >= along.count:
        return part(0, along.count, True)
    return in_chunks(part, add, along.count, chunk)


def _by_entry(
    fun: Callable[..., list[Array]],
    point: Sequence[Array],
    directions: Sequence[Array] | None,
    *,
    vouched: bool,
) -> list[Array]:
    """Take each entry as a scalar function: reverse passes serve it."""
    found = []
    for k, aval in enumerate(jax.eval_shape(fun, *point)):

        def entry(weight: Array, k: int = k) -> Array:
            def scalar(*xs: Array) -> Array:
                return jnp.sum(weight * fun(*xs)[k])

            way = of_scalar(scalar, point, directions, vouched=vouched, max_bytes=None)
            return way.run()[2]

        size = math.prod(aval.shape)
        weights = jnp.eye(size, dtype=aval.dtype).reshape(size, *aval.shape)
        laps = jax.vmap(entry)(weights) if size else jnp.zeros(0, aval.dtype)
        found.append(laps.reshape(aval.shape))
    return found
