"""Windows that slide along axes: pooling, and what convolutions share with it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jnumerics.derivatives._dependence.boxes import (
    NONE,
    RULES,
    Box,
    Context,
    along,
    join,
    pad_axis,
)
from jnumerics.derivatives._dependence.rules.reduction import reduced_together
from jnumerics.derivatives._program.jaxpr import JaxprEqn, shape_of

_READS = "window_dimensions window_strides padding base_dilation window_dilation"


@RULES.rule("reduce_window_sum", "reduce_window_max", "reduce_window_min", reads=_READS)
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    return [_pooled(eqn, boxes[0])]


@RULES.rule("reduce_window", reads=_READS, ignores="jaxpr consts")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    return reduced_together(eqn, boxes, lambda box: _pooled(eqn, box))


@RULES.rule("select_and_gather_add", reads=_READS, ignores="select_prim")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    return [join(_pooled(eqn, box) for box in boxes if box is not None)]


@RULES.rule(
    "select_and_scatter_add",
    reads="window_dimensions window_strides padding",
    ignores="select_prim",
)
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box] | None:
    box, p = boxes[0], eqn.params
    if box is None or boxes[1] is not None:
        return None
    source, operand = (shape_of(v) for v in eqn.invars)
    for axis, window in enumerate(p["window_dimensions"]):
        window, stride = int(window), int(p["window_strides"][axis])
        low = int(p["padding"][axis][0])
        spread = (source[axis] - 1) * stride + 1 if source[axis] else 0
        low = window - 1 - low
        high = operand[axis] - spread - low + window - 1
        box = windowed(
            box, axis, source[axis], window=window, low=low, high=high, base=stride
        )
    return [box]


def _pooled(eqn: JaxprEqn, box: Box) -> Box:
    p: dict[str, Any] = eqn.params
    shape = shape_of(eqn.invars[0])
    for axis, size in enumerate(shape):
        low, high = p["padding"][axis]
        box = windowed(
            box,
            axis,
            size,
            window=int(p["window_dimensions"][axis]),
            stride=int(p["window_strides"][axis]),
            low=int(low),
            high=int(high),
            base=int(p["base_dilation"][axis]),
            dilation=int(p["window_dilation"][axis]),
        )
    return box


def windowed(
    box: Box,
    axis: int,
    size: int,
    *,
    window: int,
    stride: int = 1,
    low: int = 0,
    high: int = 0,
    base: int = 1,
    dilation: int = 1,
) -> Box:
    """Join over a window that slides along one axis.

    Args:
        box: The variable's boxes.
        axis: The axis.
        size: The variable's size along it.
        window: Taps of the window.
        stride: Step from one position to the next.
        low: Padding before the first element; negative crops.
        high: Padding behind the last one.
        base: Spacing that dilates the variable.
        dilation: Spacing of the taps.
    """

    def slide(box: Box, axis: int) -> Box:
        padded = pad_axis(box, axis, low, high, base - 1)
        return _slid(padded, axis + 1, window, dilation)[
            along(axis + 1, slice(None, None, stride))
        ]

    if box.shape[axis + 1] == 1 and size != 1:
        reads_some = slide(np.zeros((1, size), np.int32), 0) != NONE
        if reads_some.all():
            return box
        return np.where(
            reads_some.reshape(-1, *(1,) * (box.ndim - axis - 2)), box, NONE
        )
    return slide(box, axis)


def _slid(box: Box, axis: int, window: int, dilation: int) -> Box:
    """Take the minimum over taps, doubling the window: O(log(window)) passes."""
    length = max(box.shape[axis] - (window - 1) * dilation, 0)
    width = 1
    while 2 * width <= window:
        step = width * dilation
        stop = max(box.shape[axis] - step, 0)
        box = np.minimum(
            box[along(axis, slice(0, stop))], box[along(axis, slice(step, None))]
        )
        width *= 2
    step = (window - width) * dilation
    return np.minimum(
        box[along(axis, slice(0, length))],
        box[along(axis, slice(step, step + length))],
    )
