"""Compression: inputs that never meet in one output share a pass.

A pass started from many inputs at once gives the Jacobian's entries themselves, as long as no
output depends on two of them (Curtis, Powell and Reid). So colors are **proposed**, by
`_proposals`, and **proven**, by dependence boxes: for each color two rows, the lowest and
the highest number of an input of that color, "none" at the inputs of others. Where the two
agree, they name the entry; where they do not, both are entries, and the next proposal knows
of them. The first proposal is as cheap as can be: the boxes' widths, or random colors.

Every row whose reads are proven is known exactly, whatever the coloring that proved it; the last
step looks for few colors for the whole pattern. Rows too long to pay for (an arrow's
head) are left to reverse passes.

Reference:
    A. R. Curtis, M. J. D. Powell and J. K. Reid, "On the estimation of sparse Jacobian
    matrices", IMA J. Appl. Math. 13 (1974).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn, Literal, Var

from jnumerics.derivatives._dependence import own_index, propagate
from jnumerics.derivatives._known import KnownValues
from jnumerics.derivatives._proposals import color, conflicts, residues, trimmed
from jnumerics.derivatives._rules._boxes import NONE, Box, dtype_of, nothing, shape_of
from jnumerics.derivatives._tangent import (
    Atom,
    Equation,
    LinearPart,
    flatten,
    inner_jaxprs,
    open_jaxpr,
    variables,
)

BUDGET = 1 << 28  # box entries that one search may fill
CHUNK = 1 << 22  # box entries filled at a time
SMALL = 1 << 20  # box entries for which every input may have a color of its own
FEW = 32  # colors by widths that are worth proving at once
CLASSES = 16  # random colors to learn from otherwise
ROUNDS = 8  # proposals
USUAL = 0.75  # share of the outputs whose widths the first proposal serves
LOOP_ROUNDS = 20  # passes through a loop's body until its boxes are known


@dataclass(frozen=True)
class Compression:
    """A proven coloring, and where each pass holds which entries.

    Attributes:
        colors: For each input variable the color of every element, in its shape;
            -1 where no output of a forward pass depends on it.
        n_colors: Number of colors, each a forward pass.
        rows: For each entry its row: the index over all outputs, laid end to end.
            Rows ascend, and columns within a row.
        columns: The index over all inputs, laid end to end.
        passes: The color whose pass holds the entry, at position `rows` of its result.
        unproven: Rows without entries above, which need a reverse pass each.
    """

    colors: list[np.ndarray]
    n_colors: int
    rows: np.ndarray
    columns: np.ndarray
    passes: np.ndarray
    unproven: np.ndarray


def compress(part: LinearPart, known: KnownValues, *, most: int) -> Compression | None:
    """Find a proven coloring of the inputs of a linear program.

    Args:
        part: The program.
        known: Values of the primal program around it.
        most: Passes (colors and unproven rows) of which fewer must do.

    Returns:
        The compression; None if none is found within the budget.
    """
    prover = Prover(part, known)
    if most < 1 or not prover.m or not 0 < prover.n < NONE:
        return None
    learned, colors = prover.start()
    given = colors
    for _ in range(ROUNDS):
        left_out, least = _left_out(learned.reads)
        if least >= most:
            return None
        if (learned.proven | left_out).all():
            break
        if colors is None:
            colors = color(learned.reads[~left_out], prover.shapes)
        if not prover.affords(colors):
            return None
        lows, highs = prover.prove(colors)
        if len(lows) >= CLASSES and _crowded(lows, highs):
            return None
        learned = learned.add(lows, highs)
        given, colors = colors, None
    return _assemble(learned, given, prover.shapes, most)


def _assemble(
    learned: "_Learned", given: np.ndarray, shapes: list[tuple[int, ...]], most: int
) -> Compression | None:
    """Color the proven pattern, and list the entries."""
    kept = np.flatnonzero(learned.proven & ~_left_out(learned.reads)[0])
    reads = learned.reads[kept]
    colors = color(reads, shapes, given)
    right = ~conflicts(reads, colors)
    kept, reads = kept[right], reads[right]
    unproven = np.delete(np.arange(len(learned.proven), dtype=np.int32), kept)
    n_colors = int(colors.max()) + 1
    if n_colors + len(unproven) >= most:
        return None
    row, entry = np.nonzero(reads != NONE)
    columns = reads[row, entry]
    return Compression(
        colors=_split(colors, shapes),
        n_colors=n_colors,
        rows=kept[row].astype(np.int32),
        columns=columns,
        passes=colors[columns],
        unproven=unproven,
    )


def _crowded(lows: np.ndarray, highs: np.ndarray) -> bool:
    """Whether most rows read every color, and some more than once: hardly sparse."""
    full = (lows != NONE).all(axis=0) & (lows != highs).any(axis=0)
    return 2 * int(full.sum()) > len(full)


class _Learned(NamedTuple):
    """What is known of the pattern: reads of each row, all of them where proven."""

    reads: np.ndarray
    proven: np.ndarray

    def add(self, lows: np.ndarray, highs: np.ndarray) -> "_Learned":
        """Take in the lowest and highest reads of each color, (colors, rows)."""
        single = lows == highs
        proven = single.all(axis=0)
        new = ~self.proven
        more = [self.reads[new], lows.T[new]]
        if not proven[new].all():
            more.append(np.where(single, NONE, highs).T[new])
        merged = _sets(np.concatenate(more, axis=1))
        width = max(merged.shape[1], self.reads.shape[1])
        reads = np.full((len(new), width), NONE, np.int32)
        reads[:, : self.reads.shape[1]] = self.reads
        reads[new] = NONE
        reads[new, : merged.shape[1]] = merged
        return _Learned(reads, self.proven | proven)


def _sets(reads: np.ndarray) -> np.ndarray:
    """Sort each row, drop what stands twice, and the columns that are left empty."""
    reads.sort(axis=1)
    reads[:, 1:][reads[:, 1:] == reads[:, :-1]] = NONE
    reads.sort(axis=1)
    return trimmed(reads)


def _left_out(reads: np.ndarray) -> tuple[np.ndarray, int]:
    """Return which rows are cheaper by passes of their own, and the passes in all.

    A row of r entries takes r colors. So leave out those longer than t, where t
    plus their number is least.
    """
    counts = (reads != NONE).sum(axis=1)
    longer = len(counts) - np.cumsum(np.bincount(counts))
    passes = longer + np.arange(len(longer))
    best = int(np.argmin(passes))
    return counts > best, int(passes[best])


class Prover:
    """Passes the inputs' numbers through a program: two rows of boxes for each color."""

    def __init__(self, part: LinearPart, known: KnownValues) -> None:
        self.shapes = [shape_of(v) for v in part.inputs]
        self.n = sum(math.prod(shape) for shape in self.shapes)
        self.m = sum(math.prod(shape_of(v)) for v in part.outputs)
        self._part = part
        self._known = _known_within(part, known)
        self._numbers = np.arange(self.n, dtype=np.int32)
        self._cost = 1  # box entries for one row
        self._spent = 0

    def start(self) -> tuple[_Learned, np.ndarray]:
        """Return what the boxes of all inputs tell, and the first proposal.

        That is the index modulo the widths of the boxes where these are narrow, random
        colors where they are not.
        """
        numbers = _split(np.stack([self._numbers, -self._numbers]), self.shapes)
        own = [own_index(self.shapes, k) for k in range(len(self.shapes))]
        seeds = [np.concatenate(pair) for pair in zip(numbers, own, strict=True)]
        low, high, *boxes = self._propagate(seeds)
        nothing = _Learned(np.full((self.m, 1), NONE, np.int32), np.zeros(self.m, bool))
        learned = nothing.add(low[None], _negated(high)[None])
        widths = _usual_widths(np.stack(boxes), self.shapes)
        by_widths = residues(self.shapes, widths)
        if int(by_widths.max()) < FEW:
            return learned, by_widths
        if self._needs(self.n) <= SMALL:
            return learned, self._numbers
        classes = np.random.default_rng(0).integers(0, CLASSES, self.n, np.int32)
        return learned, classes

    def affords(self, colors: np.ndarray) -> bool:
        """Whether the budget allows to prove a coloring."""
        return self._spent + self._needs(int(colors.max()) + 2) <= BUDGET

    def prove(self, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and highest reads of each color, (colors, rows).

        Inputs without a color, of which nothing is known, are together one more.
        """
        count = int(colors.max()) + 1
        if (colors < 0).any():
            colors = np.where(colors < 0, count, colors)
            count += 1
        step = max(CHUNK // self._needs(1), 1)
        lows, highs = [], []
        for start in range(0, count, step):
            which = np.arange(start, min(start + step, count))[:, None]
            inside = colors == which
            numbers = [self._numbers, -self._numbers]
            rows = [np.where(inside, number, NONE) for number in numbers]
            found = self._propagate(_split(np.concatenate(rows), self.shapes))
            low, high = np.split(found, 2)
            lows.append(low)
            highs.append(_negated(high))
        return np.concatenate(lows), np.concatenate(highs)

    def _needs(self, count: int) -> int:
        return 2 * count * self._cost

    def _propagate(self, seeds: Sequence[Box]) -> np.ndarray:
        """Return the boxes of all outputs, (rows, outputs laid end to end)."""
        given = dict(zip(self._part.inputs, seeds, strict=True))
        found = propagate(self._part.equations, given, self._known)
        n_rows = len(seeds[0])
        rows = [_written_out(found.get(v), v, n_rows) for v in self._part.outputs]
        filled = sum(box.size for box in found.values()) // n_rows
        inner = sum(_inside(e.eqn) for e in self._part.equations)
        self._cost = filled + self.m + inner
        self._spent += self._cost * n_rows
        return np.concatenate(rows, axis=1)


def _split(flat: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Part the last axis in the leaves of the given shapes."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    leaves = zip(np.split(flat, ends, axis=-1), shapes, strict=True)
    return [leaf.reshape(flat.shape[:-1] + shape) for leaf, shape in leaves]


def _negated(highs: np.ndarray) -> np.ndarray:
    return np.where(highs == NONE, NONE, -highs)


def _written_out(box: Box | None, var: Var, rows: int) -> np.ndarray:
    shape = shape_of(var)
    if box is None:
        box = nothing(rows, len(shape))
    return np.broadcast_to(box, (rows, *shape)).reshape(rows, -1)


def _inside(eqn: JaxprEqn) -> int:
    """Bound the box entries for one row within a loop's or a branch's body."""
    times = LOOP_ROUNDS + eqn.params.get("length", 1)
    return times * sum(
        _inside(inner) + sum(math.prod(shape_of(v)) for v in inner.outvars)
        for jaxpr in inner_jaxprs(eqn)
        for inner in open_jaxpr(jaxpr).eqns
    )


def _usual_widths(
    boxes: np.ndarray, shapes: Sequence[tuple[int, ...]]
) -> list[list[int]]:
    """Return widths along all axes of all leaves that most outputs keep to."""
    lows, highs = np.split(boxes, 2)
    reached = lows != NONE
    wide = np.where(reached, 1 - highs - lows, 0)
    usual = []
    for row, there in zip(wide, reached, strict=True):
        ordered = np.sort(row[there])
        usual.append(int(ordered[int(USUAL * len(ordered))]) if len(ordered) else 1)
    place = iter(usual)
    return [[next(place) for _ in shape or (1,)] for shape in shapes]


def _known_within(part: LinearPart, known: KnownValues) -> KnownValues:
    """Add what a part's own primal equations make; a transposed part has some."""
    reached = set(part.inputs)
    primal = []
    for equation in part.equations:
        if reached.isdisjoint(variables(equation)):
            primal.append(equation)
        else:
            reached.update(equation.eqn.outvars)
    if not primal:
        return known
    indices = [
        v for v in part.residuals if not jnp.issubdtype(dtype_of(v), jnp.inexact)
    ]
    values = {v: known(v) for v in indices}
    return KnownValues(primal, {v: x for v, x in values.items() if x is not None})


def transposed(part: LinearPart) -> LinearPart:
    """Return the transpose as a program of its own.

    Its inputs are the cotangents of the outputs, in order, its outputs those of the inputs.
    Its residuals are the same variables, so the same environment evaluates it. Equations that do
    not depend on a cotangent (an iota, a reshaped residual) stand among the others.

    Raises:
        Exception: Of JAX's, if an equation cannot be transposed.
    """

    def backward(residuals: list[jax.Array], cotangents: list[jax.Array]) -> list:
        env = dict(zip(part.residuals, residuals, strict=True))
        return part.reverse(env)(*cotangents)

    given = [v.aval for v in part.residuals]
    jaxpr = jax.make_jaxpr(backward)(given, [v.aval for v in part.outputs])
    flat = flatten(jaxpr, [False] * len(given) + [True] * len(part.outputs))
    names: dict[Atom, Atom] = {v: Literal(x, v.aval) for v, x in flat.consts.items()}
    names.update(zip(flat.inputs, part.residuals, strict=False))
    equations = [_renamed(equation, names) for equation in flat.equations]
    outputs = [_as_variable(v, equations) for v in flat.outputs]
    return LinearPart(flat.inputs[len(given) :], outputs, equations, part.residuals)


def _as_variable(atom: Atom, equations: list[Equation]) -> Var:
    """Let an equation make a variable of a literal: the zero of an unread scalar."""
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
