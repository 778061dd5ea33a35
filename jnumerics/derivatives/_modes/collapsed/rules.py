"""The rules for primitives: how jets pass an equation of the primal program.

Every function JAX can push tangents through twice is served: what has no rule here goes
through two nested JVPs of the primitive for each direction (`operation.nested`).
"""

from collections.abc import Callable

from jnumerics.derivatives._modes.collapsed import elementwise, movement, product
from jnumerics.derivatives._modes.collapsed.jet import Expand, Jet
from jnumerics.derivatives._modes.collapsed.operation import linear, values_of
from jnumerics.derivatives._program.jaxpr import JaxprEqn

Rule = Callable[[JaxprEqn, list[Jet], Expand], list[Jet]]

RULES: dict[str, Rule] = {
    **dict.fromkeys(elementwise.SMOOTH, elementwise.smooth),
    **dict.fromkeys(elementwise.PIECEWISE, elementwise.piecewise),
    **dict.fromkeys(elementwise.CONSTANT, values_of),
    **dict.fromkeys(movement.ALONE | movement.TOGETHER, movement.applied),
    **dict.fromkeys(movement.BY_RULE, linear),
    **dict.fromkeys(["add", "sub"], movement.added),
    "mul": product.multiplied,
    "div": product.divided,
    "dot_general": product.contracted,
    "conv_general_dilated": product.convolved,
    **dict.fromkeys(["ragged_dot", "ragged_dot_general"], product.either),
    **dict.fromkeys(["triangular_solve", "tridiagonal_solve"], product.solved),
}
