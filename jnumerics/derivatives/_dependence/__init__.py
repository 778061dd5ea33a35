"""Dependence boxes: which inputs each output's derivative may depend on, by proof.

Boxes pass from the tangents of the inputs through every linear equation by the rules
of `_rules`; see `_rules/_boxes.py` for what a box is. The result holds at every value of
the inputs, because the program was traced from shapes alone.
"""

from jnumerics.derivatives._dependence.blocks import Loss
from jnumerics.derivatives._dependence.mixing import Mixing, mixing
from jnumerics.derivatives._dependence.propagate import (
    batch_index,
    joined,
    own_index,
    propagate,
)
from jnumerics.derivatives._dependence.result import Dependence, dependence

__all__ = [
    "Dependence",
    "Loss",
    "Mixing",
    "batch_index",
    "dependence",
    "joined",
    "mixing",
    "own_index",
    "propagate",
]
