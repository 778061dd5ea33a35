"""Compression: which inputs may share a pass, and the entries that each pass gives.

A forward pass that starts from several inputs at once gives the Jacobian's entries as
they are, if no output depends on two of these inputs (Curtis, Powell and Reid). So each
coloring is **proposed**, by `lattice`, and **proven**, by dependence boxes (`detect`):
for each color, the lowest and the highest input that an output may depend on. Where the
two agree, they are the entry's column; where they differ, both are entries, and the
next proposal takes them into account. The first proposal has to be cheap: the index
modulo the widths of the boxes, or random colors.

A row is known exactly once all that it reads is proven, whatever coloring proved it;
the last step looks for few colors for the whole pattern. Rows that are too long to be
worth their colors (the head of an arrow) are left to reverse passes.

Reference:
    A. R. Curtis, M. J. D. Powell and J. K. Reid, "On the estimation of sparse Jacobian
    matrices", IMA J. Appl. Math. 13 (1974).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from jnumerics.derivatives._dependence.boxes import NONE
from jnumerics.derivatives._dependence.constants.fold import Constants
from jnumerics.derivatives._modes.coloring.detect import CLASSES, Prover, unflatten
from jnumerics.derivatives._modes.coloring.greedy import conflicts
from jnumerics.derivatives._modes.coloring.lattice import color
from jnumerics.derivatives._program.inline import flatten
from jnumerics.derivatives._program.jaxpr import Atom, Equation, Literal, Var
from jnumerics.derivatives._program.tangent import LinearPart

ROUNDS = 8  # proposals
NEARLY_FULL = 0.9  # share of entries from which a pattern is of no use


@dataclass(frozen=True)
class Compression:
    """A proven coloring, and where each pass holds which entries.

    Attributes:
        colors: For each input variable the color of every element, in its shape;
            -1 where no pass starts.
        n_colors: Number of colors, each a forward pass.
        rows: For each entry its row: the index over all outputs, laid end to end.
            Rows ascend, and columns within a row.
        columns: The index over all inputs, laid end to end.
        passes: The color whose pass holds the entry, at position `rows` of its result.
        unproven: Rows whose entries are not proven, each of which takes a reverse pass.
        mirrored: For each entry, the position that holds it, if not `rows`: of a
            symmetric Jacobian, an entry may be read where its mirror image stands.
    """

    colors: list[np.ndarray]
    n_colors: int
    rows: np.ndarray
    columns: np.ndarray
    passes: np.ndarray
    unproven: np.ndarray
    mirrored: np.ndarray | None = None

    @property
    def places(self) -> np.ndarray:
        """For each entry, its position in its pass' result."""
        return self.rows if self.mirrored is None else self.mirrored


def compress(
    part: LinearPart, constants: Constants, *, limit: int
) -> Compression | None:
    """Find a proven coloring of the inputs of a linear program.

    Args:
        part: The program.
        constants: Values of the primal program around it.
        limit: The passes (colors and unproven rows) have to be fewer than this. Where
            it exceeds the inputs, the pattern is wanted, unless it is nearly full.

    Returns:
        The compression; None if none is found within the budget.
    """
    prover = Prover(part, constants)
    if limit < 1 or not prover.m or not 0 < prover.n < NONE:
        return None
    learned, first = prover.start()
    colors, initial, thorough = first.pop(0), None, True
    colored: tuple[np.ndarray, ...] = ()  # the last pattern, and its colors
    for _ in range(ROUNDS):
        left_out, least = _left_out(_entries(learned.reads))
        if least >= limit:
            return None
        if (learned.proven | left_out).all():
            break
        if colors is None:
            reads = learned.reads[~left_out]
            colors = color(reads, prover.shapes, initial, thorough=thorough)
            colored, thorough = (reads, colors), False  # later proposals repair it
        if not prover.affords(colors, limit):
            return None
        lows, highs = prover.prove(colors)
        if not _crowded(lows, highs):
            learned = learned.add(lows, highs)
            initial, colors = colors, None
        elif first and int(first[0].max()) < limit:
            colors = first.pop(0)
        else:
            return None
    entries = int((learned.reads != NONE).sum())
    if limit > prover.n and entries > NEARLY_FULL * prover.m * prover.n:
        return None
    left_out, _ = _left_out(_entries(learned.reads))
    rows = np.flatnonzero(learned.proven & ~left_out)
    reads = learned.reads[rows]
    if colored and np.array_equal(reads, colored[0]):
        colors = colored[1]
    else:
        colors = color(reads, prover.shapes, initial, thorough=thorough)
    compression = _assemble(rows, reads, colors, prover.shapes, prover.m)
    passes = compression.n_colors + compression.unproven.size
    return compression if passes < limit else None


def of_outputs(
    compression: Compression, shapes: Sequence[tuple[int, ...]], limit: int
) -> Compression | None:
    """Color the outputs of a program whose pattern is proven whole.

    What holds of the pattern holds of its transpose, so nothing is left to prove.

    Args:
        compression: A compression of its inputs, without unproven rows.
        shapes: Of the outputs.
        limit: The passes have to be fewer than this.

    Returns:
        What `compress` finds of the transposed program; None without fewer passes.
    """
    n = sum(color.size for color in compression.colors)
    m = sum(math.prod(shape) for shape in shapes)
    counts = np.bincount(compression.columns, minlength=n)
    left_out, least = _left_out(counts)
    if least >= limit:
        return None
    keys = np.sort(compression.columns.astype(np.int64) * m + compression.rows)
    columns, rows = np.divmod(keys, m)
    if np.array_equal(columns, compression.rows) and np.array_equal(
        rows, compression.columns
    ):
        return None  # its own transpose, whose colors are known
    reads = np.full((n, int(counts[~left_out].max(initial=1))), NONE, np.int32)
    place = np.arange(len(keys)) - np.repeat(np.cumsum(counts) - counts, counts)
    included = ~left_out[columns]
    reads[columns[included], place[included]] = rows[included]
    lines = np.flatnonzero(~left_out)
    coloring = _assemble(lines, reads[lines], color(reads[lines], shapes), shapes, n)
    return coloring if coloring.n_colors + len(coloring.unproven) < limit else None


def _assemble(
    rows: np.ndarray,
    reads: np.ndarray,
    colors: np.ndarray,
    shapes: Sequence[tuple[int, ...]],
    n_rows: int,
) -> Compression:
    """List the entries of the rows in which no two reads have the same color."""
    valid = ~conflicts(reads, colors)
    rows, reads = rows[valid].astype(np.int32), reads[valid]
    inside = reads != NONE
    columns = reads[inside]
    return Compression(
        colors=unflatten(colors, shapes),
        n_colors=int(colors.max()) + 1,
        rows=np.repeat(rows, inside.sum(axis=1)),
        columns=columns,
        passes=colors[columns],
        unproven=np.delete(np.arange(n_rows, dtype=np.int32), rows),
    )


def for_diagonal(
    compression: Compression, shapes: Sequence[tuple[int, ...]]
) -> Compression:
    """Color a square pattern anew, of which the diagonal alone is wanted.

    The sum of a class' columns holds J_ii for each of its members i, if J_ij is zero
    for all others j: neighbors in the graph of the entries, in either order, need
    different colors, and nothing is asked of third rows. An input without an entry of
    its own is in no class.

    Args:
        compression: A compression of it.
        shapes: Of the inputs, and of the outputs.
    """
    rows, columns = compression.rows, compression.columns
    own = rows[rows == columns]
    has_own = np.zeros(sum(math.prod(shape) for shape in shapes), bool)
    has_own[own] = True
    meet = (rows != columns) & has_own[rows] & has_own[columns]
    pairs = np.stack([rows[meet], columns[meet]], axis=1).astype(np.int32)
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    colors = np.where(has_own, 0, -1).astype(np.int32)
    if len(pairs):
        proven = np.concatenate([leaf.ravel() for leaf in compression.colors])
        neighbors = color(pairs, shapes, np.maximum(proven, 0))
        assert not conflicts(pairs, neighbors).any()
        colors[has_own] = np.maximum(neighbors, 0)[has_own]
    return Compression(
        colors=unflatten(colors, shapes),
        n_colors=int(colors.max(initial=-1)) + 1,
        rows=own,
        columns=own,
        passes=colors[own],
        unproven=compression.unproven,
    )


def _crowded(lows: np.ndarray, highs: np.ndarray) -> bool:
    """Whether most rows read every color, some of them twice: hardly sparse."""
    full = (lows != NONE).all(axis=0) & (lows != highs).any(axis=0)
    return len(lows) >= CLASSES and 2 * int(full.sum()) > len(full)


def _entries(reads: np.ndarray) -> np.ndarray:
    return (reads != NONE).sum(axis=1)


def _left_out(counts: np.ndarray) -> tuple[np.ndarray, int]:
    """Return which rows are cheaper by passes of their own, and the passes in all.

    `counts` are the entries of the rows. A row of r entries takes r colors. So rows
    longer than t are left out, for the t that makes t plus their number smallest.
    """
    longer = len(counts) - np.cumsum(np.bincount(counts))
    passes = longer + np.arange(len(longer))
    best = len(passes) - 1 - int(np.argmin(passes[::-1]))
    return counts > best, int(passes[best])


def transposed(part: LinearPart) -> LinearPart:
    """Return the transpose as a program of its own.

    Its inputs are the cotangents of the outputs, in order, its outputs those of the
    inputs. Its residuals are the same variables, so the same environment evaluates it.
    Equations that do not depend on a cotangent (an iota, a reshaped residual) are
    among the others.

    Raises:
        Exception: JAX's own, if an equation cannot be transposed.
    """
    n = len(part.residuals)
    flat = flatten(part.transpose, [False] * n + [True] * len(part.outputs))
    names: dict[Atom, Atom] = {v: Literal(x, v.aval) for v, x in flat.consts.items()}
    names.update(zip(flat.inputs, part.residuals, strict=False))
    equations = [_renamed(equation, names) for equation in flat.equations]
    outputs = [_as_variable(v, equations) for v in flat.outputs]
    return LinearPart(flat.inputs[n:], outputs, equations, part.residuals)


def _as_variable(atom: Atom, equations: list[Equation]) -> Var:
    """Make a variable of a literal, such as the zero of a scalar that nothing reads."""
    if isinstance(atom, Var):
        return atom
    (eqn,) = jax.make_jaxpr(lambda x: jax.lax.add(x, x))(atom.aval).eqns
    result = Var(atom.aval)
    equations.append(Equation(eqn.replace(invars=[atom, atom], outvars=[result]), ()))
    return result


def _renamed(equation: Equation, names: Mapping[Atom, Atom]) -> Equation:
    eqn = equation.eqn
    operands = [names.get(v, v) if isinstance(v, Var) else v for v in eqn.invars]
    return equation._replace(eqn=eqn.replace(invars=operands))
