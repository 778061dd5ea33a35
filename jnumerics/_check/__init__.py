"""Checks of arguments, with one grammar of messages.

Every message says which argument, what it must be and what came:
"`x` must have rank 1, got shape (2, 3)". Public functions check before they call
compiled code: from types, shapes and dtypes, so that the check also works while
JAX traces and costs little otherwise.
"""

from jnumerics._check.arrays import (
    ArrayLike,
    Operand,
    array,
    as_float,
    at_least_float32,
    axis_size,
    float_dtype,
    inexact,
    inexact_or_number,
    key,
    operand,
    promote,
    real,
    real_scalar,
    same_shape,
    targets,
    wide,
)
from jnumerics._check.options import (
    MOST_COUNTED,
    NEEDS_VALUES,
    Precision,
    boolean,
    function,
    integer,
    is_concrete,
    is_sequence,
    optimizer,
    option,
    precision,
)

__all__ = [
    "MOST_COUNTED",
    "NEEDS_VALUES",
    "ArrayLike",
    "Operand",
    "Precision",
    "array",
    "as_float",
    "at_least_float32",
    "axis_size",
    "boolean",
    "float_dtype",
    "function",
    "inexact",
    "inexact_or_number",
    "integer",
    "is_concrete",
    "is_sequence",
    "key",
    "operand",
    "optimizer",
    "option",
    "precision",
    "promote",
    "real",
    "real_scalar",
    "same_shape",
    "targets",
    "wide",
]
