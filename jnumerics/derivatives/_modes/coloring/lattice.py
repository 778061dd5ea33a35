"""Color a sparsity pattern: no two columns that a row reads get the same color.

A pattern is an array of `reads`: for every row its columns in ascending order, padded
with `NONE`. In a regular pattern, all rows read columns that differ by the same few
vectors on the inputs' grid. Three kinds of coloring are tried:

- **residues**: the index modulo the pattern's extent along each axis; on a ring, the
  position within runs of nearly that length;
- **a lattice**: (a . index) mod m, for the smallest m with multipliers a such that
  (a . difference) mod m is never 0; where the rows of a grid were laid end to end, the
  index is first divided by the length of a row, which the differences show;
- **greedy** (`greedy`): each column in turn takes the smallest color that no neighbor
  has.

Nothing here is trusted: `compress` proves what it uses. What each kind is worth is
measured by the benchmark `colorings`: without lattices a star takes more passes, which
take longer to find; patterns without order have greedy colorings only.

Reference:
    A. R. Curtis, M. J. D. Powell and J. K. Reid, "On the estimation of sparse Jacobian
    matrices", IMA J. Appl. Math. 13 (1974), for residues.
    D. Goldfarb and Ph. L. Toint, "Optimal estimation of Jacobian and Hessian matrices
    that arise in finite difference calculations", Math. Comp. 43 (1984), for lattices.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jnumerics.derivatives._dependence.boxes import NONE
from jnumerics.derivatives._modes.coloring.greedy import (
    conflicts,
    greedy,
    repaired,
    trimmed,
)

FREQUENT = 0.05  # occurrences for each row, from which a difference is usual
_MOST_PAIRS = 1 << 18  # pairs of columns that are compared in distinct rows
_MOST_DIFFERENCES = 1024  # a pattern with more is irregular
_LATTICE_WORK = 1 << 21  # products of multipliers and differences
_GOOD = 1.25  # colors, over entries of the longest row, that are good enough
_SMALL = 1 << 12  # entries up to which a pattern is searched for the fewest colors
_LARGE = 1 << 20  # entries from which repairs and greedy colorings take seconds
_REGULAR = 1.5  # as `_GOOD`, of a large pattern's coloring that needs no repair
_DIVISIONS = 2  # times that an axis is taken for rows laid end to end


class Grid(NamedTuple):
    """Coordinates of every input element: the leaf, then its axes."""

    sizes: tuple[int, ...]
    axes: list[np.ndarray]

    @classmethod
    def from_shapes(cls, shapes: Sequence[Sequence[int]]) -> "Grid":
        """Lay out leaves of the given shapes, without axes of length 1."""
        rank = max(1, *(len(shape) for shape in shapes))
        parts = [
            np.indices((1,) * (rank - len(shape)) + tuple(shape), np.int64)
            for shape in shapes
        ]
        flat = [part.reshape(rank, -1) for part in parts]
        leaf = np.repeat(np.arange(len(shapes)), [part.shape[1] for part in flat])
        axes = [leaf, *np.concatenate(flat, axis=1)]
        sizes = [int(axis.max(initial=0)) + 1 for axis in axes]
        extended = [k for k, size in enumerate(sizes) if size > 1] or [0]
        return cls(tuple(sizes[k] for k in extended), [axes[k] for k in extended])

    def divide(self, axis: int, length: int) -> "Grid":
        """Divide an axis into rows of the given length."""
        quotient, remainder = np.divmod(self.axes[axis], length)
        new = [*self.axes[:axis], quotient, remainder, *self.axes[axis + 1 :]]
        return Grid(tuple(int(a.max(initial=0)) + 1 for a in new), new)

    def code(self) -> tuple[np.ndarray, np.ndarray]:
        """Number the elements such that differences of numbers tell the vectors."""
        radix = np.cumprod([1, *(2 * size for size in self.sizes[:0:-1])])[::-1]
        return np.dot(radix, np.stack(self.axes)), radix

    def vectors(self, codes: np.ndarray, radix: np.ndarray) -> np.ndarray:
        """Return the difference vectors (len(codes), axes) of differences of codes."""
        rest = codes + np.dot(radix, self.sizes)
        parts = []
        for size, r in zip(self.sizes, radix, strict=True):
            digit, rest = np.divmod(rest, r)
            parts.append(digit - size)
        return np.stack(parts, axis=1)


def residues(
    shapes: Sequence[Sequence[int]], widths: Sequence[Sequence[int]]
) -> np.ndarray:
    """Color by the index modulo a width along each axis, each leaf by itself."""
    parts, start = [], 0
    for shape, width in zip(shapes, widths, strict=True):
        shape = tuple(shape) or (1,)
        total = np.zeros(shape, np.int32)
        for axis, modulus in zip(np.indices(shape, sparse=True), width, strict=True):
            total = total * modulus + axis.astype(np.int32) % modulus
        parts.append(total.ravel() + start)
        start += math.prod(width)
    return np.concatenate(parts)


def color(
    reads: np.ndarray,
    shapes: Sequence[Sequence[int]],
    initial: np.ndarray | None = None,
    *,
    thorough: bool = True,
) -> np.ndarray:
    """Color the columns of a pattern with few colors.

    Args:
        reads: The pattern, (rows, entries).
        shapes: The shapes of the inputs, whose elements are the columns.
        initial: A coloring to improve; it need not be valid.
        thorough: Whether the greedy coloring is tried too, if the best is not good.

    Returns:
        The color of each column, from 0 without gaps; -1 where no row reads it.
    """
    reads = trimmed(reads)
    used = np.zeros(sum(math.prod(shape) for shape in shapes), bool)
    used[reads[reads != NONE]] = True
    if not used.any():
        return np.full(len(used), -1, np.int32)
    fewest = reads.shape[1]
    candidates = []
    for proposal in _proposals(reads, shapes, initial):
        count, colors = _dense(proposal, used)
        # Fewer colors than a row has entries cannot be valid, and take long to repair.
        candidates.append((count < fewest, count, len(candidates), colors))
        if count == fewest and proposal is not initial:
            break
    ranked = sorted(candidates, key=lambda item: item[:3])
    if reads.size > _LARGE:
        for is_wrong, count, _, colors in ranked:
            if is_wrong or count > _REGULAR * fewest + 1:
                break
            if not conflicts(reads, colors).any():
                return np.where(used, colors, -1).astype(np.int32)
    count, best = len(used) + 1, None
    good = fewest if reads.size <= _SMALL else _GOOD * fewest + 1
    for is_wrong, proposed, _, colors in ranked:
        if proposed < count and not (is_wrong and count <= good):
            valid = repaired(reads, colors)
            if int(valid.max()) + 1 < count:
                count, best = int(valid.max()) + 1, valid
    if best is None or (thorough and count > good):
        colors = greedy(reads, np.where(used, -1, 0))
        best = colors if int(colors.max()) + 1 < count else best
    return np.where(used, best, -1).astype(np.int32)


def _dense(colors: np.ndarray, used: np.ndarray) -> tuple[int, np.ndarray]:
    """Number the colors of the used columns without gaps; the others get 0."""
    there = np.bincount(colors[used] + 1)[1:] > 0
    numbers = np.append(np.cumsum(there) - 1, -1)
    return int(there.sum()), np.where(used, numbers[np.where(used, colors, 0)], 0)


def _proposals(
    reads: np.ndarray, shapes: Sequence[Sequence[int]], initial: np.ndarray | None
) -> Iterator[np.ndarray]:
    if initial is not None:
        yield initial
    yield from _regular(reads, Grid.from_shapes(shapes))


def _regular(reads: np.ndarray, grid: Grid) -> Iterator[np.ndarray]:
    """Propose colorings from the differences between columns read together."""
    fewest = reads.shape[1]
    for _ in range(_DIVISIONS + 1):
        every, times = _differences(reads, grid)
        if not len(every):
            yield np.zeros(len(grid.axes[0]), np.int64)
        usual = every[times >= FREQUENT * len(reads)]
        for differences in (every, usual):
            if not 0 < len(differences) <= _MOST_DIFFERENCES:
                continue
            periodic = [_residues(grid, differences, ring=r) for r in (False, True)]
            yield from periodic
            least = min(int(colors.max()) for colors in periodic) + 1
            lattice = _lattice(grid, differences, fewest, least)
            if lattice is not None:
                yield lattice
            if len(usual) == len(every):
                break
        longer = _divide(grid, usual)
        if longer is None:
            return
        grid = longer


def _differences(reads: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors between columns read together, and how many rows have each.

    Of each vector and its negative, one is returned. Rows that differ by a shift are
    looked at once; where there are too many others, only some of them.
    """
    code, radix = grid.code()
    inside = reads != NONE
    codes = code[np.where(inside, reads, 0)]
    outside = int(NONE) << 32
    offsets = np.where(inside, codes - codes[:, :1], outside)
    factors = np.random.default_rng(0).integers(1, 1 << 62, reads.shape[1]) | 1
    kind = offsets @ factors  # modulo 2^64: equal for equal offsets
    _, first, counts = np.unique(kind, return_index=True, return_counts=True)
    early, late = np.triu_indices(reads.shape[1], 1)
    step = 1 + len(first) * len(early) // _MOST_PAIRS
    patterns, counts = offsets[first[::step]], counts[::step] * step
    both = patterns[:, late] != outside
    distances = np.abs(patterns[:, late] - patterns[:, early])[both]
    rows = np.broadcast_to(counts[:, None], both.shape)[both]
    codes, place = np.unique(distances, return_inverse=True)
    return grid.vectors(codes, radix), np.bincount(place, rows, len(codes))


def _residues(grid: Grid, differences: np.ndarray, ring: bool) -> np.ndarray:
    """Color by the position within runs as long as the pattern, along each axis.

    With `ring`, each axis is a ring: distances are measured the short way around, and
    where the length of a run does not divide the ring, runs are a little longer, as
    evenly as possible.
    """
    total = np.zeros(len(grid.axes[0]), np.int64)
    for size, axis, along in zip(grid.sizes, grid.axes, differences.T, strict=True):
        reach = np.abs(along)
        width = int(np.minimum(reach, size - reach).max() if ring else reach.max()) + 1
        place = axis % width
        if ring:
            runs = size // width
            run = (axis * runs + runs - 1) // size
            start = run * size // runs
            place = axis - start
        total = total * (int(place.max(initial=0)) + 1) + place
    return total


def _lattice(
    grid: Grid, differences: np.ndarray, fewest: int, limit: int
) -> np.ndarray | None:
    """Color by (a . index) mod m, for the smallest valid m below the limit."""
    moving = np.flatnonzero(differences.any(axis=0))
    steps = differences[:, moving].astype(np.int32)
    moduli = range(fewest, min(2 * fewest + 8, limit))
    tries = 1 + _LATTICE_WORK // (len(steps) * max(len(moduli), 1))
    for m in moduli:
        a = _multipliers(m, len(moving), tries)
        valid = ((a @ (steps % m).T) % m != 0).all(axis=1)
        if valid.any():
            chosen = a[np.argmax(valid)]
            return np.dot(chosen, np.stack([grid.axes[k] for k in moving])) % m
    return None


def _multipliers(m: int, axes: int, limit: int) -> np.ndarray:
    """Return all vectors modulo m, or a fixed random sample of them."""
    if m**axes <= limit:
        return np.indices((m,) * axes, np.int32).reshape(axes, -1).T
    return np.random.default_rng(m).integers(0, m, (limit, axes), np.int32)


def _divide(grid: Grid, differences: np.ndarray) -> Grid | None:
    """Divide the longest axis into rows, if the differences show a row's length."""
    if not 0 < len(differences) <= _MOST_DIFFERENCES:
        return None
    axis = int(np.argmax(np.abs(differences).max(axis=0)))
    reach = np.unique(np.abs(differences[:, axis]))
    lengths = reach[reach >= 4]
    if not len(lengths):
        return None
    rest = reach[:, None] % lengths
    apart = np.minimum(rest, lengths - rest).sum(axis=0)
    return grid.divide(axis, int(lengths[np.argmin(apart)]))
