"""The ways to a Jacobian: forward, reverse, through a cut, compressed.

Each way evaluates its passes and gives the Jacobian as a sum of terms, from which
dense blocks, a diagonal, or sparse entries are made (`_terms.py`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics.derivatives._modes import passes as _passes
from jnumerics.derivatives._modes.coloring.compress import Compression
from jnumerics.derivatives._modes.cut import Cut
from jnumerics.derivatives._modes.skip import Split
from jnumerics.derivatives._modes.terms import (
    Blocks,
    Dense,
    Entries,
    Lines,
    Product,
    Pure,
    Sizes,
    Term,
    concatenate,
)
from jnumerics.derivatives._program.jaxpr import Var
from jnumerics.derivatives._program.layout import Env, Layout
from jnumerics.derivatives._program.tangent import LinearPart, Program, part

MOST_ENTRIES = 1 << 22  # of passes that each keep one entry, alive at a time
# Entries of directions that are constants: the compiler evaluates what of the passes
# does not depend on values, one number at a time.
MOST_FOLDED = 1 << 17


@dataclass(frozen=True)
class Problem:
    """A tangent program with the layouts of its ends.

    Attributes:
        program: The program whose values the passes read.
        linear: The passes: from the inputs' tangents to those of the outputs; where
            linearity is not proven, for reverse mode from cotangents to cotangents.
        inputs: How the inputs' elements are counted.
        outputs: How the outputs' elements are counted.
    """

    program: Program
    linear: LinearPart
    inputs: list[Layout]
    outputs: list[Layout]

    @property
    def sizes(self) -> Sizes:
        """Rows and columns of the Jacobian."""
        ends = (*self.inputs, *self.outputs)
        return Sizes(
            samples=ends[0].samples if ends else 1,
            rows=[layout.count for layout in self.outputs],
            columns=[layout.count for layout in self.inputs],
        )


@runtime_checkable
class Way(Protocol):
    """A way to the Jacobian of a problem."""

    @property
    def mode(self) -> str:
        """Its name."""
        ...

    @property
    def passes(self) -> int:
        """How many passes it takes."""
        ...

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Evaluate the passes, at most `chunk` of them at a time."""
        ...


@dataclass(frozen=True)
class Forward:
    """One pass for each component of the inputs."""

    passes: int
    mode: str = "forward"

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Push every direction of the inputs forward."""
        ends = problem.inputs, problem.outputs
        return [Dense(_passes.columns(problem.linear, env, *ends, chunk))]

    def own_entries(
        self, problem: Problem, env: Env, position: int
    ) -> Callable[[Any], list[Array]]:
        """Return a function that makes entry k of a leaf's diagonal."""
        linear, output = problem.linear, problem.outputs[position]
        only = part(linear.equations, linear.inputs, [linear.outputs[position]])
        push = only.forward(env)

        def apply(k: Any) -> list[Array]:
            (result,) = push(*_passes.basis_vector(problem.inputs, position, k))
            return [output.flat(result)[:, k]]

        return apply


@dataclass(frozen=True)
class Reverse:
    """One pass for each component of the outputs."""

    passes: int
    mode: str = "reverse"

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Pull every direction of the outputs back."""
        ends = problem.inputs, problem.outputs
        return [Dense(_passes.rows(problem.linear, env, *ends, chunk))]

    def own_entries(
        self, problem: Problem, env: Env, position: int
    ) -> Callable[[Any], list[Array]]:
        """Return a function that makes entry k of a leaf's diagonal."""
        linear, start = problem.linear, problem.outputs[position]
        pull = part(linear.equations, linear.inputs, [linear.outputs[position]])
        back = pull.reverse(env)

        def apply(k: Any) -> list[Array]:
            result = back(start.one_hot(k))[position]
            return [problem.inputs[position].flat(result)[:, k]]

        return apply


@dataclass(frozen=True)
class OneByOne:
    """A pass for each component of one end, and nothing that rests on linearity.

    Every other component is zero, as in `jax.jacfwd` and `jax.jacrev`.
    """

    mode: str
    passes: int

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Push every direction of the inputs forward, or pull the outputs' back."""
        linear, inputs, outputs = problem.linear, problem.inputs, problem.outputs
        if self.mode == "reverse":
            return [Dense(_passes.one_by_one(linear, env, outputs, inputs, 1, chunk))]
        columns = _passes.one_by_one(linear, env, inputs, outputs, 2, chunk)
        return [Dense([list(row) for row in zip(*columns, strict=True)])]

    def own_entries(
        self, problem: Problem, env: Env, position: int
    ) -> Callable[[Any], list[Array]]:
        """Return a function that makes entry k of a leaf's diagonal."""
        starts, ends = problem.inputs, problem.outputs
        if self.mode == "reverse":
            starts, ends = ends, starts
        push = problem.linear.forward(env)

        def apply(k: Any) -> list[Array]:
            results = push(*_passes.basis_vector(starts, position, k))
            return [ends[position].flat(results[position])[:, k]]

        return apply


@dataclass(frozen=True)
class Through:
    """Reverse passes from a cut to the inputs, forward passes from it to the outputs.

    Where residual connections were split off, `split` holds the outputs' pure parts:
    their Jacobian has one entry in a row, so one pass with ones gives it all.

    Attributes:
        cut: The cut, or None where nothing but pure parts remains.
        axes: Each cut variable's axis of samples, and its elements of one sample there;
            None for a single sample.
        split: The split program, if there is one.
    """

    cut: Cut | None
    axes: Sequence[tuple[int, int] | None] = ()
    split: Split | None = None
    mode: str = "cut"

    @property
    def width(self) -> int:
        """Directions of the cut."""
        return 0 if self.cut is None else self.cut.width

    @property
    def passes(self) -> int:
        """Passes of both parts, and one for what is pure."""
        return 2 * self.width + (self.split is not None)

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Evaluate the pure part, and both factors of the cut."""
        found: list[Term] = []
        if self.split is not None:
            found.append(_pure(self.split, problem, env))
        if self.cut is not None:
            ends = self.split.mixed if self.split else problem.linear.outputs
            found.append(self._product(self.cut, ends, problem, env, chunk))
        return found

    def _product(
        self,
        cut: Cut,
        ends: Sequence[Var | None],
        problem: Problem,
        env: Env,
        chunk: int | None,
    ) -> Product:
        pairs = zip(cut.variables, self.axes, strict=True)
        middle = [Layout.of(v, *(axis or ())) for v, axis in pairs]
        before = _passes.rows(cut.before, env, problem.inputs, middle, chunk)
        reached = set(cut.after.outputs)
        kept = {k: v for k, v in enumerate(ends) if v is not None and v in reached}
        after = part(cut.after.equations, cut.variables, list(kept.values()))
        outputs = [problem.outputs[k] for k in kept]
        found = _passes.columns(after, env, middle, outputs, chunk)
        rows = dict(zip(kept, (concatenate(row, 2) for row in found), strict=True))
        width = sum(layout.count for layout in middle)
        full = [
            rows.get(k, jnp.zeros((o.samples, o.count, width), o.dtype))
            for k, o in enumerate(problem.outputs)
        ]
        below = concatenate([concatenate(row, 2) for row in before], 1)
        return Product(concatenate(full, 1), below)


def _pure(split: Split, problem: Problem, env: Env) -> Pure:
    kept = [v for v in split.pure if v is not None]
    push = part(split.equations, problem.linear.inputs, kept).forward(env)
    found = iter(push(*(i.ones() for i in problem.inputs)))
    values, columns = [], []
    for v, where, o in zip(split.pure, split.columns, problem.outputs, strict=True):
        none = v is None or where is None
        values.append(o.flat(o.zeros() if none else next(found)))
        columns.append(o.flat(np.full(o.shape, -1) if none else where))
    return Pure(concatenate(values, 1), np.concatenate(columns, 1))


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

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Push each color's inputs together, and read the entries off."""
        c, found = self.compression, []
        rows, columns = (
            (c.columns, c.rows) if self.is_transposed else (c.rows, c.columns)
        )
        if c.n_colors or not len(c.unproven):
            results = self._results(problem, env, chunk)
            found.append(Entries(results, c.passes, c.rows, rows, columns))
        if len(c.unproven):
            found.append(self._lines(problem, env, chunk))
        return found

    def _results(self, problem: Problem, env: Env, chunk: int | None) -> Array:
        starts = problem.outputs if self.is_transposed else problem.inputs
        push, n = self.linear.forward(env), self.compression.n_colors
        if not n:  # a Jacobian of zeros
            ends = problem.inputs if self.is_transposed else problem.outputs
            dtype = jnp.result_type(*(e.dtype for e in ends))
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
                x.astype(s.dtype) for x, (_, s) in zip(by_color, pairs, strict=True)
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


def dense(terms: Sequence[Term], sizes: Sizes) -> Blocks:
    """Sum the terms to one matrix stack for each pair of leaves."""
    if len(terms) == 1 and isinstance(terms[0], Dense):
        return terms[0].blocks
    total = _sum([term.dense(sizes) for term in terms])
    rows = jnp.split(total, np.cumsum(sizes.rows)[:-1], axis=1)
    return [jnp.split(row, np.cumsum(sizes.columns)[:-1], axis=2) for row in rows]


def diagonal(way: Way, problem: Problem, env: Env, chunk: int | None) -> list[Array]:
    """Return the diagonals `(n, rows)` for each leaf.

    From one end, each pass gives one entry (of every sample), and no more of a pass'
    result is kept.
    """
    if isinstance(way, Forward | Reverse | OneByOne):
        return _own_entries(way, problem, env, chunk)
    terms = way.terms(problem, env, chunk)
    total = _sum([term.diagonal(problem.sizes) for term in terms])
    return jnp.split(total, np.cumsum(problem.sizes.rows)[:-1], axis=1)


def entries(terms: Sequence[Term], sizes: Sizes) -> Array:
    """Return the values of single entries, term after term; those that repeat add."""
    found = [term.entries(sizes) for term in terms]
    if len(found) == 1:
        return found[0]
    return concatenate([v.reshape(-1) for v in found], 0)


def indices(terms: Sequence[Term], sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of single entries, term after term."""
    rows, columns = zip(*(term.indices(sizes) for term in terms), strict=True)
    return np.concatenate(rows), np.concatenate(columns)


def _own_entries(
    way: "Forward | Reverse | OneByOne", problem: Problem, env: Env, chunk: int | None
) -> list[Array]:
    found = []
    for position, start in enumerate(problem.inputs):
        apply = way.own_entries(problem, env, position)
        if start.count:
            bounded = chunk or max(1, MOST_ENTRIES // start.count)
            found += _passes.stack(apply, start.count, 1, bounded)
        else:
            found.append(start.flat(start.zeros()))
    return found


def _sum(arrays: Sequence[Array]) -> Array:
    dtype = jnp.result_type(*(x.dtype for x in arrays))
    first, *others = (x.astype(dtype) for x in arrays)
    return sum(others, first)


def zeros(problem: Problem, kind: str) -> list[Any]:
    """Return the answer for a function whose derivative is nothing but zeros."""
    pairs = [
        [(o, i, jnp.result_type(o.dtype, i.dtype)) for i in problem.inputs]
        for o in problem.outputs
    ]
    if kind == "diagonal":
        own = [row[k] for k, row in enumerate(pairs)]
        return [jnp.zeros((o.samples, o.count), dtype) for o, _, dtype in own]
    return [[o.zero_block(i) for o, i, _ in row] for row in pairs]


def size(problem: Problem) -> int:
    """Number of entries of the Jacobian."""
    return math.prod(problem.sizes.shape)
