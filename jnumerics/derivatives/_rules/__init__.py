"""How boxes pass through each primitive, a file for each family."""

from jnumerics.derivatives._rules import _elementwise
from jnumerics.derivatives._rules._boxes import RULES, apply

__all__ = ["RULES", "apply", "families"]

families = (_elementwise,)
