"""What is made of a mode's terms: dense blocks, diagonals, single entries.

`finish` runs a mode and makes what is asked for; `filled` puts zeros where an output
depends on nothing, and brings blocks to the shape `(*out, *in)`.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics.derivatives._modes import passes as _passes
from jnumerics.derivatives._modes.ends import FromEnd, Problem, Strategy
from jnumerics.derivatives._modes.terms import (
    Blocks,
    Dense,
    Sizes,
    Term,
    concatenate,
)
from jnumerics.derivatives._program.layout import Env, common_dtype
from jnumerics.derivatives._program.trace import Target

Shape = tuple[int, ...]

MOST_ENTRIES = 1 << 22  # alive at a time, in passes of which one entry is kept


def dense(terms: Sequence[Term], sizes: Sizes) -> Blocks:
    """Sum the terms, and divide the matrices into a block for each pair of leaves."""
    if len(terms) == 1 and isinstance(terms[0], Dense):
        return terms[0].blocks
    total = _sum([term.dense(sizes) for term in terms])
    rows = jnp.split(total, np.cumsum(sizes.rows)[:-1], axis=1)
    return [jnp.split(row, np.cumsum(sizes.columns)[:-1], axis=2) for row in rows]


def diagonal(
    strategy: Strategy, problem: Problem, env: Env, chunk: int | None
) -> list[Array]:
    """Return the diagonals `(n, rows)` of each leaf.

    In forward and reverse mode, one entry of each pass' result is kept (one of every
    sample).
    """
    if isinstance(strategy, FromEnd):
        return _own_entries(strategy, problem, env, chunk)
    terms = strategy.terms(problem, env, chunk)
    total = _sum([term.diagonal(problem.sizes) for term in terms])
    return jnp.split(total, np.cumsum(problem.sizes.rows)[:-1], axis=1)


def entries(terms: Sequence[Term], sizes: Sizes) -> Array:
    """Return the values of single entries, term after term; repeated ones add up."""
    values = [term.entries(sizes) for term in terms]
    if len(values) == 1:
        return values[0]
    return concatenate([v.reshape(-1) for v in values], 0)


def indices(terms: Sequence[Term], sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of single entries, term after term."""
    rows, columns = zip(*(term.indices(sizes) for term in terms), strict=True)
    return np.concatenate(rows), np.concatenate(columns)


def _own_entries(
    strategy: FromEnd, problem: Problem, env: Env, chunk: int | None
) -> list[Array]:
    diagonals = []
    for position, start in enumerate(problem.inputs):
        apply = strategy.own_entries(problem, env, position)
        if start.count:
            bounded = chunk or max(1, MOST_ENTRIES // start.count)
            diagonals += _passes.stack(apply, start.count, 1, bounded)
        else:
            diagonals.append(start.flat(start.zeros()))
    return diagonals


def _sum(arrays: Sequence[Array]) -> Array:
    dtype = common_dtype(*(x.dtype for x in arrays))
    first, *others = (x.astype(dtype) for x in arrays)
    return sum(others, first)


def filled(
    target: Target,
    computed: Sequence[Any],
    rests: Sequence[Shape],
    starts: Sequence[Shape],
) -> list[list[Array]]:
    """Return a block `(*rest, *start)` for each pair of leaves; missing ones are zero.

    Args:
        target: The function.
        computed: A row of blocks for each output that depends on any input.
        rests: For each leaf of the result, the shape of its rows.
        starts: For each differentiated leaf, the shape of its columns.
    """
    rows, blocks = iter(computed), []
    for v, o, rest in zip(target.program.outputs, target.out_avals, rests, strict=True):
        row = [None] * len(starts) if v is None else next(rows)
        ends = zip(row, target.in_avals, starts, strict=True)
        blocks.append([shaped(b, (*rest, *start), o, i) for b, i, start in ends])
    return blocks


def diagonals(target: Target, values: Sequence[Any]) -> list[Array]:
    """Return the diagonal for each leaf, of those for each output that has any."""
    left = iter(values)
    pairs = zip(target.program.outputs, target.in_avals, target.out_avals, strict=True)
    return [
        shaped(None if v is None else next(left), i.shape, o, i) for v, i, o in pairs
    ]


def shaped(block: Array | None, shape: Shape, o: Any, i: Any) -> Array:
    """Bring a block to a shape and to the common dtype of its ends."""
    dtype = common_dtype(o.dtype, i.dtype)
    if block is None:
        return jnp.zeros(shape, dtype)
    return block.reshape(shape).astype(dtype)


def finish(
    strategy: Strategy, problem: Problem, kind: str, env: Env, chunk: int | None
) -> list[Any]:
    """Run a strategy, and make what the kind asks for: blocks, diagonals or entries."""
    if kind == "diagonal":
        return diagonal(strategy, problem, env, chunk)
    if kind == "sparse":
        return [entries(strategy.terms(problem, env, chunk), problem.sizes)]
    return dense(strategy.terms(problem, env, chunk), problem.sizes)
