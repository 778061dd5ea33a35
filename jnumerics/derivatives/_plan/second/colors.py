"""Colors of a Hessian's graph: inputs without an entry between them share a direction.

For a class C of inputs with H_ij = 0 for every two of its members, the sum over C of
H_ii is f''[s, s], where s is the sum of its basis vectors. So neighbors in the
Hessian's graph need different colors, and nothing is asked of third rows: a line, an
even ring and a grid take two directions, where columns that share a pass need three to
five.

The graph is that of the entries that boxes prove of the gradient's derivative, in
either order (`coloring.compress.for_diagonal`); of a result with several entries, of
the gradient of their sum with unknown weights. An input without an entry of its own
adds nothing, and is in no class.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._modes.collapsed.sweep import Directions, classes
from jnumerics.derivatives._modes.coloring.compress import (
    Compression,
    compress,
    for_diagonal,
)
from jnumerics.derivatives._modes.compressed import Compressed
from jnumerics.derivatives._modes.ends import make_problem, size
from jnumerics.derivatives._plan.result import Plan
from jnumerics.derivatives._plan.second.nested import value_and_gradient
from jnumerics.derivatives._program.layout import common_dtype
from jnumerics.derivatives._program.trace import Target, trace


def of_plan(plan: Plan, point: Sequence[Any]) -> Directions | None:
    """Return the directions that the plan of a gradient's derivative proves."""
    for candidate in plan.candidates:
        strategy = candidate.strategy
        if isinstance(strategy, Compressed) and candidate.problem is not None:
            if len(candidate.problem.inputs) < len(point):
                return None  # entries of the others are not known
            return _classes(strategy.compression, point)
    return None


def gradient(
    fun: Callable[..., list[Array]],
    point: Sequence[Any],
    outputs: Sequence[Any],
    *,
    vouched: bool,
) -> Target:
    """Trace the derivative of the gradient of all entries' sum, weights unknown.

    Args:
        fun: From arrays to the leaves of a result.
        point: Its arguments.
        outputs: Shapes and dtypes of these leaves.
        vouched: Whether the user vouches that derivatives are linear.

    Raises:
        Exception: Whatever JAX raises where it has no reverse mode.
    """

    def weighted_gradient(weights: list[Array], *xs: Array) -> tuple[Array, ...]:
        def weighted(*xs: Array) -> Array:
            dtype = common_dtype(*(w.dtype for w in weights))
            pairs = zip(weights, fun(*xs), strict=True)
            terms = [jnp.sum(w * y).astype(dtype) for w, y in pairs]
            return sum(terms[1:], terms[0])

        return tuple(value_and_gradient(weighted, xs, vouched=vouched)[1])

    weights = [jax.ShapeDtypeStruct(o.shape, o.dtype) for o in outputs]
    argnums = tuple(range(1, len(point) + 1))
    return trace(weighted_gradient, [weights, *point], argnums=argnums, vouched=vouched)


def of_gradient(target: Target, point: Sequence[Any]) -> Directions | None:
    """Return the directions that a gradient's derivative proves; None where none."""
    if target.ends is not None or None in target.program.outputs:
        return None
    problem = make_problem(target)
    if not size(problem):
        return None
    limit, constants = sum(x.size for x in point), constants_of(target.program)
    compression = compress(problem.linear, constants, limit=limit)
    if compression is None:
        return None
    return _classes(for_diagonal(compression, [x.shape for x in point]), point)


def _classes(compression: Compression, avals: Sequence[Any]) -> Directions | None:
    """Return a direction for each color, and for each row that is not proven."""
    colors = np.concatenate([leaf.ravel() for leaf in compression.colors])
    colors[compression.unproven] = compression.n_colors + np.arange(
        len(compression.unproven)
    )
    if (colors < 0).all():  # the sum is zero; a sweep takes one direction at least
        colors[0] = 0
    if int(colors.max(initial=-1)) + 1 >= len(colors):
        return None
    sizes = [math.prod(aval.shape) for aval in avals]
    return classes(np.split(colors, np.cumsum(sizes)[:-1]), avals)
