"""Data movement: the boxes move as the data does."""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from jnumerics.derivatives._dependence.boxes import (
    NONE,
    RULES,
    Box,
    Boxes,
    Context,
    along,
    collapse,
    compact,
    expand,
    is_read_alike,
    join,
    nothing,
    pad_axis,
    present,
)
from jnumerics.derivatives._program.jaxpr import JaxprEqn, shape_of


@RULES.rule("broadcast_in_dim", reads="shape broadcast_dimensions", ignores="sharding")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    (box,) = boxes
    shape = [1] * len(eqn.params["shape"])
    for axis, target in enumerate(eqn.params["broadcast_dimensions"]):
        shape[target] = box.shape[axis + 1]
    return [box.reshape(len(box), *shape)]


@RULES.rule("reshape", reads="new_sizes dimensions", ignores="sharding")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    (box,), shape = boxes, shape_of(eqn.invars[0])
    order = eqn.params["dimensions"]
    if order is not None:
        box = box.transpose(0, *(axis + 1 for axis in order))
        shape = tuple(shape[axis] for axis in order)
    return [reshape(box, shape, shape_of(eqn.outvars[0]))]


def reshape(box: Box, shape: Sequence[int], new: Sequence[int]) -> Box:
    """Reshape a variable's boxes, each group of merged or divided axes by itself."""
    if 0 in shape:
        return nothing(len(box), len(new))
    groups = list(_groups(shape, new))
    written_out, target, regrouped = list(box.shape), [len(box)], []
    for before, after in groups:
        if all(box.shape[axis + 1] == 1 for axis in before):
            target += [1] * len(after)
            continue
        for axis in before:
            written_out[axis + 1] = shape[axis]
        target += [new[axis] for axis in after]
        if len(before) > 1 or len(after) > 1:
            regrouped += after
    return compact(np.broadcast_to(box, written_out).reshape(target), regrouped)


def _groups(
    shape: Sequence[int], new: Sequence[int]
) -> Iterator[tuple[list[int], list[int]]]:
    """Divide the axes of two shapes into the smallest runs of equal size."""
    i = j = 0
    while i < len(shape) or j < len(new):
        before, after = [], []
        if i < len(shape):
            before, i = [i], i + 1
        if j < len(new):
            after, j = [j], j + 1
        while (m := math.prod(shape[k] for k in before)) != (
            n := math.prod(new[k] for k in after)
        ):
            if m < n:
                before.append(i)
                i += 1
            else:
                after.append(j)
                j += 1
        yield before, after


@RULES.rule("transpose", reads="permutation")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    return [boxes[0].transpose(0, *(axis + 1 for axis in eqn.params["permutation"]))]


@RULES.rule("squeeze", reads="dimensions")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    return [boxes[0].squeeze(tuple(axis + 1 for axis in eqn.params["dimensions"]))]


@RULES.rule("rev", reads="dimensions")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    return [np.flip(boxes[0], tuple(axis + 1 for axis in eqn.params["dimensions"]))]


@RULES.rule("slice", reads="start_indices limit_indices strides")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    (box,), p = boxes, eqn.params
    strides = p["strides"] or (1,) * (box.ndim - 1)
    limits = zip(p["start_indices"], p["limit_indices"], strides, strict=True)
    pieces = [
        slice(None) if length == 1 else slice(*limit)
        for length, limit in zip(box.shape[1:], limits, strict=True)
    ]
    return [box[(slice(None), *pieces)]]


@RULES.rule("split", reads="sizes axis")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    (box,), axis = boxes, eqn.params["axis"] + 1
    stops = list(itertools.accumulate(map(int, eqn.params["sizes"])))
    if box.shape[axis] == 1:
        return [box] * len(stops)
    pieces = itertools.pairwise([0, *stops])
    return [box[along(axis, slice(*piece))] for piece in pieces]


@RULES.rule("concatenate", reads="dimension")
def _(_: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    axis = eqn.params["dimension"]
    parts = [
        (box, shape_of(v))
        for box, v in zip(present(boxes, eqn.invars), eqn.invars, strict=True)
        if shape_of(v)[axis] > 0
    ]
    if not parts:
        return None  # of nothing
    first = parts[0][0]
    if all(b.shape[axis + 1] == 1 and np.array_equal(b, first) for b, _ in parts):
        return [first]
    common = np.broadcast_shapes(
        *((*b.shape[: axis + 1], 1, *b.shape[axis + 2 :]) for b, _ in parts)
    )
    written_out = [
        np.broadcast_to(b, (*common[: axis + 1], shape[axis], *common[axis + 2 :]))
        for b, shape in parts
    ]
    return [np.concatenate(written_out, axis + 1)]


@RULES.rule("stack", reads="axis")
def _(_: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box]:
    axis, parts = eqn.params["axis"], present(boxes, eqn.invars)
    if all(np.array_equal(box, parts[0]) for box in parts):
        return [np.expand_dims(parts[0], axis + 1)]
    common = np.broadcast_shapes(*(box.shape for box in parts))
    return [np.stack([np.broadcast_to(b, common) for b in parts], axis + 1)]


@RULES.rule("unstack", reads="axis")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    (box,), axis, n = boxes, eqn.params["axis"] + 1, len(eqn.outvars)
    return [box.take(0 if box.shape[axis] == 1 else k, axis) for k in range(n)]


@RULES.rule("pad", reads="padding_config")
def _(_: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box]:
    box, value = present(boxes, eqn.invars)
    config = [tuple(map(int, amount)) for amount in eqn.params["padding_config"]]
    shape = shape_of(eqn.invars[0])
    moved = [axis for axis, amount in enumerate(config) if amount != (0, 0, 0)]
    box = expand(box, moved, shape)
    inside = np.zeros((1, *(1,) * len(shape)), np.int32)
    inside = expand(inside, moved, shape)
    for axis in moved:
        box = pad_axis(box, axis, *config[axis])
        inside = pad_axis(inside, axis, *config[axis])
    if boxes[1] is not None:
        value = value.reshape(len(value), *(1,) * len(shape))
        box = join([box, np.where(inside == NONE, value, NONE)])
    return [box]


@RULES.rule("tile", reads="reps")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    (box,) = boxes
    reps = [
        1 if length == 1 else rep
        for length, rep in zip(box.shape[1:], eqn.params["reps"], strict=True)
    ]
    return [np.tile(box, (1, *reps))]


@RULES.rule("sort", reads="dimension num_keys", ignores="is_stable")
def _(_: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box]:
    # where an element goes depends on its keys, and on those they are compared with
    n_keys, axis = eqn.params["num_keys"], eqn.params["dimension"]
    keys = [box for box in boxes[:n_keys] if box is not None]
    parts = present(boxes, eqn.invars)
    return [collapse(join([box, *keys]), [axis]) for box in parts]


@RULES.rule("dynamic_slice", reads="slice_sizes")
def _(context: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    box, shape = boxes[0], shape_of(eqn.invars[0])
    if box is None or any(b is not None for b in boxes[1:]):
        return None
    sizes = eqn.params["slice_sizes"]
    starts = _starts(context, eqn.invars[1 : 1 + len(shape)], shape, sizes)
    for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        if start is None:
            box = collapse(box, [axis])
        elif box.shape[axis + 1] != 1:
            box = box[along(axis + 1, slice(start, start + size))]
    return [box]


@RULES.rule("dynamic_update_slice")
def _(context: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    if any(b is not None for b in boxes[2:]):
        return None
    box, update = present(boxes[:2], eqn.invars[:2])
    shape, sizes = shape_of(eqn.invars[0]), shape_of(eqn.invars[1])
    starts = _starts(context, eqn.invars[2 : 2 + len(shape)], shape, sizes)
    part = [axis for axis, size in enumerate(sizes) if size != shape[axis]]
    if all(start is not None for start in starts):
        region = [slice(None)] * len(shape)
        for axis in part:
            start = starts[axis] or 0
            region[axis] = slice(start, start + sizes[axis])
        box = expand(box, part, shape).copy()
        box[(slice(None), *region)] = NONE  # written over
    for axis in part:
        start = starts[axis]
        if start is None:
            update = collapse(update, [axis])
        else:
            update = expand(update, [axis], sizes)
            rest = shape[axis] - sizes[axis] - start
            update = pad_axis(update, axis, start, rest)
    return [join([box, update])]


def _starts(
    context: Context, atoms: Sequence, shape: Sequence[int], sizes: Sequence[int]
) -> list[int | None]:
    """Return where a slice starts along each axis, clamped to fit; None: unknown."""
    starts = []
    for atom, dim, size in zip(atoms, shape, sizes, strict=True):
        value = np.zeros((), int) if dim == size else context.constant(atom)
        if value is None or not is_read_alike(value, dim):
            starts.append(None)
        else:
            starts.append(min(max(int(value), 0), dim - size))
    return starts
