"""Linear algebra: axes that an operation acts on are joined, batch axes keep."""

from collections.abc import Sequence

from jax.extend.core import JaxprEqn

from jnumerics.derivatives._rules._boxes import (
    RULES,
    Box,
    Context,
    collapse,
    join,
    shape_of,
)
from jnumerics.derivatives._rules._reduction import running


@RULES.rule(
    "triangular_solve",
    reads="left_side lower transpose_a",
    ignores="conjugate_a unit_diagonal",
)
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    # The inverse of a triangular matrix is triangular: a running join.
    a, b = boxes
    p, rank = eqn.params, len(shape_of(eqn.outvars[0]))
    parts = [] if a is None else [collapse(a, [rank - 2, rank - 1])]
    if b is not None:
        is_lower = p["lower"] != p["transpose_a"]
        axis = rank - 2 if p["left_side"] else rank - 1
        b = running(b, axis, reverse=is_lower != p["left_side"])
        parts.append(b if a is None else collapse(b, [axis]))
    return [join(parts)]


@RULES.rule("tridiagonal_solve", ignores="perturb_singular")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    rank = len(shape_of(eqn.outvars[0]))
    parts = []
    for k, box in enumerate(boxes):
        if (
            box is not None and k < 3
        ):  # a diagonal: (..., m), the right side (..., m, k)
            parts.append(collapse(box, [rank - 2])[..., None])
        elif box is not None:
            parts.append(collapse(box, [rank - 2]))
    return [join(parts)]


@RULES.rule("fft", reads="fft_lengths", ignores="fft_type")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    rank = len(shape_of(eqn.outvars[0]))
    return [collapse(boxes[0], range(rank - len(eqn.params["fft_lengths"]), rank))]


_MATRIX = {
    "cholesky": "symmetrize_input",
    "eig": "compute_left_eigenvectors compute_right_eigenvectors implementation "
    "use_magma",
    "eigh": "lower sort_eigenvalues subset_by_index algorithm implementation",
    "geqrf": "use_magma",
    "hessenberg": "",
    "lu": "",
    "qr": "pivoting full_matrices use_magma",
    "schur": "compute_schur_vectors sort_eig_vals select_callable",
    "svd": "full_matrices compute_uv subset_by_index algorithm",
    "tridiagonal": "lower",
}


def _matrix(_: Context, eqn: JaxprEqn, boxes: Sequence[Box]) -> list[Box]:
    (box,) = boxes
    n = box.ndim - 3  # batch axes
    joined = collapse(box, [n, n + 1])
    shapes = [shape_of(v) for v in eqn.outvars]
    return [joined.reshape(joined.shape[: n + 1] + (1,) * (len(s) - n)) for s in shapes]


for _name, _parameters in _MATRIX.items():
    RULES.rule(_name, ignores=_parameters)(_matrix)


@RULES.rule("householder_product")
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    rank = len(shape_of(eqn.outvars[0]))
    a, tau = boxes  # (..., m, n), (..., k)
    parts = [] if a is None else [collapse(a, [rank - 2, rank - 1])]
    parts += [] if tau is None else [collapse(tau, [rank - 2])[..., None]]
    return [join(parts)]
