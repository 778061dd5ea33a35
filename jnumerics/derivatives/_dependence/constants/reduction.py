"""Reductions and running reductions of integers; selections."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jnumerics.derivatives._dependence.constants.value import (
    Value,
    evaluator,
    is_float,
    joined,
    one,
)
from jnumerics.derivatives._program.jaxpr import JaxprEqn


@evaluator("select_n")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    which, *cases = operands
    chosen, result = which.array, cases[0].array
    if ((chosen < 0) | (chosen >= len(cases))).any():
        return None  # which case is taken depends on the platform
    for k, case in enumerate(cases[1:], 1):
        result = np.where(chosen == k, case.array, result)
    return one(eqn, result, joined(cases))


_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "reduce_sum": np.sum,
    "reduce_prod": np.prod,
    "reduce_max": np.max,
    "reduce_min": np.min,
    "reduce_and": np.bitwise_and.reduce,
    "reduce_or": np.bitwise_or.reduce,
}


@evaluator(*_REDUCTIONS)
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    (x,), name = operands, eqn.primitive.name
    if np.size(x.full) == 0 or (
        is_float(x.array.dtype) and name[-3:] not in ("max", "min")
    ):
        return None
    axes = tuple(eqn.params["axes"])
    kwargs = {"dtype": x.array.dtype} if name in ("reduce_sum", "reduce_prod") else {}
    return one(eqn, _REDUCTIONS[name](x.full, axis=axes, **kwargs), x.bounds)


_RUNNING: dict[str, Any] = {
    "cumsum": np.add,
    "cumprod": np.multiply,
    "cummax": np.maximum,
    "cummin": np.minimum,
}


@evaluator(*_RUNNING)
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    (x,), axis = operands, eqn.params["axis"]
    if is_float(x.array.dtype):
        return None
    data = np.flip(x.full, axis) if eqn.params["reverse"] else x.full
    result = _RUNNING[eqn.primitive.name].accumulate(data, axis, dtype=data.dtype)
    return one(eqn, np.flip(result, axis) if eqn.params["reverse"] else result)
