"""Elementwise primitives: each output element reads its own position of each operand."""

from collections.abc import Sequence

from jax.extend.core import JaxprEqn

from jnumerics.derivatives._rules._boxes import RULES, Box, Context, join


@RULES.rule(
    "add", "add_any", "sub", "neg", "mul", "div", "convert_element_type", "real", "imag",
    "conj", "complex", "copy", "select_n", "reduce_precision", "symmetric_product",
    ignores="new_dtype weak_type sharding input_dtype exponent_bits mantissa_bits",
)  # fmt: skip
def _(_: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    rank = len(eqn.outvars[0].aval.shape)
    tangents = [box for box in boxes if box is not None]
    aligned = [
        box.reshape(len(box), *(1,) * (rank + 1 - box.ndim), *box.shape[1:])
        for box in tangents
    ]
    return [join(aligned)] * len(eqn.outvars)
