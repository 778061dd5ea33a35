"""Colors of a Hessian's graph: inputs without an entry between them share a direction.

For a class C of inputs with H_ij = 0 for every two of its members, the sum over C of
H_ii is f''[s, s], where s is the sum of its basis vectors. So neighbors in the
Hessian's graph need different colors, and nothing is asked of third rows: a line, an
even ring and a grid take two directions, where columns that share a pass need three to
five.

The graph is that of the entries that boxes prove of the gradient's derivative
(`coloring`), in either order; of a result with several entries, of the gradient of
their sum with unknown weights.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._modes.collapsed.sweep import Directions
from jnumerics.derivatives._modes.coloring.compress import Compression, compress
from jnumerics.derivatives._modes.coloring.greedy import conflicts
from jnumerics.derivatives._modes.coloring.lattice import color
from jnumerics.derivatives._modes.compressed import Compressed
from jnumerics.derivatives._modes.ends import make_problem, size
from jnumerics.derivatives._plan.result import Plan
from jnumerics.derivatives._plan.second.nested import value_and_gradient
from jnumerics.derivatives._program.layout import common_dtype
from jnumerics.derivatives._program.trace import trace


def of_plan(plan: Plan, point: Sequence[Array]) -> Directions | None:
    """Return the directions that the plan of a gradient's derivative proves."""
    for candidate in plan.candidates:
        found = candidate.strategy
        if isinstance(found, Compressed) and candidate.problem is not None:
            if len(candidate.problem.inputs) < len(point):
                return None  # entries of the others are not known
            return of_entries(found.compression, [x.shape for x in point], point)
    return None


def of_gradient(
    fun: Callable[..., list[Array]],
    point: Sequence[Array],
    outputs: Sequence[Any],
    *,
    vouched: bool,
) -> Directions | None:
    """Return few directions whose second derivatives add to the Laplacian.

    Args:
        fun: From arrays to the leaves of a result.
        point: Its arguments.
        outputs: Shapes and dtypes of these leaves.
        vouched: Whether the user vouches that derivatives are linear.

    Returns:
        The directions; None where nothing is proven to share one.
    """

    def gradient(weights: list[Array], *xs: Array) -> tuple[Array, ...]:
        def weighted(*xs: Array) -> Array:
            dtype = common_dtype(*(w.dtype for w in weights))
            pairs = zip(weights, fun(*xs), strict=True)
            terms = [jnp.sum(w * y).astype(dtype) for w, y in pairs]
            return sum(terms[1:], terms[0])

        return tuple(value_and_gradient(weighted, xs, vouched=vouched)[1])

    weights = [jax.ShapeDtypeStruct(o.shape, o.dtype) for o in outputs]
    argnums = tuple(range(1, len(point) + 1))
    target = trace(gradient, [weights, *point], argnums=argnums, vouched=vouched)
    if target.ends is not None or None in target.program.outputs:
        return None
    problem = make_problem(target)
    count = sum(x.size for x in point)
    if not size(problem):
        return None
    found = compress(problem.linear, constants_of(target.program), limit=count)
    return None if found is None else of_entries(found, [x.shape for x in point], point)


def of_entries(
    found: Compression, shapes: Sequence[tuple[int, ...]], avals: Sequence[Any]
) -> Directions | None:
    """Return the directions for the entries of a square matrix."""
    sizes = [math.prod(shape) for shape in shapes]
    colors = _colors(found, shapes, sum(sizes))
    count = int(colors.max(initial=-1)) + 1
    if count >= sum(sizes):
        return None
    leaves = np.split(colors, np.cumsum(sizes)[:-1])

    def make(start: Any, number: int) -> list[Array]:
        which = jnp.asarray(start, jnp.int32) + lax.iota(jnp.int32, number)
        return [
            (which[:, None] == jnp.asarray(leaf)[None])
            .astype(aval.dtype)
            .reshape(number, *aval.shape)
            for leaf, aval in zip(leaves, avals, strict=True)
        ]

    return Directions(count, make)


def _colors(
    found: Compression, shapes: Sequence[tuple[int, ...]], count: int
) -> np.ndarray:
    """Color the graph; rows that are not proven have neighbors everywhere."""
    pairs = np.stack([found.rows, found.columns], axis=1).astype(np.int32)
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    colors = np.zeros(count, np.int32)
    if len(pairs):
        colors = np.maximum(color(pairs, shapes), 0)
        assert not conflicts(pairs, colors).any()
    own = int(colors.max(initial=0)) + 1 + np.arange(len(found.unproven))
    colors[found.unproven] = own
    return np.unique(colors, return_inverse=True)[1].astype(np.int32)
