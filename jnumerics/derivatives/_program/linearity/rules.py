"""Which operations are linear, and in which of their operands.

An operation without a rule, or of a parameter that its rule does not know, is unproven
as soon as a tangent enters it. Comparisons, clamps, extremes, signs, casts to integers
and what reads an index or a predicate made of tangents have no rule: they are not
linear.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn
from jax.lax import GatherScatterMode

from jnumerics.derivatives._program.linearity import numbers as _numbers
from jnumerics.derivatives._program.linearity.numbers import Number
from jnumerics.derivatives._program.linearity.value import (
    Degree,
    Value,
    join,
    product,
    summed,
)

Rule = Callable[[JaxprEqn, Sequence[Value]], Sequence[Value]]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for primitives."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def unruled(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    """Return what holds of any operation: of free operands it makes free results."""
    degree = Degree.FREE if all(v.is_free for v in values) else Degree.UNPROVEN
    numbers = [v.at_zero for v in values]
    number = _numbers.compute(eqn, numbers) if len(eqn.outvars) == 1 else None
    return [Value(degree, number)] * len(eqn.outvars)


def _zero(values: Sequence[Value]) -> Number | None:
    return 0 if all(v.at_zero == 0 for v in values) else None


@rule(
    "reduce_sum", "cumsum", "reduce_window_sum", "fft", "psum", "psum_invariant",
    "reduce_scatter", "psum_scatter", "ppermute", "real", "conj",
)  # fmt: skip
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    # each operand by itself
    results = [Value(v.degree, _zero([v])) for v in values]
    return results if len(results) == len(eqn.outvars) else unruled(eqn, values)


@rule(
    "reshape", "broadcast_in_dim", "transpose", "squeeze", "rev", "slice", "copy",
    "copy_p", "tile", "expand_dims", "device_put", "sharding_constraint", "reshard",
    "layout_constraint", "optimization_barrier", "name", "stop_gradient", "split",
    "unstack", "all_gather", "all_gather_invariant", "all_to_all",
    "pbroadcast", "pvary",
)  # fmt: skip
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    if len(values) == len(eqn.outvars):
        return list(values)
    if len(values) == 1:
        return [values[0]] * len(eqn.outvars)
    return unruled(eqn, values)


@rule("neg", "imag")
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    (x,) = values
    number = 0 if x.at_zero == 0 else _numbers.compute(eqn, [x.at_zero])
    return [Value(x.degree, number)]


@rule("convert_element_type")
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    (x,), dtype = values, eqn.params["new_dtype"]
    source: Any = eqn.invars[0].aval
    return [Value(x.degree, _numbers.convert(x.at_zero, source.dtype, dtype))]


@rule("reduce_precision")
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    (x,), p = values, eqn.params
    result = Value(x.degree, _zero(values))
    if x.is_free or _numbers.keeps_digits(p["mantissa_bits"], p["exponent_bits"]):
        return [result]
    return [result._replace(degree=Degree.UNPROVEN)]


@rule("add", "add_any", "sub")
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    return [Value(summed(values), _numbers.compute(eqn, [v.at_zero for v in values]))]


@rule("complex")
def _(_: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    return [Value(summed(values), _zero(values))]


@rule("concatenate", "stack", "pad")
def _(_: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    return [join(values)]


@rule("select_n")
def _(_: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    which, *cases = values
    result = join(cases)
    if which.at_zero is not None and 0 <= which.at_zero.real < len(cases):
        result = result._replace(at_zero=cases[int(which.at_zero.real)].at_zero)
    if which.is_free:
        return [result]
    return [result._replace(degree=Degree.UNPROVEN)]


@rule("dynamic_update_slice")
def _(_: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    return _placed(values[:2], values[2:])


@rule("scatter", "scatter-add", "scatter-sub")
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    operand, indices, updates = values
    replaces = eqn.primitive.name == "scatter"
    if replaces and eqn.params["update_jaxpr"] is not None:
        return unruled(eqn, values)  # a function applied in place
    (result,) = _placed([operand, updates], [indices])
    return [result if replaces else result._replace(at_zero=_zero([operand, updates]))]


@rule("scatter-mul")
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    operand, *others = values
    if not all(v.is_free for v in others):
        return unruled(eqn, values)
    return [Value(operand.degree, _zero([operand]))]


def _placed(parts: Sequence[Value], indices: Sequence[Value]) -> list[Value]:
    """Put one part into another, where free indices say."""
    result = join(parts)
    if all(v.is_free for v in indices):
        return [result]
    return [result._replace(degree=Degree.UNPROVEN)]


@rule("gather")
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    fill = eqn.params.get("fill_value")
    if fill is not None and fill != 0 and fill == fill:
        return unruled(eqn, values)  # a constant beside the tangents
    (result,) = _read(values[0], values[1:])
    is_filled = eqn.params["mode"] == GatherScatterMode.FILL_OR_DROP
    if is_filled and result.at_zero != fill:  # NaN by default
        is_neutral = result.is_free and result.at_zero == 0  # so is NaN
        result = result._replace(at_zero=_numbers.NAN if is_neutral else None)
    return [result]


@rule("dynamic_slice", "select_and_scatter_add", "select_and_gather_add")
def _(_: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    return _read(values[0], values[1:])


def _read(x: Value, indices: Sequence[Value]) -> list[Value]:
    """Read from one operand, where the others, which must be free, say."""
    if all(v.is_free for v in indices):
        return [x]
    return [x._replace(degree=Degree.UNPROVEN)]


@rule("polynomial")
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    x, *coefficients = values
    if not x.is_free:
        return unruled(eqn, values)
    return [Value(summed(coefficients), _zero(coefficients))]


@rule("sort")
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    keys = values[: eqn.params["num_keys"]]
    if all(v.is_free for v in keys):
        return list(values)
    return [v._replace(degree=Degree.UNPROVEN) for v in values]


@rule(
    "mul", "dot_general", "conv_general_dilated", "ragged_dot", "ragged_dot_general",
    "bcoo_dot_general",
)  # fmt: skip
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    degree, factors = product(values), values[:2]
    if eqn.primitive.name == "bcoo_dot_general":  # data, indices, dense
        factors = [values[0], values[2]]
        degree = degree if values[1].is_free else Degree.UNPROVEN
    is_zero = any(v.at_zero == 0 for v in factors) and all(map(_is_finite, factors))
    number = 0 if is_zero else _numbers.compute(eqn, [v.at_zero for v in values])
    if number is None and degree == Degree.FREE and any(v.is_neutral for v in factors):
        number = _numbers.NAN  # zero, or NaN where NaN filled
    return [Value(degree, number)]


def _is_finite(v: Value) -> bool:
    """Whether a factor may be taken to be finite, as free numbers are meant to be."""
    return v.is_free or (v.at_zero is not None and abs(v.at_zero) < np.inf)


@rule("div")
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    x, divisor = values
    if not divisor.is_free:
        return unruled(eqn, values)
    is_zero = x.at_zero == 0 and divisor.at_zero != 0
    number = 0 if is_zero else _numbers.compute(eqn, [v.at_zero for v in values])
    return [Value(x.degree, number)]


@rule("triangular_solve", "tridiagonal_solve")
def _(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    *matrix, rhs = values
    if not all(v.is_free for v in matrix):
        return unruled(eqn, values)
    return [Value(rhs.degree, _zero([rhs]))]


def _of_same_number(eqn: JaxprEqn, values: Sequence[Value]) -> list[Value]:
    """Reduce equal numbers to that number, though by no linear operation."""
    (result,) = unruled(eqn, values)
    shape: Any = eqn.invars[0].aval
    is_empty = 0 in shape.shape
    return [result._replace(at_zero=None if is_empty else values[0].at_zero)]


RULES.update(
    dict.fromkeys(
        ["reduce_max", "reduce_min", "reduce_and", "reduce_or", "cummax", "cummin"],
        _of_same_number,
    )
)
