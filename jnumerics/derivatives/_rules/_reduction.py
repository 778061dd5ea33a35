"""Reductions and cumulative reductions: minimum and running minimum of boxes."""

from collections.abc import Sequence

import numpy as np
from jax.extend.core import JaxprEqn

from jnumerics.derivatives._rules._boxes import (
    RULES,
    Box,
    Context,
    collapse,
    join,
    shape_of,
)


@RULES.rule(
    "reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or",
    "reduce_xor", "argmax", "argmin",
    reads="axes", ignores="out_sharding index_dtype",
)  # fmt: skip
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    return [_reduced(boxes[0], tuple(map(int, eqn.params["axes"])))]


@RULES.rule("reduce", reads="dimensions", ignores="computation jaxpr consts")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    # operands of one shape, then their initial values; any may enter any output
    n, axes = len(boxes) // 2, tuple(map(int, eqn.params["dimensions"]))
    rank = len(shape_of(eqn.outvars[0]))
    parts = [_reduced(box, axes) for box in boxes[:n] if box is not None]
    parts += [b.reshape(-1, *(1,) * rank) for b in boxes[n:] if b is not None]
    return [join(parts)] * len(eqn.outvars)


@RULES.rule(
    "cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp", reads="axis reverse"
)
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    return [running(boxes[0], eqn.params["axis"], reverse=eqn.params["reverse"])]


def running(box: Box, axis: int, *, reverse: bool = False) -> Box:
    """Join each position along an axis with all before it (behind it: reverse)."""
    if box.shape[axis + 1] == 1:
        return box
    if reverse:
        return np.flip(running(np.flip(box, axis + 1), axis), axis + 1)
    return np.minimum.accumulate(box, axis + 1)


def _reduced(box: Box, axes: Sequence[int]) -> Box:
    return collapse(box, axes).squeeze(tuple(axis + 1 for axis in axes))
