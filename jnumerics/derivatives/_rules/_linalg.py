"""Linear algebra: axes that an operation acts on are joined, batch axes are kept.

Only the right side of a solve is linear; a tangent in a matrix goes to the general join.
"""

from collections.abc import Sequence

from jax.extend.core import JaxprEqn

from jnumerics.derivatives._rules._boxes import (
    RULES,
    Box,
    Context,
    collapse,
    shape_of,
)
from jnumerics.derivatives._rules._reduction import running


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
