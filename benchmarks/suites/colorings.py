"""What each kind of coloring is worth: the passes without it, and its time."""

import time
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from benchmarks._measure import Bench, at_least, at_most
from jnumerics.derivatives._modes.coloring import lattice
from jnumerics.derivatives._modes.coloring.greedy import greedy, repaired

Pattern = tuple[np.ndarray, tuple[int, ...]]  # reads of every row, and the grid
STAR = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]
SQUARE = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]


def colorings(bench: Bench) -> None:
    """Colors and time of one kind alone, over those of all kinds together."""
    for name, make in CASES.items():
        reads, shape = make(20 if bench.is_quick else 100)
        ours, ours_s = _timed(partial(lattice.color, reads, [shape]))
        for kind, run in KINDS.items():
            n, seconds = _timed(partial(run, reads, shape))
            bench.report(f"{name}: {kind}, colors", at_least(1), n / ours)
            bench.report(f"{name}: {kind}, time", None, seconds / ours_s)


def large(bench: Bench) -> None:
    """Color a star of seven points on a periodic cube of a million cells.

    The pattern is given: the proof that a plan makes of it comes on top.
    """
    n = 20 if bench.is_quick else 100
    cells = np.indices((n, n, n))
    steps = [(0, 0, 0), *(tuple(s * e) for e in np.eye(3, dtype=int) for s in (1, -1))]
    around = [[(c + s) % n for c, s in zip(cells, step, strict=True)] for step in steps]
    reads = np.stack([np.ravel_multi_index(at, (n, n, n)).ravel() for at in around], 1)
    reads.sort(axis=1)
    start = time.perf_counter()
    colors = lattice.color(reads, [(n, n, n)])
    seconds = time.perf_counter() - start
    if any(np.diff(np.sort(colors[reads], axis=1), axis=1).min(axis=1) == 0):
        msg = "no row may read a color twice"
        raise ArithmeticError(msg)
    bench.report(
        f"coloring a periodic {n} x {n} x {n} star",
        at_most(5, "s"),
        seconds,
        f"{int(colors.max()) + 1} colors, of at least 7",
    )


def _timed(run: Callable[[], np.ndarray]) -> tuple[int, float]:
    """Return the number of colors, and the least of three processor times."""
    times = []
    for _ in range(3):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return int(run().max()) + 1, min(times)


def _greedy(reads: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return greedy(reads, np.full(int(np.prod(shape)), -1))


def _residues(reads: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Color by the index modulo the pattern's extent, and repair what is wrong."""
    index = np.stack(np.unravel_index(reads, shape))
    widths = [int(np.ptp(axis, axis=1).max()) + 1 for axis in index]
    return repaired(reads, lattice.residues([shape], [widths]))


def _stencil(offsets: list[tuple[int, int]], *, periodic: bool, flat: bool) -> Callable:
    def make(n: int) -> Pattern:
        inner = np.indices((n, n) if periodic else (n - 2, n - 2)).reshape(2, -1)
        at = [inner + 1 + np.array(offset)[:, None] for offset in offsets]
        columns = [i % n * n + j % n for i, j in at]
        reads = np.sort(np.stack(columns, 1), axis=1)
        return reads, (n * n,) if flat else (n, n)

    return make


def _scattered(n: int) -> Pattern:
    """Five random columns in each row."""
    rng = np.random.default_rng(0)
    columns = [rng.choice(n * n, 5, replace=False) for _ in range(n * n)]
    return np.sort(np.stack(columns), axis=1), (n * n,)


def _ring(n: int) -> Pattern:
    """Three neighbors on a ring."""
    near = np.arange(n * n)[:, None] + np.array([-1, 0, 1])
    return np.sort(near % (n * n), axis=1), (n * n,)


KINDS: Mapping[str, Callable] = {"residues": _residues, "greedy": _greedy}
CASES: Mapping[str, Callable[[int], Pattern]] = {
    "five-point star": _stencil(STAR, periodic=False, flat=False),
    "the same, rows end to end": _stencil(STAR, periodic=False, flat=True),
    "the same, periodic": _stencil(STAR, periodic=True, flat=False),
    "3x3 convolution": _stencil(SQUARE, periodic=False, flat=False),
    "the same, periodic, rows end to end": _stencil(SQUARE, periodic=True, flat=True),
    "three-point ring": _ring,
    "five random columns": _scattered,
}
PROMISES: Mapping[str, Callable[[Bench], None]] = {"coloring_large": large}
BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    **PROMISES,
    "colorings": colorings,
}
