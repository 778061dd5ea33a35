"""Gathers and scatters: where indices are known, boxes move; elsewhere they are joined.

Each axis of the operand is looked at by itself. Its index column may be known while
another one is not (`x[arange(n), labels]`), and an axis along which the box does not
change needs no index at all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode

from jnumerics.derivatives._dependence.boxes import (
    NONE,
    RULES,
    Box,
    Context,
    collapse,
    compact,
    expand,
    is_read_alike,
    join,
    minimum_at,
    present,
)
from jnumerics.derivatives._program.jaxpr import JaxprEqn, shape_of

MODES = (
    GatherScatterMode.CLIP,
    GatherScatterMode.FILL_OR_DROP,
    GatherScatterMode.PROMISE_IN_BOUNDS,
)


@dataclass(frozen=True)
class Places:
    """Which operand element each element of the slices is.

    Attributes:
        index: For each axis of the operand, its index as an array that broadcasts
            over the slices' axes; None where it is not known.
        outside: Which slices are known to be out of bounds; broadcasts likewise.
        is_certain: Whether all others are known to be within bounds.
    """

    index: list[np.ndarray | None]
    outside: np.ndarray
    is_certain: bool


def columns_of(indices: np.ndarray) -> list[np.ndarray]:
    """Divide an array of indices along its last axis."""
    return [np.asarray(indices[..., k]) for k in range(indices.shape[-1])]


def gather_places(
    eqn: JaxprEqn, columns: Sequence[np.ndarray | None], shape: Sequence[int]
) -> Places:
    """Read where each element of a gather's output comes from."""
    p, dn = eqn.params, eqn.params["dimension_numbers"]
    hidden = {*dn.collapsed_slice_dims, *dn.operand_batching_dims}
    window = [axis for axis in range(len(shape)) if axis not in hidden]
    is_clipped = p["mode"] != GatherScatterMode.FILL_OR_DROP
    return _places(
        shape,
        sizes=p["slice_sizes"],
        columns=_mapping(dn.start_index_map, columns),
        window_dims=_mapping(window, dn.offset_dims),
        batching=_mapping(dn.operand_batching_dims, dn.start_indices_batching_dims),
        result=shape_of(eqn.outvars[0]),
        is_clipped=is_clipped,
    )


def scatter_places(
    eqn: JaxprEqn, columns: Sequence[np.ndarray | None], shape: Sequence[int]
) -> Places:
    """Read where each element of a scatter's updates goes."""
    p, dn = eqn.params, eqn.params["dimension_numbers"]
    updates = shape_of(eqn.invars[2])
    hidden = {*dn.inserted_window_dims, *dn.operand_batching_dims}
    window = [axis for axis in range(len(shape)) if axis not in hidden]
    window_dims = _mapping(window, dn.update_window_dims)
    sizes = [
        updates[window_dims[k]] if k in window_dims else 1 for k in range(len(shape))
    ]
    return _places(
        shape,
        sizes=sizes,
        columns=_mapping(dn.scatter_dims_to_operand_dims, columns),
        window_dims=window_dims,
        batching=_mapping(dn.operand_batching_dims, dn.scatter_indices_batching_dims),
        result=updates,
        is_clipped=p["mode"] == GatherScatterMode.CLIP,
    )


def _mapping(axes: Sequence[Any], to: Sequence[Any]) -> dict[int, Any]:
    """Pair an operand's axes, which JAX may give as NumPy integers."""
    pairs = zip(axes, to, strict=True)
    return {int(a): b if isinstance(b, np.ndarray | None) else int(b) for a, b in pairs}


def _places(
    shape: Sequence[int],
    *,
    sizes: Sequence[int],
    columns: dict[int, np.ndarray | None],
    window_dims: dict[int, int],
    batching: dict[int, int],
    result: Sequence[int],
    is_clipped: bool,
) -> Places:
    """Read places from the columns of an index array, by operand axis.

    `result` is the shape of the slices: `window_dims` says which of its axes run within
    a slice, all others run over the slices, in the order of the index array's axes.
    """
    rank = len(result)
    over = [d for d in range(rank) if d not in window_dims.values()]
    outside, index, is_certain = np.zeros((1,) * rank, bool), [], True

    def ramp(d: int) -> np.ndarray:
        return np.arange(result[d]).reshape(-1, *(1,) * (rank - d - 1))

    for axis, (dim, size) in enumerate(zip(shape, sizes, strict=True)):
        offset = ramp(window_dims[axis]) if axis in window_dims else np.zeros((), int)
        if axis in batching:
            index.append(_full_rank(ramp(over[batching[axis]]), rank))
            continue
        start = columns.get(axis, np.zeros((1,) * len(over), int))
        if start is None or not is_read_alike(start, dim):
            # A window that fills the axis starts at 0, or is out of bounds.
            index.append(_full_rank(offset, rank) if size == dim else None)
            is_certain = is_certain and is_clipped
            continue
        start = start.astype(np.int64)
        start = compact(start, range(start.ndim), offset=0)
        spread = [1] * rank
        for d, length in zip(over, start.shape, strict=True):
            spread[d] = length
        start = start.reshape(spread)
        if not is_clipped:
            outside = outside | (start < 0) | (start > dim - size)
        start = np.clip(start, 0, max(dim - size, 0))
        index.append(_full_rank(np.asarray(start + offset), rank))
    return Places(index, np.asarray(outside), is_certain)


def _full_rank(index: np.ndarray, rank: int) -> np.ndarray:
    return index.reshape((1,) * (rank - index.ndim) + index.shape)


@RULES.rule(
    "gather",
    reads="dimension_numbers slice_sizes mode",
    ignores="unique_indices indices_are_sorted fill_value",
)
def _(context: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box] | None:
    box = boxes[0]
    if box is None or boxes[1] is not None or eqn.params["mode"] not in MODES:
        return None
    shape, rank = shape_of(eqn.invars[0]), len(shape_of(eqn.outvars[0]))
    places = gather_places(eqn, context.columns(eqn.invars[1]), shape)
    first = np.zeros((1,) * rank, np.int64)
    indices = []
    for axis, index in enumerate(places.index):
        if index is None:
            box = collapse(box, [axis])
        needed = index is not None and box.shape[axis + 1] != 1
        indices.append(index if needed else first)
    moved = box[(slice(None), *indices)] if indices else box.reshape(-1, *first.shape)
    if places.outside.any():
        moved = np.where(places.outside, NONE, moved)
    return [moved]


@RULES.rule(
    "scatter", "scatter-add", "scatter-sub", "scatter-mul", "scatter-min",
    "scatter-max",
    reads="dimension_numbers mode update_jaxpr",
    ignores="unique_indices indices_are_sorted update_consts",
)  # fmt: skip
def _(context: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box] | None:
    if len(boxes) != 3 or boxes[1] is not None or eqn.params["mode"] not in MODES:
        return None
    operand, _, updates = present(boxes, eqn.invars)
    shape = shape_of(eqn.invars[0])
    if 0 in (*shape, *shape_of(eqn.invars[2])):
        return [operand]
    places = scatter_places(eqn, context.columns(eqn.invars[1]), shape)
    scattered, covered = _scattered(updates, places, shape, shape_of(eqn.invars[2]))
    replaces = eqn.primitive.name == "scatter" and eqn.params["update_jaxpr"] is None
    if replaces and covered is not None:
        operand = np.where(covered, NONE, operand)
    return [join([operand, scattered])]


def _scattered(
    box: Box, places: Places, shape: Sequence[int], updates: Sequence[int]
) -> tuple[Box, np.ndarray | None]:
    """Put the updates' boxes where they go, and say which elements are surely hit.

    Where a slice may be out of bounds, and so be dropped as a whole, none is surely
    hit. The updates' axes are of three kinds: those that run along one axis of the
    operand (plain), those on which the index or the bounds depend, and the rest, over
    which boxes are joined.
    """
    by_axis = {k: i for k, i in enumerate(places.index) if i is not None}
    plain = _plain_axes(by_axis, places.outside, shape)
    indexed = {k: i for k, i in by_axis.items() if k not in plain}
    arrays = [*indexed.values(), places.outside]
    others = [d for d in range(len(updates)) if d not in plain.values()]
    needed = [d for d in others if any(i.shape[d] > 1 for i in arrays)]
    rest = [d for d in others if d not in needed]
    box = expand(collapse(box, rest), needed, updates)
    box = box.transpose(0, *(d + 1 for d in (*plain.values(), *needed, *rest)))
    leading = box.shape[: 1 + len(plain)]
    box = box.reshape(*leading, -1)

    spread = [size if d in needed else 1 for d, size in enumerate(updates)]
    number = np.zeros(spread, np.int64)
    for k, index in indexed.items():
        number = number * shape[k] + index
    inside = ~np.broadcast_to(places.outside, spread).ravel()
    sizes = [shape[k] for k in indexed]
    flat, hit = minimum_at(box[..., inside], number.ravel()[inside], math.prod(sizes))

    unknown = [k for k in range(len(shape)) if k not in by_axis]
    back = np.argsort([*plain, *indexed, *unknown]).astype(int)
    result = flat.reshape(*leading, *sizes, *(1,) * len(unknown))
    result = result.transpose(0, *(back + 1))
    if unknown or not places.is_certain:
        return result, None
    return result, hit.reshape(*(1,) * len(plain), *sizes).transpose(back)


def _plain_axes(
    by_axis: dict[int, np.ndarray], outside: np.ndarray, shape: Sequence[int]
) -> dict[int, int]:
    """Return the operand's axes that one axis of the updates runs along, whole."""
    plain = {}
    for axis, index in by_axis.items():
        varies = [d for d, length in enumerate(index.shape) if length > 1]
        is_whole = index.size == shape[axis] and len(varies) == 1
        if is_whole and np.array_equal(index.ravel(), np.arange(shape[axis])):
            others = [i for k, i in by_axis.items() if k != axis]
            if all(i.shape[varies[0]] == 1 for i in (*others, outside)):
                plain[axis] = varies[0]
    return plain
