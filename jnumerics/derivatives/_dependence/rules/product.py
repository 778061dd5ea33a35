"""Products: dot_general, and convolutions with the tangent on either side.

Where a matrix is known, nothing is read at its zeros: zero times a tangent is zero.
That holds for finite tangents; for others JAX's own passes give NaN.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jnumerics.derivatives._dependence.boxes import (
    NONE,
    RULES,
    Box,
    Context,
    along,
    collapse,
    compact,
    expand,
    is_read_alike,
    join,
    minimum_at,
)
from jnumerics.derivatives._dependence.rules.window import windowed
from jnumerics.derivatives._program.jaxpr import JaxprEqn, shape_of

MOST_READS = 1 << 25  # box entries that are picked one by one
MOST_KNOWN = 1 << 22  # entries of a matrix that is looked at


@RULES.rule(
    "dot_general",
    reads="dimension_numbers",
    ignores="precision preferred_element_type out_sharding",
)
def _(context: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    ranks = [len(shape_of(v)) for v in eqn.invars]
    dims = eqn.params["dimension_numbers"]
    sides = [(k, box) for k, box in enumerate(boxes) if box is not None]
    if len(sides) == 1:
        joined = _by_entries(context, eqn, *sides[0])
        if joined is not None:
            return [joined]
    return [join(one_side(box, k, dims, ranks) for k, box in sides)]


def _by_entries(context: Context, eqn: JaxprEqn, side: int, box: Box) -> Box | None:
    """Join only what the nonzero entries of the other side meet, where it is known.

    None where that gains nothing, or takes too long.
    """
    contracted, batch = eqn.params["dimension_numbers"]
    other = eqn.invars[1 - side]
    if all(box.shape[axis + 1] == 1 for axis in contracted[side]):
        return None
    if math.prod(shape_of(other)) > MOST_KNOWN:
        return None
    reads = context.nonzero(other)
    if reads is None or reads.all():
        return None
    free = _free_axes(eqn)
    reads = reads.transpose(*batch[1 - side], *free[1 - side], *contracted[1 - side])
    shape = shape_of(eqn.invars[side])
    box = expand(box, [*batch[side], *contracted[side]], shape)
    order = [*free[side], *batch[side], *contracted[side]]
    box = box.transpose(0, *(axis + 1 for axis in order))
    leading = box.shape[: 1 + len(free[side])]
    if max(math.prod(leading) * int(reads.sum()), box.size) > MOST_READS:
        return None
    n_batch, n_free = len(batch[0]), len(free[1 - side])
    made = _picked(box.reshape(*leading, -1), reads, n_batch, n_free)
    made = made.reshape(*leading, *reads.shape[: n_batch + n_free])
    own = list(range(len(free[side])))
    shared = [len(own) + k for k in range(n_batch)]
    others = [len(own) + n_batch + k for k in range(n_free)]
    made = compact(made, (*shared, *others))
    axes = (*shared, *own, *others) if side == 0 else (*shared, *others, *own)
    return made.transpose(0, *(axis + 1 for axis in axes))


def _picked(box: Box, reads: np.ndarray, n_batch: int, n_free: int) -> Box:
    """Join along the last axis (batch, contracted) to (batch, free) of the matrix."""
    groups = math.prod(reads.shape[:n_batch])
    rows = math.prod(reads.shape[n_batch : n_batch + n_free])
    cells = reads.reshape(groups, rows, -1)
    group, row, column = cells.nonzero()
    picked = box[..., group * cells.shape[2] + column]
    return minimum_at(picked, group * rows + row, groups * rows)[0]


def _free_axes(eqn: JaxprEqn) -> list[list[int]]:
    """Return the axes of each side that are neither contracted nor of the batch."""
    contracted, batch = eqn.params["dimension_numbers"]
    ranks = [len(shape_of(v)) for v in eqn.invars]
    return [
        [k for k in range(rank) if k not in contracted[n] and k not in batch[n]]
        for n, rank in enumerate(ranks)
    ]


def one_side(box: Box, side: int, dims: Any, ranks: Sequence[int]) -> Box:
    """Pass the boxes of the left (0) or right (1) side of a product."""
    contracted, batch = dims
    free = [
        [k for k in range(rank) if k not in contracted[n] and k not in batch[n]]
        for n, rank in enumerate(ranks)
    ]
    order = [*batch[side], *free[side], *contracted[side]]
    n_outer = len(batch[side]) + len(free[side])
    moved = collapse(box, contracted[side]).transpose(0, *(k + 1 for k in order))
    shape = moved.shape[: n_outer + 1]
    at = n_outer + 1 if side == 0 else 1 + len(batch[side])
    return moved.reshape(*shape[:at], *(1 for _ in free[1 - side]), *shape[at:])


@RULES.rule(
    "conv_general_dilated",
    reads="window_strides padding lhs_dilation rhs_dilation dimension_numbers "
    "feature_group_count batch_group_count",
    ignores="precision preferred_element_type",
)
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    lhs, rhs = boxes
    parts = [] if lhs is None else [_conv_of_image(eqn, lhs)]
    parts += [] if rhs is None else [_conv_of_kernel(eqn, rhs)]
    order = np.argsort(eqn.params["dimension_numbers"].out_spec)
    return [join(parts).transpose(0, *(order + 1))]


def _canonical(eqn: JaxprEqn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes (batch, feature, *space) and (out, in, *space)."""
    spec = eqn.params["dimension_numbers"]
    lhs, rhs = (shape_of(v) for v in eqn.invars)
    return tuple(lhs[k] for k in spec.lhs_spec), tuple(rhs[k] for k in spec.rhs_spec)


def _conv_of_image(eqn: JaxprEqn, box: Box) -> Box:
    """Pass the image's boxes: a window in space, the features of a group joined."""
    p, (image, kernel) = eqn.params, _canonical(eqn)
    box = box.transpose(0, *(k + 1 for k in p["dimension_numbers"].lhs_spec))
    n_out = kernel[0]
    if box.shape[2] == 1 or p["feature_group_count"] == 1:
        box = collapse(box, [1])
    else:
        groups = p["feature_group_count"]
        parted = box.reshape(*box.shape[:2], groups, -1, *box.shape[3:])
        box = parted.min(axis=3, initial=NONE).repeat(n_out // groups, axis=2)
    if box.shape[1] != 1 and p["batch_group_count"] != 1:
        groups = p["batch_group_count"]
        parted = box.reshape(len(box), groups, -1, *box.shape[2:])
        parted = np.moveaxis(parted, 1, 2).reshape(len(box), -1, groups, *box.shape[3:])
        box = parted.repeat(n_out // groups, axis=2)
    for k, (low, high) in enumerate(p["padding"]):
        box = windowed(
            box,
            k + 2,
            image[k + 2],
            window=kernel[k + 2],
            stride=int(p["window_strides"][k]),
            low=int(low),
            high=int(high),
            base=int(p["lhs_dilation"][k]),
            dilation=int(p["rhs_dilation"][k]),
        )
    return box


def _conv_of_kernel(eqn: JaxprEqn, box: Box) -> Box:
    """Pass the kernel's boxes: an output reads the taps that meet the image."""
    p, (image, kernel) = eqn.params, _canonical(eqn)
    box = box.transpose(0, *(k + 1 for k in p["dimension_numbers"].rhs_spec))
    box = collapse(box, [1]).swapaxes(1, 2)
    spec, out = p["dimension_numbers"].out_spec, shape_of(eqn.outvars[0])
    for k, (low, _) in enumerate(p["padding"]):
        tap = np.arange(kernel[k + 2]) * p["rhs_dilation"][k] - low
        start = np.arange(out[spec[k + 2]]) * p["window_strides"][k]
        place, spacing = start[:, None] + tap, p["lhs_dilation"][k]
        last = (image[k + 2] - 1) * spacing
        meets = (place >= 0) & (place <= last) & (place % spacing == 0)
        box = _taps(box, k + 3, meets)
    return box


def _taps(box: Box, axis: int, meets: np.ndarray) -> Box:
    """Join along an axis over the taps that each output position reads."""
    trailing = (1,) * (box.ndim - axis - 1)
    if meets.all() or box.shape[axis] == 1:
        box = box.min(axis=axis, keepdims=True, initial=NONE)
        reads_some = meets.any(axis=1)
        if reads_some.all():
            return box
        return np.where(reads_some.reshape(-1, *trailing), box, NONE)
    shape = (*box.shape[:axis], len(meets), *box.shape[axis + 1 :])
    result = np.full(shape, NONE, np.int32)
    for k in range(meets.shape[1]):
        at = meets[:, k].nonzero()[0]
        if len(at):  # a run of positions, spread by the dilation
            reads = meets[at[0] : at[-1] + 1, k].reshape(-1, *trailing)
            run = result[along(axis, slice(at[0], at[-1] + 1))]
            np.minimum(run, box[along(axis, slice(k, k + 1))], out=run, where=reads)
    return result


@RULES.rule(
    "bcoo_dot_general",
    reads="dimension_numbers lhs_spinfo",
    ignores="preferred_element_type",
)
def _(context: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box] | None:
    data, indices, dense = boxes
    if indices is not None:
        return None
    dims, coordinates = eqn.params["dimension_numbers"], context.constant(eqn.invars[1])
    shape = eqn.params["lhs_spinfo"].shape
    has_batch = any(dims[1]) or len(shape_of(eqn.invars[1])) > 2
    if coordinates is None or has_batch or coordinates.shape[1] != len(shape):
        return [_as_dense(eqn, data, dense)]
    if (coordinates < 0).any() or not all(
        is_read_alike(coordinates, dim) for dim in shape
    ):
        return [_as_dense(eqn, data, dense)]
    return [_entrywise(eqn, data, dense, coordinates)]


def _as_dense(eqn: JaxprEqn, data: Box | None, dense: Box | None) -> Box:
    """Join along the contracted axes, as in a product of dense arrays."""
    dims, shape = eqn.params["dimension_numbers"], eqn.params["lhs_spinfo"].shape
    ranks = [len(shape), len(shape_of(eqn.invars[2]))]
    parts = [] if dense is None else [one_side(dense, 1, dims, ranks)]
    if data is not None:  # its first axes are batch axes of the matrix
        n_batch = len(shape_of(eqn.invars[1])) - 2
        data = collapse(data, range(n_batch, data.ndim - 1))
        sizes = [data.shape[k + 1] if k < n_batch else 1 for k in range(len(shape))]
        parts.append(one_side(data.reshape(len(data), *sizes), 0, dims, ranks))
    return join(parts)


def _entrywise(
    eqn: JaxprEqn, data: Box | None, dense: Box | None, coordinates: np.ndarray
) -> Box:
    """Let each output read what the entries of its row meet."""
    (lhs, rhs), _ = eqn.params["dimension_numbers"]
    shape, sizes = eqn.params["lhs_spinfo"].shape, shape_of(eqn.invars[2])
    inside = (coordinates < shape).all(axis=1)  # other entries are padding
    index = coordinates[inside].astype(np.int64)
    free = [axis for axis in range(len(sizes)) if axis not in rhs]
    outer = [axis for axis in range(len(shape)) if axis not in lhs]
    parts = []
    if dense is not None:
        order = (*free, *rhs)
        ordered = expand(dense, rhs, sizes).transpose(0, *(k + 1 for k in order))
        flat = ordered.reshape(*ordered.shape[: 1 + len(free)], -1)
        parts.append(flat[..., _number(index, lhs, shape)])
    if data is not None:
        entries = expand(data, [0], shape_of(eqn.invars[0]))[:, inside]
        parts.append(entries.reshape(len(data), *(1,) * len(free), -1))
    rows = [shape[axis] for axis in outer]
    result, _ = minimum_at(join(parts), _number(index, outer, shape), math.prod(rows))
    result = np.moveaxis(result, -1, 1)
    return result.reshape(len(result), *rows, *result.shape[2:])


def _number(index: np.ndarray, axes: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    """Number the entries along some axes, row-major."""
    number = np.zeros(len(index), np.int64)
    for axis in axes:
        number = number * shape[axis] + index[:, axis]
    return number
