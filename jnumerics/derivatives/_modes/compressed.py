"""The compressed mode: inputs (or outputs) that never meet in an output share a pass.

A coloring of the inputs says which of them share a pass (`coloring`). Each element of a
pass' result is then one entry of the Jacobian, whose place is proven; lines that cannot
be read off in this way take a pass of their own. Of a symmetric Jacobian (a Hessian),
an entry may be read on either side: the star mode, with fewer colors.

Reference:
    Griewank & Walther (2008), Evaluating Derivatives, chapter 8 (compression).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics import _table
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._modes import passes as _passes
from jnumerics.derivatives._modes.coloring.compress import (
    Compression,
    compress,
    for_diagonal,
    of_outputs,
    transposed,
)
from jnumerics.derivatives._modes.coloring.star import star
from jnumerics.derivatives._modes.ends import Problem, Strategy
from jnumerics.derivatives._modes.terms import (
    Entries,
    Lines,
    Term,
    concatenate,
)
from jnumerics.derivatives._program.layout import Env, common_dtype
from jnumerics.derivatives._program.tangent import LinearPart
from jnumerics.derivatives._program.trace import Target

# Entries of directions that may be constants of the program: the compiler folds what
# the passes make of these alone, one number at a time. `make bench`: `asdex`.
MOST_FOLDED = 1 << 17
MOST_HEADED = 256  # inputs whose pattern is looked at where no columns share a pass
FEW = 4  # colors of inputs, up to which the outputs are not colored as well


@dataclass(frozen=True)
class Compressed:
    """Inputs (or outputs) that never meet share a pass.

    Attributes:
        linear: The problem's program, or its transpose when outputs share passes.
        compression: The colors, and the entries proven for them.
        is_transposed: Whether outputs share passes.
    """

    linear: LinearPart
    compression: Compression
    is_transposed: bool = False
    mode: str = "compressed"

    @property
    def passes(self) -> int:
        """Colors, and lines that need a pass of their own."""
        return self.compression.n_colors + len(self.compression.unproven)

    @property
    def note(self) -> str:
        """What the passes are: colors, and lines that take one each."""
        ends, line = ("outputs", "column") if self.is_transposed else ("inputs", "row")
        colors = _table.plural(self.compression.n_colors, "color", "colors")
        lines = _table.plural(len(self.compression.unproven), line, f"{line}s")
        apart = f", {lines} apart" if len(self.compression.unproven) else ""
        return f"{colors} of {ends}{apart}"

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Push all inputs of a color in one pass, and read the entries off."""
        c, terms = self.compression, []
        rows, columns = (
            (c.columns, c.rows) if self.is_transposed else (c.rows, c.columns)
        )
        if c.n_colors or not len(c.unproven):
            results = self._results(problem, env, chunk)
            places, is_mirrored = c.places, c.mirrored is not None
            terms.append(Entries(results, c.passes, places, rows, columns, is_mirrored))
        if len(c.unproven):
            terms.append(self._lines(problem, env, chunk))
        return terms

    def _results(self, problem: Problem, env: Env, chunk: int | None) -> Array:
        starts = problem.outputs if self.is_transposed else problem.inputs
        push, n = self.linear.forward(env), self.compression.n_colors
        if not n:  # a Jacobian of zeros
            ends = problem.inputs if self.is_transposed else problem.outputs
            dtype = common_dtype(*(e.dtype for e in ends))
            return jnp.zeros((1, sum(e.count for e in ends)), dtype)
        pairs = [*zip(self.compression.colors, starts, strict=True)]

        def directions(k: Any) -> list[Array]:
            return [
                jnp.ones(s.shape, s.dtype)
                if np.all(color == 0) and n == 1
                else (jnp.asarray(color) == k).astype(s.dtype)
                for color, s in pairs
            ]

        if 1 < n <= (chunk or n) and n * sum(s.count for s in starts) <= MOST_FOLDED:
            by_color = [np.equal.outer(np.arange(n), color) for color, _ in pairs]
            seeds = [
                jnp.asarray(x, s.dtype)
                for x, (_, s) in zip(by_color, pairs, strict=True)
            ]
            stacked = jax.vmap(push)(*seeds)
        else:
            stacked = _passes.stack(lambda k: push(*directions(k)), n, 0, chunk)
        if len(stacked) == 1:
            return stacked[0]
        return concatenate([r.reshape(len(r), -1) for r in stacked], 1)

    def _lines(self, problem: Problem, env: Env, chunk: int | None) -> Lines:
        """Evaluate each unproven line by a pass in the other direction."""
        back = self.linear.reverse(env)
        ends = problem.inputs if self.is_transposed else problem.outputs
        where = jnp.asarray(self.compression.unproven)
        starts = np.cumsum([0, *(e.count for e in ends)], dtype=where.dtype)

        def apply(k: Any) -> list[Array]:
            cotangents = [
                (jnp.arange(e.count, dtype=where.dtype) == where[k] - start)
                .astype(e.dtype)
                .reshape(e.shape)
                for e, start in zip(ends, starts, strict=False)
            ]
            return [concatenate([r.reshape(-1) for r in back(*cotangents)], 0)]

        (lines,) = _passes.stack(apply, len(where), 0, chunk)
        return Lines(self.compression.unproven, lines, int(self.is_transposed))


def find(
    target: Target, problem: Problem, kind: str, *, forward: bool, reverse: bool
) -> tuple[Strategy | None, str]:
    """Find a coloring of the inputs, or of the outputs where that takes fewer passes.

    Args:
        target: The function.
        problem: Its passes.
        kind: What is wanted of the Jacobian; its diagonal may take fewer colors.
        forward: Whether forward passes can run.
        reverse: Whether reverse passes can run.

    Returns:
        The mode and its passes, in words; or None, and why there is none.
    """
    _, m, n = problem.sizes.shape
    if min(m, n) < 2:
        return None, "one pass is enough"

    def colored(linear: LinearPart, limit: int, *, may_pull: bool) -> Compressed | None:
        compression = compress(linear, constants_of(target.program), limit=limit)
        if compression is None or (len(compression.unproven) and not may_pull):
            return None
        if kind == "diagonal":
            shapes = [layout.shape for layout in problem.inputs]
            compression = for_diagonal(compression, shapes)
        return Compressed(linear, compression, linear is not problem.linear)

    def turned(known: Compressed) -> Compressed | None:
        """Color the outputs; of a diagonal, the same neighbors would get colors."""
        if kind == "diagonal":
            return None
        shapes = [layout.shape for layout in problem.outputs]
        compression = of_outputs(known.compression, shapes, known.passes)
        if compression is None or (len(compression.unproven) and not forward):
            return None
        return Compressed(transposed(problem.linear), compression, is_transposed=True)

    strategy = None
    if forward:
        strategy = colored(problem.linear, min(m, n), may_pull=reverse)
    if reverse and (strategy is None or strategy.passes > FEW):
        if strategy is not None and not len(strategy.compression.unproven):
            back = turned(strategy)
        else:
            limit = min(m, n) if strategy is None else strategy.passes
            back = colored(transposed(problem.linear), limit, may_pull=forward)
        strategy = back or strategy
    if strategy is None:
        return None, "no inputs or outputs share a pass"
    return strategy, strategy.note


def find_star(
    target: Target, problem: Problem, by_columns: Compressed | None
) -> tuple[Strategy | None, str]:
    """Find a star coloring of a Hessian that takes fewer passes than its columns do.

    Its readings are right where the Hessian is symmetric, which is not asked here.

    Args:
        target: The gradient of a scalar.
        problem: Its passes, which can run forward.
        by_columns: The compression of columns, or of rows, whose proof serves. Without
            one, the heads of an arrow may be too many for columns, and not for stars.

    Returns:
        The mode and its passes, in words; or None, and why there is none.
    """
    n, compression, is_transposed = problem.sizes.shape[2], None, False
    limit = n
    if by_columns is not None:
        compression, limit = by_columns.compression, by_columns.passes
        is_transposed = by_columns.is_transposed
    elif n <= MOST_HEADED:
        known = constants_of(target.program)
        compression = compress(problem.linear, known, limit=2 * n)
    if compression is None:
        return None, "no inputs or outputs share a pass"
    if limit < 2:
        return None, "one pass is enough"
    ends = np.cumsum([0, *(i.size for i in target.in_avals)])
    spans = zip(ends, ends[1:], target.program.outputs, strict=False)
    numbers = [np.arange(a, b) for a, b, output in spans if output is not None]
    compression = star(
        compression,
        np.concatenate(numbers).astype(np.int32),
        [i.shape for i in problem.inputs],
        is_transposed=is_transposed,
        limit=limit,
    )
    if compression is None:
        return None, "no fewer passes by reading entries on both sides"
    strategy = Compressed(problem.linear, compression, mode="star")
    return strategy, f"{strategy.note}, entries read on both sides"
