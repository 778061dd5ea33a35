"""Greedy coloring of any pattern, and the repair of a coloring that is nearly valid.

Each column takes the smallest color that no column has that a row reads together with
it. Patterns are arrays of `reads`, as in `lattice`.

Reference:
    M. T. Jones and P. E. Plassmann, "A parallel graph coloring heuristic", SIAM J. Sci.
    Comput. 14 (1993).
"""

import numpy as np

from jnumerics.derivatives._dependence.boxes import NONE


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
    inside = reads != NONE
    index = np.where(inside, reads, 0)
    order = np.random.default_rng(0).permutation(n)
    entries = np.bincount(index[inside], minlength=n)
    rank = np.empty(n, np.int64)
    rank[np.lexsort((order, entries))] = np.arange(n)
    while True:
        waiting = colors < 0
        if not waiting.any():
            return colors
        rows = np.flatnonzero((inside & waiting[index]).any(axis=1))
        read = index[rows]
        asks = inside[rows] & waiting[read]
        turn = np.where(asks, rank[read], -1)
        late = asks & (turn < turn.max(axis=1, keepdims=True))
        chosen = waiting.copy()
        chosen[read[late]] = False
        colors[chosen] = _free(read, inside[rows], colors, chosen)


def _free(
    read: np.ndarray, inside: np.ndarray, colors: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Return the smallest color that no neighbor of the chosen columns has."""
    palette = int(colors.max(initial=-1)) + 2
    place = np.cumsum(chosen) - 1
    taken = np.zeros((int(chosen.sum()), palette), bool)
    row, at = np.nonzero(inside & chosen[read])
    column = place[read[row, at]]
    neighbors = np.where(inside[row], colors[read[row]], -1)
    entry, other = np.nonzero(neighbors >= 0)
    taken[column[entry], neighbors[entry, other]] = True
    return np.argmin(taken, axis=1).astype(np.int32)
