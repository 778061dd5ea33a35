"""How boxes pass through each primitive, a file for each family."""

from jnumerics.derivatives._rules import (
    _control,
    _elementwise,
    _indexing,
    _linalg,
    _movement,
    _product,
    _reduction,
    _shards,
    _sparse,
    _window,
)
from jnumerics.derivatives._rules._boxes import RULES, apply, apply_rule

__all__ = ["RULES", "apply", "apply_rule", "families"]

families = (
    _control,
    _elementwise,
    _indexing,
    _linalg,
    _movement,
    _product,
    _reduction,
    _shards,
    _sparse,
    _window,
)
