"""Elementwise primitives."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from scipy import special

from tests.fuzz.interpret.core import EVALUATORS, Eqn, Function, by_jax, evaluator


def _integer(x: Any) -> bool:
    return x.dtype.kind in "iu"


def _div(a: Any, b: Any) -> Any:
    if not _integer(a):
        return a / b
    safe = np.where(b == 0, 1, b).astype(a.dtype)
    quotient = (a - np.fmod(a, safe)) // safe  # towards zero
    return np.where(b == 0, np.array(-1).astype(a.dtype), quotient)


def _rem(a: Any, b: Any) -> Any:
    if not _integer(a):
        return np.fmod(a, b)
    safe = np.where(b == 0, 1, b).astype(a.dtype)
    return np.where(b == 0, a, np.fmod(a, safe))


def _logistic(x: Any) -> Any:
    return np.reciprocal(1 + np.exp(-x))


def _sign(x: Any) -> Any:
    if x.dtype.kind == "c":
        size = np.abs(x)
        return np.where(size == 0, 0, x / np.where(size == 0, 1, size)).astype(x.dtype)
    return np.sign(x)


def _atan2(y: Any, x: Any) -> Any:
    return np.arctan2(y, x)


def _bitwise(name: str) -> Function:
    logical: dict[str, Any] = {
        "and": (np.logical_and, np.bitwise_and),
        "or": (np.logical_or, np.bitwise_or),
        "xor": (np.logical_xor, np.bitwise_xor),
    }
    first, second = logical[name]
    return lambda a, b: first(a, b) if a.dtype == bool else second(a, b)


_PLAIN: dict[str, Callable[..., Any]] = {
    "add": np.add, "add_any": np.add, "sub": np.subtract, "mul": np.multiply,
    "div": _div, "rem": _rem, "neg": np.negative, "abs": np.abs, "sign": _sign,
    "max": np.maximum, "min": np.minimum, "pow": np.power, "square": np.square,
    "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "cbrt": np.cbrt,
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log,
    "log1p": np.log1p, "log2": np.log2, "logistic": _logistic,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "tanh": np.tanh, "sinh": np.sinh,
    "cosh": np.cosh, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "atan2": _atan2,
    "erf": special.erf, "erfc": special.erfc, "erf_inv": special.erfinv,
    "lgamma": special.gammaln, "digamma": special.digamma,
    "bessel_i0e": special.i0e, "bessel_i1e": special.i1e,
    "igamma": special.gammainc, "igammac": special.gammaincc,
    "regularized_incomplete_beta": special.betainc, "zeta": special.zeta,
    "floor": np.floor, "ceil": np.ceil, "is_finite": np.isfinite,
    "nextafter": np.nextafter,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal,
    "eq_to": np.equal, "lt_to": np.less, "le_to": np.less_equal,
    "not": lambda x: np.logical_not(x) if x.dtype == bool else np.invert(x),
    "and": _bitwise("and"), "or": _bitwise("or"), "xor": _bitwise("xor"),
    "real": lambda x: np.real(x), "imag": lambda x: np.imag(x), "conj": np.conj,
    "copy": lambda x: x, "copy_p": lambda x: x, "stop_gradient": lambda x: x,
    "name": lambda x: x, "sharding_constraint": lambda x: x, "reshard": lambda x: x,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
    "one_minus_square": lambda x: 1 - x * x,
}  # fmt: skip

_LIKE_FIRST = {
    "erf", "erfc", "erf_inv", "lgamma", "digamma", "igamma", "igammac", "zeta", "clamp",
    "regularized_incomplete_beta", "bessel_i0e", "bessel_i1e", "cbrt", "rsqrt",
    "div", "rem", "logistic", "nextafter", "pow",
}  # fmt: skip


def _plain(name: str, fun: Callable[..., Any]) -> Callable[[Eqn], Function]:
    def make(eqn: Eqn) -> Function:
        dtype = eqn.outvars[0].aval.dtype
        if name in _LIKE_FIRST:
            return lambda *args: np.asarray(fun(*args), dtype)
        return fun

    return make


EVALUATORS.update({name: _plain(name, fun) for name, fun in _PLAIN.items()})


@evaluator("device_put", "optimization_barrier")
def _(_: Eqn) -> Function:
    return lambda *args: args


@evaluator("integer_pow")
def _(eqn: Eqn) -> Function:
    y, dtype = eqn.params["y"], eqn.outvars[0].aval.dtype
    if y < 0:
        return lambda x: np.asarray(1 / x ** (-y), dtype)
    return lambda x: np.asarray(x**y, dtype)


@evaluator("complex")
def _(eqn: Eqn) -> Function:
    dtype = eqn.outvars[0].aval.dtype
    return lambda a, b: np.asarray(a + 1j * b, dtype)


@evaluator("round")
def _(eqn: Eqn) -> Function:
    if eqn.params["rounding_method"] == lax.RoundingMethod.TO_NEAREST_EVEN:
        return np.rint
    return lambda x: np.trunc(x + np.copysign(0.5, x)).astype(x.dtype)


@evaluator("select_n")
def _(eqn: Eqn) -> Function:
    if len(eqn.invars) == 3:
        return lambda which, a, b: np.where(which, b, a)

    def fun(which: Any, *cases: Any) -> Any:
        selected = cases[0]
        for k, case in enumerate(cases[1:], 1):
            selected = np.where(which == k, case, selected)
        return selected

    return fun


@evaluator("convert_element_type")
def _(eqn: Eqn) -> Function:
    dtype = np.dtype(eqn.params["new_dtype"])

    def fun(x: Any) -> Any:
        if dtype.kind == "b":
            return x != 0
        if x.dtype.kind == "c" and dtype.kind != "c":
            x = x.real
        if x.dtype.kind == "f" and dtype.kind in "iu":
            bounds = jnp.iinfo(dtype)
            held = np.clip(np.nan_to_num(np.trunc(x)), bounds.min, bounds.max)
            top = held >= float(bounds.max)
            return np.where(top, bounds.max, np.where(top, 0, held).astype(dtype))
        return x.astype(dtype)

    def exact(x: Any) -> Any:
        return np.asarray(fun(x), dtype)

    return exact


@evaluator("bitcast_convert_type")
def _(eqn: Eqn) -> Function | None:
    dtype, old = np.dtype(eqn.params["new_dtype"]), eqn.invars[0].aval.dtype
    if dtype.itemsize != old.itemsize:
        return by_jax(eqn)
    return lambda x: np.ascontiguousarray(x).view(dtype).reshape(np.shape(x))


def _shift(name: str) -> Callable[[Eqn], Function]:
    def make(_: Eqn) -> Function:
        def fun(x: Any, n: Any) -> Any:
            bits = x.dtype.itemsize * 8
            data = x if name == "shift_right_arithmetic" else x.view(f"u{bits // 8}")
            inside = (n >= 0) & (n < bits)
            by = np.where(inside, n, 0).astype(data.dtype)
            if name == "shift_right_arithmetic":
                by = np.where(inside, n, bits - 1).astype(data.dtype)
                return np.asarray(data >> by, x.dtype)
            moved = data << by if name == "shift_left" else data >> by
            return np.where(inside, moved, 0).astype(data.dtype).view(x.dtype)

        return fun

    return make


EVALUATORS.update(
    {
        name: _shift(name)
        for name in ("shift_left", "shift_right_logical", "shift_right_arithmetic")
    }
)


@evaluator("polygamma")
def _(eqn: Eqn) -> Function:
    dtype = eqn.outvars[0].aval.dtype

    def fun(m: Any, x: Any) -> Any:
        sign = np.where(m % 2 == 0, -1.0, 1.0)
        value = sign * special.gamma(m + 1) * special.zeta(m + 1, x)
        return np.asarray(np.where(m == 0, special.digamma(x), value), dtype)

    return fun


@evaluator("reduce_precision")
def _(eqn: Eqn) -> Function:
    p, own = eqn.params, jnp.finfo(eqn.invars[0].aval.dtype)
    if p["exponent_bits"] >= own.nexp and p["mantissa_bits"] >= own.nmant:
        return lambda x: x
    return by_jax(eqn)


@evaluator("platform_index")
def _(eqn: Eqn) -> Function:
    """Number the branch for the processor, or the default."""
    named = [
        k for k, names in enumerate(eqn.params["platforms"]) if names and "cpu" in names
    ]
    branches = named or [
        k for k, names in enumerate(eqn.params["platforms"]) if names is None
    ]
    return lambda: np.int32(branches[0])


@evaluator("empty2", "empty")
def _(eqn: Eqn) -> Function:
    aval = eqn.outvars[0].aval
    return lambda *_: np.zeros(aval.shape, aval.dtype)


@evaluator("population_count")
def _(_: Eqn) -> Function:
    return lambda x: np.bitwise_count(x).astype(x.dtype)
