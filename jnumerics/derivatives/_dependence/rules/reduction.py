"""Boxes of reductions, running ones, and linear algebra along whole axes."""

from collections.abc import Callable, Sequence

import numpy as np

from jnumerics.derivatives._dependence.boxes import RULES, Box, Context, collapse, join
from jnumerics.derivatives._program.jaxpr import JaxprEqn, shape_of


@RULES.rule(
    "reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or",
    "reduce_xor", "argmax", "argmin",
    reads="axes", ignores="out_sharding index_dtype",
)  # fmt: skip
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    return [_reduced(boxes[0], tuple(map(int, eqn.params["axes"])))]


@RULES.rule("reduce", reads="dimensions", ignores="computation jaxpr consts")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    axes = tuple(map(int, eqn.params["dimensions"]))
    return reduced_together(eqn, boxes, lambda box: _reduced(box, axes))


def reduced_together(
    eqn: JaxprEqn, boxes: Sequence[Box | None], reduce: Callable[[Box], Box]
) -> list[Box]:
    """Reduce operands of one shape, and join them with their initial values.

    The operands come first; any of them, and any initial value, may enter any output.
    """
    n, rank = len(boxes) // 2, len(shape_of(eqn.outvars[0]))
    parts = [reduce(box) for box in boxes[:n] if box is not None]
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


@RULES.rule(
    "triangular_solve",
    reads="left_side lower transpose_a",
    ignores="conjugate_a unit_diagonal",
)
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box] | None:
    # The inverse of a triangular matrix is triangular: a running join.
    a, b = boxes
    if a is not None or b is None:
        return None
    p, rank = eqn.params, len(shape_of(eqn.outvars[0]))
    is_lower = p["lower"] != p["transpose_a"]
    axis = rank - 2 if p["left_side"] else rank - 1
    return [running(b, axis, reverse=is_lower != p["left_side"])]


@RULES.rule("tridiagonal_solve", ignores="perturb_singular")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box] | None:
    *diagonals, b = boxes
    if b is None or any(box is not None for box in diagonals):
        return None
    return [collapse(b, [len(shape_of(eqn.outvars[0])) - 2])]


@RULES.rule("fft", reads="fft_lengths", ignores="fft_type")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    rank = len(shape_of(eqn.outvars[0]))
    return [collapse(boxes[0], range(rank - len(eqn.params["fft_lengths"]), rank))]
