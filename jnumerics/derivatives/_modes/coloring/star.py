"""Star coloring of a symmetric Jacobian, each entry read off on either side.

An entry of a symmetric matrix stands twice: in column j at row i, and in column i at
row j. So the sum of a class' columns need not show all of its members' entries alone:
it is enough that of each pair i, j one is seen, H_ij where no other member of j's class
meets row i, or H_ji where no other member of i's class meets row j (Coleman and Moré).
In the graph of the entries that is a coloring in which neighbors differ and every path
of four vertices has three colors: edges between two colors then form stars, and each
edge is read at its leaf. An arrow's head is one color, all else the other:

    x x x x      colors 0 1 1 1      row 0: H_00 of color 0
    x x          H_i0 of color 0, at row i; H_0i is the same
    x   x        H_ii of color 1, at row i
    x     x

Inputs without an entry of their own (H_ii = 0) whose class is never read take no pass.
A coloring is proposed greedily, in time that is linear in the entries; `_readings`
proves it, entry by entry.

Reference:
    T. F. Coleman and J. J. Moré, "Estimation of sparse Hessian matrices and graph
    coloring problems", Math. Programming 28 (1984).
    A. H. Gebremedhin, A. Tarafdar, F. Manne and A. Pothen, "New acyclic and star
    coloring algorithms with application to computing Hessians", SIAM J. Sci. Comput. 29
    (2007).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jnumerics.derivatives._modes.coloring.compress import Compression
from jnumerics.derivatives._modes.coloring.detect import unflatten

LIMIT = 1 << 21  # entries of a pattern that is colored: it takes seconds


class Pattern(NamedTuple):
    """The entries of a symmetric matrix, both of each pair, in the order of rows."""

    n: int
    rows: np.ndarray
    columns: np.ndarray


class Readings(NamedTuple):
    """For each entry the color whose pass holds it, and the row at which it stands."""

    passes: np.ndarray
    places: np.ndarray


def star(
    compression: Compression,
    numbers: np.ndarray,
    shapes: Sequence[tuple[int, ...]],
    *,
    is_transposed: bool,
    limit: int,
) -> Compression | None:
    """Color the inputs of a symmetric Jacobian with fewer colors than `limit`.

    Args:
        compression: A proven compression of it.
        numbers: For each output, in order, the input whose row it is. Other inputs have
            rows, so columns, of zeros.
        shapes: Of the inputs.
        is_transposed: Whether the compression is that of the transposed program.
        limit: More colors than needed.
    """
    n = sum(int(np.prod(shape, dtype=int)) for shape in shapes)
    pattern = _symmetric(compression, numbers, n, is_transposed=is_transposed)
    if pattern is None:
        return None
    best = None
    for order in _orders(pattern):
        colors = _greedy(pattern, order, 2 * limit if _may_idle(pattern) else limit - 1)
        colors = None if colors is None else _without_idle(pattern, colors)
        readings = None if colors is None else _readings(pattern, colors)
        if (
            colors is not None
            and readings is not None
            and int(colors.max()) + 1 < limit
        ):
            limit, best = int(colors.max()) + 1, (colors, readings)
    if best is None:
        return None
    colors, readings = best
    positions = np.full(n, -1, np.int32)
    positions[numbers] = np.arange(len(numbers), dtype=np.int32)
    return Compression(
        colors=unflatten(colors, shapes),
        n_colors=limit,
        rows=positions[pattern.rows],
        columns=pattern.columns,
        passes=readings.passes,
        unproven=np.zeros(0, np.int32),
        mirrored=positions[readings.places],
    )


def _symmetric(
    compression: Compression, numbers: np.ndarray, n: int, *, is_transposed: bool
) -> Pattern | None:
    """Return the entries that may be nonzero on both sides.

    What a row that is not proven reads, its column shows; between two such rows, all
    entries are taken to be there.
    """
    rows, columns, unproven = (
        compression.rows,
        compression.columns,
        compression.unproven,
    )
    if is_transposed:
        columns = numbers[columns]
        unproven = np.intersect1d(unproven, numbers)
    else:
        rows, unproven = numbers[rows], numbers[unproven]
    if len(rows) + len(unproven) ** 2 > LIMIT:
        return None
    is_proven = np.ones(n, bool)
    is_proven[unproven] = False
    keys = np.sort(rows.astype(np.int64) * n + columns)
    i, j = np.divmod(keys, n)
    images = j * n + i
    has_image = np.append(keys, -1)[np.searchsorted(keys, images)] == images
    keys = keys[has_image | ~is_proven[j]]
    if len(unproven):
        across = images[~is_proven[j]]
        between = np.add.outer(unproven.astype(np.int64) * n, unproven).ravel()
        keys = np.sort(np.concatenate([keys, across, between]))
    i, j = np.divmod(keys, n)
    return Pattern(n, i.astype(np.int32), j.astype(np.int32))


def _may_idle(pattern: Pattern) -> bool:
    """Whether an input with entries has none of its own."""
    is_own = pattern.rows == pattern.columns
    return int((np.bincount(pattern.rows) > 0).sum()) > int(is_own.sum())


def _orders(pattern: Pattern) -> list[np.ndarray]:
    """Return orders in which to color: many neighbors first, and as they are."""
    natural = np.arange(pattern.n)
    degrees = np.bincount(pattern.rows, minlength=pattern.n)
    return [np.argsort(-degrees, kind="stable"), natural]


def _greedy(pattern: Pattern, order: np.ndarray, limit: int) -> np.ndarray | None:
    """Give each vertex the least color that leaves every path of four three colors.

    Sets of colors are the bits of an integer. For a vertex v, `seen` are the colors of
    its neighbors, `twice` those of at least two of them, and `closed` the colors of
    neighbors x that have two neighbors of v's own color: a neighbor of v in the color
    of x would be the end of a path of two colors.
    """
    beside = pattern.rows != pattern.columns
    ends = np.searchsorted(pattern.rows[beside], np.arange(pattern.n + 1)).tolist()
    neighbors = pattern.columns[beside].tolist()
    n = pattern.n
    color, seen, twice, closed = [-1] * n, [0] * n, [0] * n, [0] * n
    first: dict[tuple[int, int], int] = {}
    for v in order.tolist():
        around = neighbors[ends[v] : ends[v + 1]]
        taken, doubled = seen[v], twice[v]
        for w in around:
            if color[w] >= 0:
                taken |= seen[w] if doubled >> color[w] & 1 else closed[w]
        c = (~taken & (taken + 1)).bit_length() - 1
        if c >= limit:
            return None
        color[v], bit = c, 1 << c
        for u in around:
            if not seen[u] & bit:
                seen[u] |= bit
                first[u, c] = v
            elif color[u] < 0:
                twice[u] |= bit
            else:
                closed[v] |= 1 << color[u]
                if not twice[u] & bit:
                    twice[u] |= bit
                    closed[first[u, c]] |= 1 << color[u]
            if color[u] >= 0 and doubled >> color[u] & 1:
                closed[u] |= bit
    return np.array(color, np.int32)


def _without_idle(pattern: Pattern, colors: np.ndarray) -> np.ndarray:
    """Take the color from classes that nothing need be read of: then -1.

    Such a class has no entries on the diagonal, and of each member's neighbors, all of
    another color, none shares that with another neighbor: their columns show all.
    """
    rows, columns = pattern.rows, pattern.columns
    count = int(colors.max(initial=-1)) + 1
    needed = np.zeros(count, bool)
    needed[colors[rows[rows == columns]]] = True
    _, again = _met(pattern, colors)
    needed[colors[rows[again > 1]]] = True
    for idle in np.flatnonzero(~needed)[::-1]:
        if needed[idle]:
            continue
        mine = colors[rows] == idle
        needed[colors[columns[mine]]] = True
    renumbered = np.append(np.where(needed, np.cumsum(needed) - 1, -1), -1)
    return renumbered[colors].astype(np.int32)


def _met(pattern: Pattern, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each entry's color, and how many of its row's entries have that color."""
    own = colors[pattern.columns]
    keys = pattern.rows.astype(np.int64) * (int(colors.max(initial=0)) + 2) + own + 1
    _, place, times = np.unique(keys, return_inverse=True, return_counts=True)
    return own, times[place]


def _readings(pattern: Pattern, colors: np.ndarray) -> Readings | None:
    """Say where each entry is read: alone in its row of its color's pass, or mirrored.

    None where an entry is alone on neither side: the coloring is not valid.
    """
    own, times = _met(pattern, colors)
    alone = (own >= 0) & (times == 1)
    mirror = np.lexsort((pattern.rows, pattern.columns))  # of each entry, its image
    if not (alone | alone[mirror]).all():
        return None
    passes = np.where(alone, own, own[mirror])
    places = np.where(alone, pattern.rows, pattern.columns)
    return Readings(passes.astype(np.int32), places.astype(np.int32))
