"""How answers are compared with the truth: by entries, by boxes, by samples."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.fuzz.programs.program import Program, walk

REFUSALS = (TypeError, ValueError, NotImplementedError)


def tolerance_of(program: Program) -> float:
    """Return how much an entry may differ, relative to the largest."""
    dtypes = [dtype for _, dtype in program.leaves]
    dtypes += [getattr(s, "dtype", "") for s in walk(program.statements)]
    is_single = (
        not {"float32", "complex64"}.isdisjoint(dtypes) or "float32" in program.body()
    )
    return 2e-3 if is_single else 1e-7


def differs(actual: Sequence[Any], expected: Sequence[Any], tolerance: float) -> str:
    """Say where blocks differ, "" where they do not."""
    if len(actual) != len(expected):
        return f"{len(actual)} blocks, not {len(expected)}"
    for k, (x, y) in enumerate(zip(actual, expected, strict=True)):
        if np.shape(x) != np.shape(y):
            return f"block {k}: shape {np.shape(x)}, not {np.shape(y)}"
        error = np.abs(np.asarray(x) - y)
        allowed = tolerance * (1 + np.max(np.abs(y), initial=0))
        if not (error <= allowed).all():
            worst = np.argmax(np.nan_to_num(error, nan=np.inf))
            at = tuple(map(int, np.unravel_index(worst, error.shape)))
            return f"block {k} at {at}: {np.asarray(x)[at]:.6g}, not {y[at]:.6g}"
    return ""


def outside(
    block: Any, lower: Any, upper: Any, depends: Any, tolerance: float
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return an entry that is not zero and outside of its box."""
    rank = depends.ndim
    scale = 1 + np.max(np.abs(block), initial=0)
    for place in np.argwhere(np.abs(block) > tolerance * scale):
        out, at = tuple(map(int, place[:rank])), place[rank:]
        inside = depends[out] and (lower[out] <= at).all() and (at <= upper[out]).all()
        if not inside:
            return out, tuple(map(int, at))
    return None


def mixes(block: Any, axes: tuple[int, int], out_rank: int, tolerance: float) -> bool:
    """Whether an entry stands between samples."""
    moved = np.moveaxis(block, (axes[1], out_rank + axes[0]), (0, 1))
    scale = 1 + np.max(np.abs(block), initial=0)
    between = moved[~np.eye(len(moved), dtype=bool)]
    return bool((np.abs(between) > tolerance * scale).any())


def own_blocks(
    blocks: Sequence[Sequence[Any]], axes: tuple[int, int], ranks: Sequence[int]
) -> list[Any]:
    """Return each sample's own block, for each pair of leaves."""
    own = []
    for row, rank in zip(blocks, ranks, strict=True):
        for block in row:
            moved = np.moveaxis(block, (axes[1], rank + axes[0]), (0, 1))
            n = np.arange(len(moved))
            own.append(moved[n, n])
    return own


def matrix(blocks: Sequence[Sequence[Any]]) -> Any:
    """Return a square Jacobian as one matrix, its leaves laid end to end."""
    sizes = [math.isqrt(row[k].size) for k, row in enumerate(blocks)]
    rows = [
        np.concatenate([b.reshape(m, n) for b, n in zip(row, sizes, strict=True)], 1)
        for row, m in zip(blocks, sizes, strict=True)
    ]
    return np.concatenate(rows) if rows else np.zeros((0, 0))


def diagonals(blocks: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the diagonal of each leaf's own block."""
    own = [row[k] for k, row in enumerate(blocks)]
    shapes = [b.shape[: b.ndim // 2] for b in own]
    return [
        np.diagonal(b.reshape([int(np.prod(s, dtype=int))] * 2)).reshape(s)
        for b, s in zip(own, shapes, strict=True)
    ]
