"""The proof of a coloring: which input of each color a row of the Jacobian reads.

Dependence boxes start with the inputs' numbers, two rows for each color: an input of
that color holds its own number and its negative, all other inputs hold "none". The
rules join any numbers by their minimum. So the boxes of an output are the lowest and
the highest input of each color that it may depend on; where these agree, it is the
only one.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jnumerics.derivatives._dependence.boxes import (
    NONE,
    Box,
    nothing,
    own_index,
)
from jnumerics.derivatives._dependence.constants.fold import Constants
from jnumerics.derivatives._dependence.propagate import propagate
from jnumerics.derivatives._modes.coloring.greedy import trimmed
from jnumerics.derivatives._modes.coloring.lattice import residues
from jnumerics.derivatives._program.jaxpr import (
    JaxprEqn,
    Var,
    inner_jaxprs,
    open_jaxpr,
    shape_of,
    variables,
)
from jnumerics.derivatives._program.tangent import LinearPart

# `make bench` finds them again: `coloring_large`, `planning`, `stencil`.
BUDGET = 1 << 29  # box entries that one search may fill: about a second
SHARE = 1 << 12  # or this part of the work of the passes that it may save
CHUNK = 1 << 23  # box entries filled at a time
SMALL = 1 << 20  # box entries for which every input may have a color of its own
FEW = 32  # a proposal by widths with fewer colors is proven at once
CLASSES = 16  # random colors to learn from otherwise
USUAL = 0.75  # share of the outputs whose widths the first proposal serves
_MANY = 1 << 19  # inputs; boxes of more rows than two are fresh memory each time
_LISTING = 4  # box entries filled in the time that it takes to list one entry
_LOOP_ROUNDS = 20  # passes through a loop's body until its boxes are known


class Learned(NamedTuple):
    """What is known of the pattern: what each row reads, complete where proven."""

    reads: np.ndarray
    proven: np.ndarray

    def add(self, lows: np.ndarray, highs: np.ndarray) -> "Learned":
        """Add the lowest and the highest read of each color, (colors, rows)."""
        single = lows == highs
        proven = single.all(axis=0)
        whole, partly = ~self.proven & proven, ~self.proven & ~proven
        exact = trimmed(np.sort(lows.T[whole], axis=1))
        others = np.where(single[:, partly], NONE, highs[:, partly])
        known = [self.reads[partly], lows.T[partly], others.T]
        parts = [(whole, exact), (partly, _sets(np.hstack(known)))]
        width = max(self.reads.shape[1], *(added.shape[1] for _, added in parts))
        reads = np.full((len(proven), width), NONE, np.int32)
        reads[:, : self.reads.shape[1]] = self.reads
        for rows, added in parts:
            reads[rows] = NONE
            reads[rows, : added.shape[1]] = added
        return Learned(reads, self.proven | proven)


def _sets(reads: np.ndarray) -> np.ndarray:
    """Sort each row, and drop repeated reads and columns that stay empty."""
    reads.sort(axis=1)
    reads[:, 1:][reads[:, 1:] == reads[:, :-1]] = NONE
    reads.sort(axis=1)
    return trimmed(reads)


class Prover:
    """Propagates the inputs' numbers through a program, two rows for each color."""

    def __init__(self, part: LinearPart, constants: Constants) -> None:
        self.shapes = [shape_of(v) for v in part.inputs]
        self.n = sum(math.prod(shape) for shape in self.shapes)
        self.m = sum(math.prod(shape_of(v)) for v in part.outputs)
        self._part = part
        self._constants = _constants_within(part, constants)
        self._numbers = np.arange(self.n, dtype=np.int32)
        self._cost = 1  # box entries for one row
        self._spent = 0

    def start(self) -> tuple[Learned, list[np.ndarray]]:
        """Return what the boxes of all inputs show, and the first proposals.

        A proposal is the index modulo the widths of the boxes. Where these are wide,
        random colors come first: they show what the rows of a sparse pattern read, or
        that the pattern is not sparse.
        """
        numbers = unflatten(np.stack([self._numbers, -self._numbers]), self.shapes)
        own = [own_index(self.shapes, k) for k in range(len(self.shapes))]
        seeds = [np.concatenate(pair) for pair in zip(numbers, own, strict=True)]
        step = len(seeds[0]) if self.n <= _MANY else 2
        pairs = [
            [s[k : k + step] for s in seeds] for k in range(0, len(seeds[0]), step)
        ]
        low, high, *boxes = np.concatenate([self._propagate(p) for p in pairs])
        nothing = Learned(np.full((self.m, 1), NONE, np.int32), np.zeros(self.m, bool))
        learned = nothing.add(low[None], _negated(high)[None])
        widths = _usual_widths(np.stack(boxes), self.shapes)
        by_widths = residues(self.shapes, widths)
        if int(by_widths.max()) < FEW:
            return learned, [by_widths]
        if self._needs(self.n) <= SMALL:
            return learned, [self._numbers]
        classes = np.random.default_rng(0).integers(0, CLASSES, self.n, np.int32)
        narrow = 2 * int(by_widths.max()) < self.n
        return learned, [classes, by_widths] if narrow else [classes]

    def affords(self, colors: np.ndarray, passes: int) -> bool:
        """Whether the budget allows proving a coloring that may save these passes."""
        budget = max(BUDGET, self._cost * passes // SHARE)
        return self._spent + self._needs(int(colors.max()) + 2) <= budget

    def prove(self, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and the highest read of each color, (colors, rows).

        Inputs without a color, about which nothing is known, count as one more color.
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
            boxes = self._propagate(unflatten(np.concatenate(rows), self.shapes))
            low, high = np.split(boxes, 2)
            lows.append(low)
            highs.append(_negated(high))
        return np.concatenate(lows), np.concatenate(highs)

    def _needs(self, count: int) -> int:
        return 2 * count * self._cost

    def _propagate(self, seeds: Sequence[Box]) -> np.ndarray:
        """Return the boxes of all outputs, (rows, outputs laid end to end)."""
        starts = dict(zip(self._part.inputs, seeds, strict=True))
        boxes = propagate(self._part.equations, starts, self._constants)
        n_rows = len(seeds[0])
        rows = [_written_out(boxes.get(v), v, n_rows) for v in self._part.outputs]
        filled = sum(box.size for box in boxes.values()) // n_rows
        inner = sum(_inside(e.eqn) for e in self._part.equations)
        self._cost = filled + inner + _LISTING * self.m
        self._spent += self._cost * n_rows
        return np.concatenate(rows, axis=1)


def unflatten(flat: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Divide the last axis into leaves of the given shapes."""
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
    """Bound the box entries, for one row, inside the body of a loop or a branch."""
    is_loop = eqn.primitive.name in ("scan", "while")
    times = _LOOP_ROUNDS + eqn.params.get("length", 0) if is_loop else 1
    return times * sum(
        _inside(inner) + sum(math.prod(shape_of(v)) for v in inner.outvars)
        for jaxpr in inner_jaxprs(eqn)
        for inner in open_jaxpr(jaxpr).eqns
    )


def _usual_widths(
    boxes: np.ndarray, shapes: Sequence[tuple[int, ...]]
) -> list[list[int]]:
    """Return widths, along all axes of all leaves, within which most boxes stay."""
    lows, highs = np.split(boxes, 2)
    reached = lows != NONE
    wide = np.where(reached, 1 - highs - lows, 0)
    usual = []
    for row, there in zip(wide, reached, strict=True):
        ordered = np.sort(row[there])
        usual.append(int(ordered[int(USUAL * len(ordered))]) if len(ordered) else 1)
    place = iter(usual)
    return [[next(place) for _ in shape or (1,)] for shape in shapes]


def _constants_within(part: LinearPart, constants: Constants) -> Constants:
    """Add what a part's own primal equations make, such as those of a transpose."""
    reached = set(part.inputs)
    primal = []
    for equation in part.equations:
        if reached.isdisjoint(variables(equation)):
            primal.append(equation)
        else:
            reached.update(equation.eqn.outvars)
    return Constants(primal, {}, around=constants) if primal else constants
