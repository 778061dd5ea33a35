"""How boxes pass through each primitive, a file for each family.

Comes in: an equation, and its operands' boxes, None for one without a tangent. Goes
out: its results' boxes, or None, on which all that enters is joined (`apply`). For a
tangent t with the boxes [0, 0] [1, 1] [2, 2]:

    2 t       elementwise    [0, 0] [1, 1] [2, 2]
    t[::-1]   movement       [2, 2] [1, 1] [0, 0]
    sum t     reduction      [0, 2]
    no rule                  [0, 2] for each element

A rule says which parameters it reads and which it may ignore; it does not apply to an
equation with any other.
"""

from jnumerics.derivatives._dependence.boxes import RULES, apply, apply_rule
from jnumerics.derivatives._dependence.rules import (
    control,
    elementwise,
    indexing,
    movement,
    product,
    reduction,
    shards,
    window,
)

__all__ = ["RULES", "apply", "apply_rule", "families"]

families = (
    control,
    elementwise,
    indexing,
    movement,
    product,
    reduction,
    shards,
    window,
)
