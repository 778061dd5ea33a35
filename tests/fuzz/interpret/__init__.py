"""An interpreter of jaxprs, primitive by primitive, in NumPy: nothing is compiled.

XLA compiles a program in a second; NumPy evaluates an equation in microseconds. What
has no evaluator here runs by JAX, eagerly, and compiles once for each shape. The
interpreter is an oracle: `tests/test_fuzz.py` compares it with JAX's own evaluation.
"""

from tests.fuzz.interpret import (
    control,
    elementwise,
    indexing,
    linalg,
    movement,
    products,
    randomness,
    reduction,
    shards,
    windows,
)
from tests.fuzz.interpret.core import EVALUATORS, Interpreter

__all__ = ["EVALUATORS", "Interpreter", "families"]

families = (
    control,
    elementwise,
    indexing,
    linalg,
    movement,
    products,
    randomness,
    reduction,
    shards,
    windows,
)
