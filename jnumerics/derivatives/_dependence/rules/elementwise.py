"""Elementwise primitives: an output element reads its own position of each operand."""

from collections.abc import Sequence

import numpy as np

from jnumerics.derivatives._dependence.boxes import (
    NONE,
    RULES,
    Box,
    Context,
    compact,
    join,
    present,
)
from jnumerics.derivatives._program.jaxpr import JaxprEqn, shape_of

_LINEAR = (
    "add add_any sub neg mul div convert_element_type real imag conj complex "
    "reduce_precision"
)
# What is not linear has no place in a tangent program, unless a custom rule puts it
# there; wherever it stands, it reads its own position.
_OTHERS = (
    "abs acos acosh and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil "
    "clamp cos cosh digamma eq erf erf_inv erfc exp exp2 expm1 floor ge gt igamma "
    "igamma_grad_a igammac integer_pow is_finite le lgamma log log1p log2 logistic lt "
    "max min ne nextafter not one_minus_square or polygamma polynomial pow "
    "regularized_incomplete_beta rem round rsqrt sign sin sinh sqrt square tan tanh "
    "xor zeta"
)
_IGNORED = (
    "new_dtype weak_type sharding exponent_bits mantissa_bits out_dtype accuracy y "
    "rounding_method input_dtype"
)


@RULES.rule(*_LINEAR.split(), *_OTHERS.split(), ignores=_IGNORED)
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    rank = len(shape_of(eqn.outvars[0]))
    joined = join(_aligned(box, rank) for box in boxes if box is not None)
    return [joined] * len(eqn.outvars)


@RULES.rule("select_n")
def _(context: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    rank = len(shape_of(eqn.outvars[0]))
    which, *cases = (_aligned(box, rank) for box in present(boxes, eqn.invars))
    chosen = context.constant(eqn.invars[0]) if boxes[0] is None else None
    if chosen is None or ((chosen < 0) | (chosen >= len(cases))).any():
        return [join([which, *cases])]
    chosen = compact(chosen.astype(np.int32), range(chosen.ndim), offset=0)
    if chosen.size == 1:
        return [cases[int(chosen.item())]]
    masked = (np.where(chosen == k, case, NONE) for k, case in enumerate(cases))
    return [join(masked)]


@RULES.rule(
    "copy", "name", "optimization_barrier", "device_put", "reshard",
    "sharding_constraint", "layout_constraint", "stop_gradient",
    ignores="name devices srcs copy_semantics sharding context_mesh layout "
    "dst_sharding unconstrained_dims resource_env concrete_mesh",
)  # fmt: skip
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    return present(boxes, eqn.invars)


def _aligned(box: Box, rank: int) -> Box:
    """Give a scalar's box the rank of the arrays that it is combined with."""
    return box.reshape(len(box), *(1,) * (rank + 1 - box.ndim), *box.shape[1:])
