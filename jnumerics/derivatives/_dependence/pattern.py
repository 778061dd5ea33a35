"""The pattern of a Jacobian in a few cells: which share of each may be nonzero.

Inputs and outputs are counted flat, leaf after leaf, and divided into cells that do not
straddle leaves while there are few leaves. What a box holds of a cell is counted, not
sampled: the indices of a box before a flat position are a sum over its axes, so that a
picture costs one number for each element of the result and each border between cells.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jnumerics import _picture, _table
from jnumerics.derivatives._dependence.blocks import BlockBoxes, Shape

ROWS, COLUMNS = 24, 64  # of a picture at most
AT_A_TIME = 2**14  # elements of the result
LEAVES = 4  # at least so many cells for each leaf, else leaves share cells


class Pattern(NamedTuple):
    """The share of each cell that boxes hold; what they do not hold is zero.

    Attributes:
        counts: Entries of each cell that boxes hold, shape (rows, columns).
        rows: Borders between the cells, as flat indices of outputs, from 0 on.
        columns: Borders between the cells, as flat indices of inputs, from 0 on.
        breaks: Numbers of the rows and of the columns at which another leaf begins.
    """

    counts: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    breaks: tuple[list[int], list[int]]

    @property
    def shares(self) -> np.ndarray:
        """Counts over sizes, (rows, columns)."""
        return self.counts / np.outer(np.diff(self.rows), np.diff(self.columns))

    @property
    def nonzeros(self) -> int:
        """Number of entries that boxes hold."""
        return int(self.counts.sum())

    @property
    def size(self) -> int:
        """Number of entries of the Jacobian."""
        return int(self.rows[-1] * self.columns[-1])

    def __str__(self) -> str:
        """Draw it as text, outputs downwards, inputs to the right."""
        if not 0 < self.nonzeros < self.size:
            return self.title
        picture = _picture.cells_text(self.shares, self.breaks)
        return "\n".join([self.title, "", picture, "", self._legend()])

    @property
    def title(self) -> str:
        """What it shows, in a line."""
        if not 0 < self.nonzeros < self.size:
            may = "may be nonzero" if self.nonzeros else "are zero"
            return f"All {self.size:,} entries of the Jacobian {may}"
        share = _table.number(100 * self.nonzeros / self.size, 2)
        held = f"{self.nonzeros:,} of {self.size:,} entries"
        return f"Boxes hold {held} of the Jacobian, {share} %; the others are zero"

    def _legend(self) -> str:
        height, width = (int(np.diff(e).max()) for e in (self.rows, self.columns))
        signs = f"{_picture.NONE} zero, {_picture.ALL} in a box"
        if height == width == 1:
            return f"outputs down, inputs across; {signs}"
        cell = f"a sign is up to {height:,} x {width:,} entries"
        signs = f"{signs}, {_picture.SOME} in part"
        return f"outputs down, inputs across; {cell}: {signs}"

    def svg(self) -> str:
        """Draw it as an `<svg>` element, empty where all are alike."""
        if not 0 < self.nonzeros < self.size:
            return ""
        return _picture.cells_svg(self.shares, self.title, self.breaks)


def pattern(boxes: BlockBoxes, limits: tuple[int, int] = (ROWS, COLUMNS)) -> Pattern:
    """Count what the boxes hold of each cell, of at most so many rows and columns."""
    outs, shapes = boxes.outs, boxes.shapes
    rows, columns = _borders(outs, limits[0]), _borders(shapes, limits[1])
    counts = np.zeros((len(rows) - 1, len(columns) - 1), np.int64)
    if not counts.size:
        return Pattern(counts, rows, columns, ([], []))
    down, across = _starts(outs), _starts(shapes)
    for k, leaf, _ in boxes:
        n = math.prod(shapes[leaf])
        if not n:
            continue
        ends = np.clip(columns - across[leaf], 0, n)
        ranges = [_flat(a, len(outs[k])) for a in boxes.bounds(k, leaf)]
        for first in range(0, math.prod(outs[k]), AT_A_TIME):
            low, high, there = (a[first : first + AT_A_TIME] for a in ranges)
            held = np.diff(_before(low, high, there, shapes[leaf], ends), axis=1)
            at = down[k] + first + np.arange(len(low))
            cells = np.searchsorted(rows, at, side="right") - 1
            used, starts = np.unique(cells, return_index=True)
            counts[used] += np.add.reduceat(held, starts)
    return Pattern(
        counts, rows, columns, (_breaks(outs, rows), _breaks(shapes, columns))
    )


def _flat(a: np.ndarray, rank: int) -> np.ndarray:
    return a.reshape(math.prod(a.shape[:rank]), *a.shape[rank:])


def _before(
    low: np.ndarray, high: np.ndarray, there: np.ndarray, shape: Shape, ends: np.ndarray
) -> np.ndarray:
    """Count the indices in each box before each flat position, (boxes, positions)."""
    n = math.prod(shape)
    widths = np.maximum(high - low + 1, 0)
    behind = np.cumprod(
        np.concatenate([widths, np.ones((len(low), 1), np.int64)], 1)[:, ::-1], axis=1
    )[:, ::-1]  # indices along this axis and all after it
    whole = behind[:, :1] * there[:, None]
    if not shape:
        return whole * (ends >= 1)
    inside = np.broadcast_to(there[:, None], (len(low), len(ends)))
    counts = np.zeros(inside.shape, np.int64)
    for axis, digit in enumerate(np.unravel_index(np.minimum(ends, n - 1), shape)):
        first, last = low[:, axis, None], high[:, axis, None]
        below = np.clip(digit - first, 0, widths[:, axis, None])
        counts += inside * below * behind[:, axis + 1, None]
        inside = inside & (first <= digit) & (digit <= last)
    return np.where(ends >= n, whole, counts)


def _starts(shapes: Sequence[Shape]) -> np.ndarray:
    """Return the flat index at which each leaf begins, and the number of elements."""
    return np.cumsum([0, *(math.prod(s) for s in shapes)])


def _borders(shapes: Sequence[Shape], limit: int) -> np.ndarray:
    """Divide the elements of all leaves into cells of about the same size."""
    sizes = [n for n in map(math.prod, shapes) if n]
    total = sum(sizes)
    if not total:
        return np.zeros(1, np.int64)
    if LEAVES * len(sizes) > limit:
        return np.linspace(0, total, min(total, limit) + 1).astype(np.int64)
    room, borders, start = limit - len(sizes) + 1, [np.zeros(1, np.int64)], 0
    if total <= limit:
        room = total
    for n in sizes:
        cells = min(n, max(1, room * n // total))
        borders.append(start + np.linspace(0, n, cells + 1).astype(np.int64)[1:])
        start += n
    return np.concatenate(borders)


def _breaks(shapes: Sequence[Shape], borders: np.ndarray) -> list[int]:
    """Return which cells but the first begin with a leaf; none where they straddle."""
    starts = np.unique(_starts(shapes))[1:-1]
    where = np.searchsorted(borders, starts)
    return where.tolist() if np.array_equal(borders[where], starts) else []
