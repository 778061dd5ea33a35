"""The boxes of a function's outputs, from every program that may differentiate it.

A derivative that is proven linear has one program, which is read forward. Any other
derivative is what its forward or its reverse passes make of it, so both programs are
read, and their boxes joined.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from jnumerics.derivatives._dependence.boxes import (
    NONE,
    Box,
    join,
    nothing,
    own_index,
)
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._dependence.propagate import propagate
from jnumerics.derivatives._program.jaxpr import Var, shape_of
from jnumerics.derivatives._program.joint import End
from jnumerics.derivatives._program.trace import Target

Shape = tuple[int, ...]
MAX_TURNED = 1 << 14  # input elements whose readers are listed one by one


def output_boxes(target: Target, tangent_boxes: dict[Var, Box]) -> list[Box]:
    """Return the boxes of every leaf of the result, in all axes of all inputs.

    Args:
        target: The function.
        tangent_boxes: The boxes of its tangent program.
    """
    shapes = [tuple(aval.shape) for aval in target.in_avals]
    rows = 2 * sum(max(len(s), 1) for s in shapes)
    forward = [
        tangent_boxes[v] if v in tangent_boxes else nothing(rows, len(aval.shape))
        for v, aval in zip(target.program.outputs, target.out_avals, strict=True)
    ]
    if target.ends is None:
        return forward
    every = [_everything(shapes, aval.shape) for aval in target.out_avals]
    sides = []
    if target.ends.forward.program is not None:
        are_zero = target.ends.forward.linearity.is_zero_at_zero
        triples = zip(forward, every, are_zero, strict=True)
        sides.append([box if is_zero else all_ for box, all_, is_zero in triples])
    if target.ends.reverse.program is not None:
        sides.append(_turned(target.ends.reverse, shapes, target) or every)
    return [join(boxes) for boxes in zip(*sides, strict=True)] or every


def _everything(shapes: Sequence[Shape], out: Sequence[int]) -> Box:
    """Return the boxes of an output all of whose elements may read all inputs."""
    sizes = np.array([size for shape in shapes for size in shape or (1,)], np.int32)
    rows = np.concatenate([np.zeros_like(sizes), 1 - sizes])
    if 0 in sizes:
        rows[:] = NONE
    return rows.reshape(-1, *(1,) * len(out))


def _turned(end: End, shapes: Sequence[Shape], target: Target) -> list[Box] | None:
    """Turn what the inputs' cotangents read of the outputs into what the outputs read.

    Returns:
        The outputs' boxes; None where everything may depend on everything.
    """
    program = end.program
    is_small = sum(map(math.prod, shapes)) <= MAX_TURNED
    if program is None or not is_small or not all(end.linearity.is_zero_at_zero):
        return None
    outs = [tuple(aval.shape) for aval in target.out_avals]
    seeds = {v: own_index(outs, k) for k, v in enumerate(program.tangents)}
    cotangent_boxes = propagate(program.linear, seeds, constants_of(program))
    axes = np.cumsum([0, *(max(len(s), 1) for s in shapes)])
    boxes = [np.full((2 * int(axes[-1]), *out), NONE, np.int32) for out in outs]
    for leaf, v in enumerate(program.outputs):
        if v is None or v not in cotangent_boxes:
            continue
        at = slice(axes[leaf], axes[leaf + 1])
        behind = slice(axes[-1] + axes[leaf], axes[-1] + axes[leaf + 1])
        for index, k, region in _regions(cotangent_boxes[v], shape_of(v), outs):
            place = np.array(index or (0,)).reshape(-1, *(1,) * len(region))
            boxes[k][(at, *region)] = np.minimum(boxes[k][(at, *region)], place)
            boxes[k][(behind, *region)] = np.minimum(
                boxes[k][(behind, *region)], -place
            )
    return boxes


def _regions(
    box: Box, shape: Shape, outs: Sequence[Shape]
) -> Iterator[tuple[Shape, int, tuple[slice, ...]]]:
    """Yield for each element of an input, and each output, the region that it reads."""
    box = np.broadcast_to(box, (len(box), *shape))
    half = len(box) // 2
    starts = np.cumsum([0, *(max(len(out), 1) for out in outs)])
    for index in np.ndindex(*shape):
        rows = box[(slice(None), *index)]
        for k, out in enumerate(outs):
            lows = rows[starts[k] : starts[k + 1]]
            highs = -rows[half + starts[k] : half + starts[k + 1]]
            if lows[0] != NONE:
                pairs = zip(lows[: len(out)], highs, strict=False)
                yield index, k, tuple(slice(low, high + 1) for low, high in pairs)
