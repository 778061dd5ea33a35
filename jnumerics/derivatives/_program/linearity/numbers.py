"""Numbers that fill whole arrays, through the operations: which way a predicate goes.

What a program makes of zero tangents decides whether an unproven output is zero without
them: a clipped zero is zero, one plus zero is not. Only what every platform computes
alike is followed: nothing that rounds, nothing below the smallest normal number. Zero
times an unknown number is zero: numbers are meant to be finite, as everywhere.
"""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn

from jnumerics.derivatives._program.linearity.value import Number

_EXACT = 256  # integers up to it are numbers of every floating-point type
NAN = math.nan  # one object, so that values that hold it are equal
_LARGEST = 1 << 16  # entries of a constant that is looked at


def uniform(x: Any) -> Number | None:
    """Return the number that fills an array, None where there is none."""
    dtype = jnp.result_type(x)
    is_number = jnp.issubdtype(dtype, jnp.number) or dtype == np.bool_
    if not is_number or np.size(x) > _LARGEST:
        return None
    array = np.asarray(x)
    if jnp.issubdtype(dtype, jnp.floating):
        array = array.astype(float)
    if array.size == 0:
        return 0
    if (array != array).all():
        return NAN
    first = array.flat[0]
    return _normal(first.item(), dtype) if (array == first).all() else None


def literal(x: Any, dtype: Any) -> Number | None:
    """Return the number that a literal is in its dtype."""
    return uniform(np.asarray(x, dtype))


def _normal(x: Number, dtype: Any) -> Number | None:
    """Return a number, None where some platforms flush it to zero."""
    if not jnp.issubdtype(dtype, jnp.inexact) or x == 0:
        return x
    return None if abs(x) < float(jnp.finfo(dtype).tiny) else x


def _is_small_integer(x: Number) -> bool:
    return not isinstance(x, complex) and abs(x) <= _EXACT and x == int(x)


def _exactly(combine: Callable[[Any, Any], Any]) -> Callable:
    """Compute a sum or a product where no type rounds it."""

    def apply(a: Number, b: Number) -> Number | None:
        if not (_is_small_integer(a) and _is_small_integer(b)):
            return None
        result = combine(a, b)
        return result if _is_small_integer(result) else None

    return apply


def _add(a: Number, b: Number) -> Number | None:
    return a if b == 0 else b if a == 0 else _exactly(operator.add)(a, b)


def _subtract(a: Number, b: Number) -> Number | None:
    return a if b == 0 else -b if a == 0 else _exactly(operator.sub)(a, b)


def multiply(a: Number | None, b: Number | None) -> Number | None:
    """Multiply two numbers, of which zeros are the caller's affair."""
    if a is None or b is None:
        return None
    if 0 in (a, b):
        return 0 if abs(a) < math.inf and abs(b) < math.inf else None
    return a if b == 1 else b if a == 1 else _exactly(operator.mul)(a, b)


def _divide(a: Number, b: Number) -> Number | None:
    return None if b == 0 else 0 if a == 0 else a if b == 1 else None


def _power(a: Number, b: Number) -> Number | None:
    is_positive = not isinstance(b, complex) and b > 0
    return a if a in (0, 1) and is_positive else None


def _signum(x: Number) -> Number | None:
    return None if isinstance(x, complex) or x != x else (x > 0) - (x < 0)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": _add,
    "add_any": _add,
    "sub": _subtract,
    "mul": multiply,
    "div": _divide,
    "pow": _power,
    "rem": lambda a, b: 0 if a == 0 and b != 0 else None,
    "atan2": lambda a, b: 0 if a == 0 and b > 0 else None,
    "max": max,
    "min": min,
    "clamp": lambda low, x, high: min(max(x, low), high),
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "xor": operator.xor,
    "neg": operator.neg,
    "abs": abs,
    "sign": _signum,
    "floor": math.floor,
    "ceil": math.ceil,
    "is_finite": math.isfinite,
    "square": lambda x: multiply(x, x),
}
_AT_ZERO = {  # what functions are at zero
    **dict.fromkeys(("exp", "exp2", "cos", "cosh"), 1),
    **dict.fromkeys(
        ("sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh"), 0
    ),
    **dict.fromkeys(
        ("erf", "expm1", "log1p", "round", "sqrt", "cbrt", "integer_pow"), 0
    ),
}
_AT_ONE = {
    **dict.fromkeys(("sqrt", "cbrt", "integer_pow", "rsqrt", "round"), 1),
    **dict.fromkeys(("log", "log2"), 0),
}


def compute(eqn: JaxprEqn, numbers: Sequence[Number | None]) -> Number | None:
    """Return the number that an elementwise operation makes, None where unknown."""
    aval: Any = eqn.outvars[0].aval
    operands = [getattr(v.aval, "dtype", None) for v in eqn.invars]
    if not all(map(_is_plain, (*operands, getattr(aval, "dtype", None)))):
        return None
    result = _computed(eqn, numbers)
    is_held = result is None or aval.dtype == np.bool_ or abs(result) <= _EXACT
    return result if is_held or _is_operand(result, numbers) else None


def _is_plain(dtype: Any) -> bool:
    """Whether a type holds all small integers, negative ones among them, exactly."""
    return dtype in (np.bool_, np.int32, np.int64) or is_wide(dtype)


def is_wide(dtype: Any) -> bool:
    """Whether a type is of floats with seven digits and more after the first."""
    if not jnp.issubdtype(dtype, jnp.inexact):
        return False
    return keeps_digits(jnp.finfo(dtype).nmant, jnp.finfo(dtype).nexp)


def keeps_digits(mantissa_bits: int, exponent_bits: int) -> bool:
    """Whether a format is as good as bfloat16 or float16, whose rounding passes."""
    return mantissa_bits >= 7 and exponent_bits >= 5


def _is_operand(x: Number | None, numbers: Sequence[Number | None]) -> bool:
    """Whether a number is one of the operands, as by max, min or adding 0."""
    return any(x is a or x == a for a in numbers)


def _computed(eqn: JaxprEqn, numbers: Sequence[Number | None]) -> Number | None:
    name = eqn.primitive.name
    if name == "mul":
        return multiply(*numbers)
    if name in ("and", "or"):
        return _logical(eqn, numbers)
    if name == "integer_pow" and eqn.params["y"] <= 0:
        return None
    operands = [x for x in numbers if x is not None]
    if len(operands) < len(numbers) or any(x != x for x in operands):
        return None
    if name == "not":
        return not operands[0] if _is_boolean(eqn) else None
    if name in _AT_ZERO and operands[0] == 0:
        return _AT_ZERO[name]
    if name in _AT_ONE and operands[0] == 1:
        return _AT_ONE[name]
    if name not in _FUNCTIONS:
        return None
    try:
        return _FUNCTIONS[name](*operands)
    except (TypeError, ValueError, OverflowError):  # of complex or infinite numbers
        return None


def _is_boolean(eqn: JaxprEqn) -> bool:
    aval: Any = eqn.outvars[0].aval
    return aval.dtype == np.bool_


def _logical(eqn: JaxprEqn, numbers: Sequence[Number | None]) -> Number | None:
    """Return what is known of a conjunction; one operand may decide it."""
    if not _is_boolean(eqn):
        return None
    decisive = eqn.primitive.name == "or"
    if any(x is not None and bool(x) == decisive for x in numbers):
        return decisive
    return None if None in numbers else not decisive


def convert(x: Number | None, source: Any, dtype: Any) -> Number | None:
    """Return a number in another dtype, None where it may be rounded."""
    if x is None or isinstance(x, complex) or x != x:
        return None
    if dtype == np.bool_:
        return x != 0
    if _holds(dtype, source):
        return x
    if not _is_small_integer(x) or not 0 <= x < 128 or not _is_byte_or_more(dtype):
        return None
    return int(x) if jnp.issubdtype(dtype, jnp.integer) else x


def _is_byte_or_more(dtype: Any) -> bool:
    """Whether a type holds the integers from 0 to 127."""
    return is_wide(dtype) or (
        jnp.issubdtype(dtype, jnp.integer) and jnp.iinfo(dtype).bits >= 8
    )


def _holds(dtype: Any, source: Any) -> bool:
    """Whether a floating-point type has all numbers of another."""
    if not (is_wide(dtype) and jnp.issubdtype(source, jnp.inexact)):
        return False
    wide, narrow = jnp.finfo(dtype), jnp.finfo(source)
    return wide.nmant >= narrow.nmant and wide.maxexp >= narrow.maxexp
