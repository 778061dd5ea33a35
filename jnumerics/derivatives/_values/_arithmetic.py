"""Elementwise arithmetic, comparisons and roundings, with bounds of their errors."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn

from jnumerics.derivatives._rules._boxes import dtype_of, shape_of
from jnumerics.derivatives._values._value import Value, evaluator, is_float, one


@evaluator("platform_index")
def _(eqn: JaxprEqn, _: Sequence[Value]) -> list[Value] | None:
    # known only where one branch remains beside those inside hand-written kernels
    outside = [
        k
        for k, names in enumerate(eqn.params["platforms"])
        if names is None or not set(names) <= {"mosaic"}
    ]
    return one(eqn, outside[0]) if len(outside) == 1 else None


@evaluator("iota")
def _(eqn: JaxprEqn, _: Sequence[Value]) -> list[Value]:
    shape, axis = shape_of(eqn.outvars[0]), eqn.params["dimension"]
    return one(eqn, np.arange(shape[axis]).reshape(-1, *(1,) * (len(shape) - axis - 1)))


def _truncated_division(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    safe = np.where(b == 0, 1, b)
    return (a - np.fmod(a, safe)) // safe


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
    if not is_float(dtype):
        if name == "div":
            return (
                None
                if (arrays[1] == 0).any()
                else one(eqn, _truncated_division(*arrays))
            )
        return one(eqn, _ARITHMETIC[name](*arrays))
    if np.issubdtype(dtype, np.complexfloating):
        return None
    exact = np.asarray(_ARITHMETIC[name](*(x.astype(np.longdouble) for x in arrays)))
    rounded = exact.astype(dtype)
    if not np.isfinite(rounded).all():
        return None
    error = propagated(name, operands)
    if not _is_exact(name, arrays, exact, rounded):
        error += 2 * float(jnp.finfo(dtype).eps) * float(np.abs(exact).max())
    return one(eqn, rounded, error)


def _is_exact(
    name: str, arrays: Sequence[np.ndarray], exact: np.ndarray, rounded: np.ndarray
) -> bool:
    """Whether any way to compute it gives the same float."""
    if name == "div":  # some devices multiply by the reciprocal
        mantissa, _ = np.frexp(arrays[1].astype(np.longdouble))
        return bool((np.abs(mantissa) == 0.5).all())
    if name in ("neg", "abs", "max", "min"):
        return True
    if np.finfo(np.longdouble).nmant <= jnp.finfo(rounded.dtype).nmant:
        is_integer = (exact == np.rint(exact)) & (np.abs(exact) < 2**53)
        return bool(is_integer.all())
    return np.array_equal(rounded.astype(np.longdouble), exact)


def propagated(name: str, operands: Sequence[Value]) -> float:
    """Bound the error that a float operation takes over from its operands."""
    errors = [x.error for x in operands]
    if not any(errors):
        return 0.0
    if name not in ("mul", "div"):
        return sum(errors)
    a, b = (np.abs(x.array.astype(float)) for x in operands)
    if name == "mul":
        return a.max() * errors[1] + (b.max() + errors[1]) * errors[0]
    least = b.min() - errors[1]
    if least <= 0:
        return np.inf
    return (errors[0] + a.max() / b.min() * errors[1]) / least


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
    if any(x.error for x in operands) or is_float(dtype_of(eqn.outvars[0])):
        return None
    return one(eqn, _DISCRETE[eqn.primitive.name](*(x.array for x in operands)))


@evaluator("rem")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    a, b = operands
    if a.error or b.error or (b.array == 0).any():
        return None
    return one(eqn, np.fmod(a.array, b.array))  # exact for floats too


_COMPARISONS: dict[str, Callable[..., Any]] = {
    "eq": np.equal,
    "eq_to": np.equal,  # in the total order, the same for what is not NaN
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
    before, after = is_float(x.array.dtype), is_float(dtype)
    if not before and not after:
        return one(eqn, x.array)
    if np.iscomplexobj(x.array) or np.issubdtype(dtype, np.complexfloating):
        return None
    if after:
        converted = x.array.astype(dtype)
        difference = np.abs(converted.astype(float) - x.array.astype(float))
        error = x.error + float(difference.max(initial=0))
        return one(eqn, converted, error) if np.isfinite(error) else None
    if np.issubdtype(dtype, np.bool_):
        is_sure = x.error == 0 or bool((np.abs(x.array) > x.error).all())
        return one(eqn, x.array != 0) if is_sure else None
    whole, bounds = np.trunc(x.array.astype(float)), jnp.iinfo(dtype)
    least, most = max(bounds.min, -(2**31)), min(bounds.max, 2**31 - 1)
    in_range = ((whole >= least) & (whole <= most)).all()  # else platforms saturate
    return one(eqn, whole) if in_range and _is_same(np.trunc, x) else None


def _is_same(rounding: Callable[[Any], Any], x: Value) -> bool:
    """Whether a float rounds to the same integer over the whole of its error."""
    array = x.array.astype(float)
    return x.error == 0 or np.array_equal(
        rounding(array - x.error), rounding(array + x.error)
    )
