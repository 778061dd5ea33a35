"""Elementwise arithmetic, comparisons and roundings, with bounds of their errors.

Floats are assumed to follow IEEE 754 with rounding to nearest, except that subnormal
numbers may be flushed to zero; operations may be reordered or fused, and computed in a
higher precision. A quotient may be off by a few units in the last place. Products stay
in the middle of the range of exponents, so that they are normal in any order.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives._dependence.constants.value import (
    Bounds,
    Value,
    evaluator,
    is_float,
    joined,
    one,
)
from jnumerics.derivatives._program.jaxpr import JaxprEqn, dtype_of, shape_of

ULPS = 8  # bound of one operation's error, in units of the last place of its reach
STEPS = 16  # roundings after which nothing is known; the bounds hold for twice as many


@evaluator("platform_index")
def _(eqn: JaxprEqn, _: Sequence[Value]) -> list[Value] | None:
    # known only if one branch is left beside those for hand-written kernels
    outside = [
        k
        for k, names in enumerate(eqn.params["platforms"])
        if names is None or not set(names) <= {"mosaic"}
    ]
    return one(eqn, outside[0]) if len(outside) == 1 else None


@evaluator("iota")
def _(eqn: JaxprEqn, _: Sequence[Value]) -> list[Value] | None:
    shape, axis = shape_of(eqn.outvars[0]), eqn.params["dimension"]
    ramp = np.arange(shape[axis]).reshape(-1, *(1,) * (len(shape) - axis - 1))
    if is_float(dtype_of(eqn.outvars[0])):
        return _to_float(eqn, ramp, None)
    is_held = shape[axis] - 1 <= np.iinfo(dtype_of(eqn.outvars[0])).max
    return one(eqn, ramp) if is_held else None


def _truncated_division(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a - np.fmod(a, b)) // b


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "abs": np.abs,
    "max": np.maximum,
    "min": np.minimum,
}


@evaluator(*_ARITHMETIC)
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    name, dtype = eqn.primitive.name, dtype_of(eqn.outvars[0])
    arrays = [x.array for x in operands]
    if is_float(dtype):
        return _of_floats(eqn, operands)
    if name == "div":
        return (
            None if (arrays[1] == 0).any() else one(eqn, _truncated_division(*arrays))
        )
    return one(eqn, _ARITHMETIC[name](*arrays))


def _of_floats(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    name, dtype = eqn.primitive.name, dtype_of(eqn.outvars[0])
    if name in ("neg", "abs", "max", "min"):
        bounds = joined(operands)
        if bounds is not None and bounds.error and len(operands) > 1:
            bounds = bounds._replace(zeros=False)  # beside what is nearly 0
        return one(eqn, _ARITHMETIC[name](*(x.array for x in operands)), bounds)
    arrays = [x.array.astype(np.float64) for x in operands]
    result = np.asarray(_ARITHMETIC[name](*arrays))
    if not all(_is_moderate(x, dtype) for x in (*arrays, result)):
        return None
    bounds = propagated(name, [x.history for x in operands], arrays)
    if _rounds(name, bounds, arrays, operands, dtype):
        error = bounds.error + ULPS * float(jnp.finfo(dtype).eps) * bounds.reach
        zeros = bounds.zeros and _zeros_stay(name, arrays, result)
        bounds = bounds._replace(error=error, steps=bounds.steps + 1, zeros=zeros)
    is_bound = bounds.is_finite and bounds.steps <= STEPS
    return one(eqn, result, bounds) if is_bound else None


def _zeros_stay(name: str, arrays: Sequence[np.ndarray], result: np.ndarray) -> bool:
    """Whether a result is 0 only where its operands are: no sum that cancels."""
    if name in ("mul", "div"):
        return True
    a, b = arrays
    return bool(((result != 0) | ((a == 0) & (b == 0))).all())


def _is_moderate(array: np.ndarray, dtype: Any) -> bool:
    """Whether the product of any two of these numbers, or inverses, is normal."""
    numbers, info = np.abs(array), jnp.finfo(dtype)
    low, high = math.sqrt(float(info.tiny)), math.sqrt(float(info.max))
    return bool(((numbers == 0) | ((numbers >= low) & (numbers <= high))).all())


def propagated(
    name: str, operands: Sequence[Bounds], arrays: Sequence[np.ndarray]
) -> Bounds:
    """Return the bounds that a result inherits from its operands, before it rounds."""
    a, b = operands
    steps, zeros = a.steps + b.steps, a.zeros and b.zeros
    if name in ("add", "sub"):
        return Bounds(
            a.error + b.error, min(a.unit, b.unit), a.reach + b.reach, steps, zeros
        )
    if name == "mul":
        error = a.reach * b.error + (b.reach + b.error) * a.error
        return Bounds(error, a.unit * b.unit, a.reach * b.reach, steps, zeros)
    divisors = np.abs(arrays[1])
    least = float(divisors.min(initial=math.inf)) - b.error
    greatest = float(divisors.max(initial=0.0))
    if least <= 0:
        return Bounds(math.inf, 0.0, math.inf, steps, zeros)
    error = (a.error + a.reach / least * b.error) / least
    unit = a.unit / greatest if greatest else math.inf
    return Bounds(error, unit, a.reach / least, steps, zeros)


def _rounds(
    name: str,
    bounds: Bounds,
    arrays: Sequence[np.ndarray],
    operands: Sequence[Value],
    dtype: Any,
) -> bool:
    """Whether some way to compute the result rounds."""
    if name == "div":  # some devices multiply by the reciprocal
        mantissa, _ = np.frexp(arrays[1])
        if operands[1].bounds is not None or (np.abs(mantissa) != 0.5).any():
            return True
    return not bounds.is_exact(dtype)


_DISCRETE: dict[str, Callable[..., Any]] = {
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
    "sign": np.sign,
    "square": np.square,
}


@evaluator(*_DISCRETE)
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    if is_float(dtype_of(eqn.outvars[0])):
        return None
    return one(eqn, _DISCRETE[eqn.primitive.name](*(x.array for x in operands)))


@evaluator("shift_left", "shift_right_arithmetic", "shift_right_logical")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    (x, by), dtype = (v.array for v in operands), dtype_of(eqn.outvars[0])
    if ((by < 0) | (by >= np.iinfo(dtype).bits)).any():
        return None
    if eqn.primitive.name == "shift_left":
        return one(eqn, np.left_shift(x, by))
    kind = "u" if eqn.primitive.name == "shift_right_logical" else "i"
    bits = x.view(f"{kind}{dtype.itemsize}")  # the bits, with or without a sign
    return one(eqn, np.right_shift(bits, by.astype(bits.dtype)))


@evaluator("rem")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    a, b = operands
    if (b.array == 0).any():
        return None
    if not is_float(a.array.dtype):
        return one(eqn, np.fmod(a.array, b.array))
    # Exact as C's fmod, where every multiple that a device may subtract is a float.
    bounds = propagated("add", [a.history, b.history], [])
    moderate = all(_is_moderate(x.array.astype(float), x.array.dtype) for x in operands)
    if not moderate or not bounds.is_exact(a.array.dtype):
        return None
    return one(eqn, np.fmod(a.array.astype(float), b.array.astype(float)))


_COMPARISONS: dict[str, Callable[..., Any]] = {
    "eq": np.equal,
    "eq_to": np.equal,  # in the total order, the same for integers
    "lt_to": np.less,
    "le_to": np.less_equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


@evaluator(*_COMPARISONS)
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    a, b = operands
    error = a.error + b.error
    if eqn.primitive.name.endswith("_to") and is_float(a.array.dtype):
        return None
    if error:
        distance = np.abs(a.array.astype(float) - b.array.astype(float))
        if not (distance > error).all():
            return None
    return one(eqn, _COMPARISONS[eqn.primitive.name](a.array, b.array))


_ROUNDINGS: dict[str, Callable[..., Any]] = {"floor": np.floor, "ceil": np.ceil}


@evaluator("floor", "ceil")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    (x,) = operands
    rounding = _ROUNDINGS[eqn.primitive.name]
    return one(eqn, rounding(x.array)) if _is_same(rounding, x) else None


@evaluator("convert_element_type")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    (x,), dtype = operands, dtype_of(eqn.outvars[0])
    if is_float(dtype):
        return _to_float(eqn, x.array, x.bounds)
    if not is_float(x.array.dtype):
        return one(eqn, x.array)
    if np.issubdtype(dtype, np.bool_):
        is_sure = x.error == 0 or bool((np.abs(x.array) > x.error).all())
        return one(eqn, x.array != 0) if is_sure else None
    whole, bounds = np.trunc(x.array.astype(float)), jnp.iinfo(dtype)
    least, greatest = max(bounds.min, -(2**31)), min(bounds.max, 2**31 - 1)
    in_range = ((whole >= least) & (whole <= greatest)).all()  # else platforms saturate
    return one(eqn, whole) if in_range and _is_same(np.trunc, x) else None


def _to_float(
    eqn: JaxprEqn, array: np.ndarray, bounds: Bounds | None
) -> list[Value] | None:
    """Round numbers to a float dtype, unless the compiler keeps more digits."""
    info = jnp.finfo(dtype_of(eqn.outvars[0]))
    numbers = array.astype(np.float64)
    if not is_float(array.dtype) and (np.abs(numbers) > 2.0**53).any():
        return None
    if ((numbers != 0) & (np.abs(numbers) < 2 * float(info.tiny))).any():
        return None  # it may be flushed
    converted = numbers.astype(info.dtype)
    after = converted.astype(np.float64)
    difference = np.abs(np.where(after == numbers, 0, after - numbers))
    error = float(difference.max(initial=0))
    if not np.isfinite(error):
        return None
    if error:
        bounds = Bounds.from_numbers(numbers) if bounds is None else bounds
        total = bounds.error + error
        bounds = bounds._replace(error=total, steps=bounds.steps + 1)
    return one(eqn, converted, bounds)


def _is_same(rounding: Callable[[Any], Any], x: Value) -> bool:
    """Whether a float rounds to the same integer over the whole of its error."""
    array = x.array.astype(float)
    return np.array_equal(rounding(array - x.error), rounding(array + x.error))
