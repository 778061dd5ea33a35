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

from jnumerics.derivatives._modes.collapsed.sweep import Directions, in_chunks
from jnumerics.derivatives._modes.jacobian import diagonals, filled
from jnumerics.derivatives._plan.cost import Cost, count
from jnumerics.derivatives._plan.plan import choose, traced
from jnumerics.derivatives._plan.result import Answer, Candidate, Plan, SecondOrder
from jnumerics.derivatives._plan.second.traced import Traced, within
from jnumerics.derivatives._program.layout import common_dtype
from jnumerics.derivatives._program.trace import Target, trace

Scalar = Callable[..., Array]
Field = Callable[..., list[Array]]


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
        plan = traced(self.plan)
        _, (value, gradient), env = self.target.evaluate(plan.problem.program)
        zero = jnp.zeros((), value.dtype)
        leaves = diagonals(self.target, plan.run(env))
        laplacian = sum((jnp.sum(d).astype(zero.dtype) for d in leaves), zero)
        return value, gradient, laplacian


def of_scalar(
    fun: Scalar,
    point: Sequence[Any],
    stacks: Sequence[Array] | None,
    *,
    vouched: bool,
    max_bytes: int | None,
) -> NestedScalar:
    """Plan the nested mode of a scalar function of arrays; its passes are counted only.

    Args:
        fun: The function.
        point: Its arguments.
        stacks: Directions, stacked for each of these; None is all basis vectors.
        vouched: Whether the user vouches that derivatives are linear.
        max_bytes: Bound of the temporary memory.
    """

    def slopes(*xs: Array) -> Any:
        value, gradient = value_and_gradient(fun, xs, vouched=vouched)
        return tuple(gradient), (value, gradient)

    if stacks is None:
        start, argnums, differentiated = list(point), tuple(range(len(point))), slopes
    else:
        dtype = common_dtype(*(x.dtype for x in point))
        start, argnums = [jnp.zeros(stacks[0].shape[0], dtype)], 0
        differentiated = _along(slopes, point, stacks)
    target = trace(
        differentiated, start, argnums=argnums, has_aux=True, vouched=vouched
    )
    plan = choose(target, "diagonal", max_bytes=max_bytes, traces="none")
    return NestedScalar(target, plan)


def _along(
    slopes: Callable[..., Any], point: Sequence[Any], stacks: Sequence[Array]
) -> Callable[..., Any]:
    """Return the gradient by s at x + sum_k s_k d_k."""

    def along(s: Array) -> Any:
        xs = [
            x + _combined(s, d).astype(x.dtype)
            for x, d in zip(point, stacks, strict=True)
        ]
        gradient, aux = slopes(*xs)
        pairs = zip(stacks, gradient, strict=True)
        return sum(_dots(d, g, s.dtype) for d, g in pairs), aux

    return along


def _combined(s: Array, stack: Array) -> Array:
    return jnp.tensordot(s.astype(stack.dtype), stack, 1, precision="highest")


def _dots(stack: Array, gradient: Array, dtype: Any) -> Array:
    rows, axes = stack.astype(gradient.dtype), gradient.ndim
    return jnp.tensordot(rows, gradient, axes, precision="highest").astype(dtype)


def value_and_gradient(
    fun: Scalar, xs: Sequence[Any], *, vouched: bool
) -> tuple[Array, list[Array]]:
    """Return a scalar function's value and its gradient by each argument.

    A gradient that is not proven linear is reverse mode's, where JAX serves that.
    """
    argnums = tuple(range(len(xs)))
    target = trace(fun, xs, argnums=argnums, vouched=vouched)
    choice = choose(target, is_gradient=True)
    value, _, env = target.evaluate(choice.problem.program)
    shapes = [aval.shape for aval in target.in_avals]
    (row,) = filled(target, choice.run(env), [()], shapes)
    return value, row


def of_field(
    fun: Callable[[Sequence[Any]], Field],
    target: Target,
    stacks: Sequence[Array] | None,
    directions: Directions,
    *,
    vouched: bool,
    max_bytes: int | None,
) -> Candidate:
    """Plan the nested mode of a function whose result has several entries.

    Args:
        fun: From all leaves to the function of the differentiated ones.
        target: Its first derivative.
        stacks: Directions, stacked for each of these; None is all basis vectors.
        directions: The same, as they are made.
        vouched: Whether the user vouches that derivatives are linear.
        max_bytes: Bound of the temporary memory.

    Raises:
        ValueError: If that is too small for one direction.
    """
    leaves, active = target.leaves, target.active
    bounded = max_bytes is not None

    def forward(leaves: Sequence[Any], chunk: int | None) -> list[Array]:
        point = [leaves[k] for k in active]
        return _summed(fun(leaves), point, directions, chunk)

    def by_entry(leaves: Sequence[Any]) -> list[Array]:
        point = [leaves[k] for k in active]
        one = _entry_laplacian(fun(leaves), point, stacks, vouched=vouched)
        return [_each(one, k, o, bounded=bounded) for k, o in enumerate(outputs)]

    def by_directions(chunk: int | None) -> Traced:
        return Traced(lambda leaves: forward(leaves, chunk), leaves)

    outputs = target.out_avals
    try:
        whole, passes, note = by_directions(None), directions.count, ""
    except (NotImplementedError, TypeError, ValueError):  # JAX has no forward mode
        whole, passes = Traced(by_entry, leaves), 1
        note = "each entry as a scalar"
    match within(whole, by_directions, passes, max_bytes):
        case str() as refusal:
            raise ValueError(refusal)
        case program, chunk:
            note = note if chunk is None else f"{chunk} at a time"
    strategy = SecondOrder(
        "nested", passes, lambda: Answer([], [], program.run(leaves))
    )
    return Candidate("nested", strategy, program.cost, note)


def _summed(
    fun: Field, point: list[Array], directions: Directions, chunk: int | None
) -> list[Array]:
    """Sum forward passes over forward passes."""

    def second(tangents: list[Array]) -> list[Array]:
        def once(xs: list[Array]) -> list[Array]:
            return jax.jvp(lambda xs: fun(*xs), (xs,), (tangents,))[1]

        return jax.jvp(once, (point,), (tangents,))[1]

    def part(start: Any, number: int, is_last: bool) -> list[Array]:
        del is_last
        stacks = directions.make(start, number)
        return [jnp.sum(s, 0) for s in jax.vmap(second)(stacks)]

    def add(sums: list[Array] | None, more: list[Array], start: Any) -> list[Array]:
        del start
        return (
            more if sums is None else [a + b for a, b in zip(sums, more, strict=True)]
        )

    if chunk is None or chunk >= directions.count:
        return part(0, directions.count, True)
    return in_chunks(part, add, directions.count, chunk)


def _entry_laplacian(
    fun: Field,
    point: Sequence[Any],
    stacks: Sequence[Array] | None,
    *,
    vouched: bool,
) -> Callable[[Array, int], Array]:
    """Return the Laplacian of one leaf's entries, weighted: a scalar's."""

    def laplacian(weight: Array, k: int) -> Array:
        def scalar(*xs: Array) -> Array:
            return jnp.sum(weight * fun(*xs)[k])

        plan = of_scalar(scalar, point, stacks, vouched=vouched, max_bytes=None)
        return plan.run()[2]

    return laplacian


def _each(
    laplacian: Callable[[Array, int], Array], k: int, aval: Any, *, bounded: bool
) -> Array:
    """Take each entry of a leaf as a scalar; one after another in bounded memory."""
    count = math.prod(aval.shape)
    if not count:
        return jnp.zeros(aval.shape, aval.dtype)

    def one(entry: Array) -> Array:
        weight = (jnp.arange(count) == entry).astype(aval.dtype)
        return laplacian(weight.reshape(aval.shape), k)

    numbers = jnp.arange(count)
    laplacians = jax.lax.map(one, numbers) if bounded else jax.vmap(one)(numbers)
    return laplacians.reshape(aval.shape)
