"""The rules for primitives: how jets pass an equation of the primal program.

Every function JAX can push tangents through twice is served: what has no rule here goes
through two nested JVPs of the primitive for each direction (`operation.nested`).
"""

from collections.abc import Callable

from jnumerics.derivatives._modes.collapsed import elementwise, movement, product
from jnumerics.derivatives._modes.collapsed.jet import Expand, Factored, Jet, moving
from jnumerics.derivatives._modes.collapsed.operation import (
    linear,
    nested,
    values_of,
)
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

_LINEAR = (linear, values_of, movement.applied, movement.added, elementwise.piecewise)
_BILINEAR = (
    product.multiplied,
    product.contracted,
    product.convolved,
    product.either,
)


def push(eqn: JaxprEqn, jets: list[Jet], expand: Expand) -> list[Jet]:
    """Push jets through an equation of the program, by its rule."""
    rule = RULES.get(eqn.primitive.name, nested)
    is_linear = rule in _LINEAR or (rule in _BILINEAR and len(moving(jets)) < 2)
    if is_linear or not isinstance(expand, Factored):
        return rule(eqn, jets, expand)
    return expand.through(lambda jets, expand: rule(eqn, list(jets), expand), jets)
