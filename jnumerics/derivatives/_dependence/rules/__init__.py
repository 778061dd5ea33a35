"""How boxes pass through each primitive, a file for each family."""

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
