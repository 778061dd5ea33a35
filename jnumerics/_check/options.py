"""What is no array: integers, options, functions."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import jax
import jax.core
import numpy as np

Precision = str | jax.lax.Precision
MOST_COUNTED = 2**31 - 1  # as far as JAX counts a loop or a window without x64
NEEDS_VALUES = (  # what JAX raises where a traced function asks for a value
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


def option(name: str, value: Any, options: Sequence[Any]) -> None:
    """Require `value` to be one of the options."""
    if type(value) is str and value in options:
        return
    if not any(value is o or (type(value) is type(o) and value == o) for o in options):
        listed = ", ".join(repr(o) for o in options)
        msg = f"`{name}` must be one of {listed}, got {value!r}"
        raise ValueError(msg)


def precision(value: Precision) -> None:
    """Require `value` to be a precision of matrix products."""
    option("precision", value, ("default", "high", "highest", *jax.lax.Precision))


def integer(
    name: str, value: Any, *, least: int, greatest: int | None = MOST_COUNTED
) -> int:
    """Return `value` as an int from `least` to `greatest`; a float is refused."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        kind = type(value).__name__ if is_concrete(value) else "a traced value"
        msg = f"`{name}` must be an integer, got {kind}"
        raise TypeError(msg)
    if number < least:
        msg = f"`{name}` must be at least {least}, got {written(number)}"
        raise ValueError(msg)
    if greatest is not None and number > greatest:
        msg = f"`{name}` must be at most {greatest}, got {written(number)}"
        raise ValueError(msg)
    return number


def is_sequence(value: object) -> TypeGuard[Sequence]:
    """Whether `value` is a list, a tuple or the like, or an array with an axis."""
    if isinstance(value, np.ndarray | jax.Array):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def function(name: str, value: Callable) -> None:
    """Require `value` to be callable."""
    if not callable(value):
        msg = f"`{name}` must be a function, got {type(value).__name__}"
        raise TypeError(msg)


def is_concrete(*values: Any) -> bool:
    """Whether all values can be looked at: none is being traced."""
    return not any(isinstance(x, jax.core.Tracer) for x in values)


def boolean(name: str, value: Any) -> None:
    """Require `value` to be True or False: a truthy string says something else."""
    if not isinstance(value, bool | np.bool_):
        msg = f"`{name}` must be True or False, got {type(value).__name__}"
        raise TypeError(msg)


def optimizer(name: str, value: Any) -> None:
    """Require `value` to be an optax optimizer: something with its two functions."""
    for method in ("init", "update"):
        if not callable(getattr(value, method, None)):
            msg = f"`{name}` must be an optax optimizer, got {type(value).__name__}"
            raise TypeError(msg)


def written(x: Any) -> str:
    """Write an integer, or its length: Python refuses to write thousands of digits."""
    is_long = isinstance(x, int) and x.bit_length() > 64
    return f"an integer of {x.bit_length()} bits" if is_long else str(x)
