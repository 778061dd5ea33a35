"""Greedy coloring of any pattern, and the repair of a coloring that is nearly valid.

Each column takes the smallest color that no column has that a row reads together with
it. Patterns are arrays of `reads`, as in `lattice`.

Reference:
    M. T. Jones and P. E. Plassmann, "A parallel graph coloring heuristic", SIAM J. Sci.
    Comput. 14 (1993).
"""

import numpy as np

from jnumerics.derivatives._dependence.boxes import NONE

_DONE = 0.8  # share of the rows below which the others are dropped


def trimmed(reads: np.ndarray) -> np.ndarray:
    """Drop the columns of `reads` that no row fills."""
    return reads[:, : max(int((reads != NONE).sum(axis=1).max(initial=0)), 1)]


def conflicts(reads: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Return, for each row, whether two of its columns have the same color."""
    apart = -2 - np.arange(reads.shape[1], dtype=np.int32)
    inside = reads != NONE
    assigned = np.where(inside, colors[np.where(inside, reads, 0)], apart)
    assigned.sort(axis=1)
    return (assigned[:, 1:] == assigned[:, :-1]).any(axis=1)


def repaired(reads: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Recolor one of every two columns of the same color that a row reads."""
    start = np.array(colors, np.int32)
    rows = reads[conflicts(reads, colors)]
    inside = rows != NONE
    apart = -2 - np.arange(reads.shape[1])
    assigned = np.where(inside, colors[np.where(inside, rows, 0)], apart)
    order = np.argsort(assigned, axis=1, kind="stable")
    assigned = np.take_along_axis(assigned, order, axis=1)
    again = np.take_along_axis(rows, order, axis=1)[:, 1:][
        assigned[:, 1:] == assigned[:, :-1]
    ]
    start[again] = -1
    return greedy(reads, start)


def greedy(reads: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Give every column of color -1 the smallest color that no neighbor has.

    In each round, those columns without a color that come first in all of their rows
    choose at once. The more rows a column has, the earlier it comes; ties are broken
    in a fixed random order.
    """
    colors = np.array(start, np.int32)
    n = len(colors)
    if n and colors.min() >= 0:
        return colors
    there = np.ascontiguousarray((reads != NONE).T)  # rows last: quicker to reduce
    read = np.where(there, reads.T, 0)
    turn = _turns(read[there], n)[read]
    while True:
        waiting = colors < 0
        if not waiting.any():
            return colors
        asks = there & waiting[read]
        rows = asks.any(axis=0)
        if rows.mean() < _DONE:  # a row whose columns all have colors asks no more
            read, there, turn, asks = (a[:, rows] for a in (read, there, turn, asks))
        now = np.where(asks, turn, -1)
        chosen = waiting  # but for those that come later in one of their rows
        late = asks & (now < now.max(axis=0))
        chosen[read[late]] = False
        colors[chosen] = _free(read, there, colors, chosen)


def _turns(entries: np.ndarray, n: int) -> np.ndarray:
    """Number the columns in the order in which they choose, the last one first."""
    order = np.random.default_rng(0).permutation(n)
    turn = np.empty(n, np.int32)
    turn[np.lexsort((order, np.bincount(entries, minlength=n)))] = np.arange(n)
    return turn


def _free(
    read: np.ndarray, there: np.ndarray, colors: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Return the smallest color that no neighbor of the chosen columns has."""
    palette = int(colors.max(initial=-1)) + 2
    place = np.cumsum(chosen) - 1
    taken = np.zeros((int(chosen.sum()), palette), bool)
    at, row = np.nonzero(there & chosen[read])
    column = place[read[at, row]]
    for other, is_there in zip(read, there, strict=True):
        color = np.where(is_there, colors[other], -1)[row]
        has = color >= 0
        taken[column[has], color[has]] = True
    return np.argmin(taken, axis=1).astype(np.int32)
