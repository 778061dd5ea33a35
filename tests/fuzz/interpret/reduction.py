"""Reductions, running reductions, sorts."""

from typing import Any

import numpy as np

from tests.fuzz.interpret.core import Eqn, Function, Interpreter, evaluator, shape_of

_REDUCTIONS: dict[str, np.ufunc] = {
    "reduce_sum": np.add,
    "reduce_prod": np.multiply,
    "reduce_and": np.bitwise_and,
    "reduce_or": np.bitwise_or,
    "reduce_xor": np.bitwise_xor,
}


@evaluator(*_REDUCTIONS)
def _(eqn: Eqn) -> Function:
    axes, combine = tuple(map(int, eqn.params["axes"])), _REDUCTIONS[eqn.primitive.name]
    dtype = eqn.outvars[0].aval.dtype
    return lambda x: np.asarray(combine.reduce(x, axes, dtype=dtype))


@evaluator("reduce_max", "reduce_min")
def _(eqn: Eqn) -> Function:
    axes, dtype = tuple(map(int, eqn.params["axes"])), eqn.outvars[0].aval.dtype
    is_max = eqn.primitive.name == "reduce_max"
    if dtype.kind == "b":
        start: Any = not is_max
    elif dtype.kind in "fc":
        start = -np.inf if is_max else np.inf
    else:
        start = np.iinfo(dtype).min if is_max else np.iinfo(dtype).max
    combine = np.max if is_max else np.min
    return lambda x: np.asarray(combine(x, axes, initial=start), dtype)


@evaluator("reduce")
def _(eqn: Eqn) -> Function:
    p, n = eqn.params, len(eqn.invars) // 2
    axes = tuple(map(int, p["dimensions"]))
    body = Interpreter(p["jaxpr"])
    first = tuple(range(len(axes)))

    def fun(*operands: Any) -> Any:
        xs = [np.moveaxis(x, axes, first) for x in operands[:n]]
        xs = [x.reshape(-1, *x.shape[len(axes) :]) for x in xs]
        reduced = [
            np.broadcast_to(s, x.shape[1:])
            for s, x in zip(operands[n:], xs, strict=True)
        ]
        for k in range(len(xs[0])):
            reduced = body(*reduced, *(x[k] for x in xs))
        return [*map(np.asarray, reduced)]

    return fun


@evaluator("argmax", "argmin")
def _(eqn: Eqn) -> Function:
    (axis,), dtype = eqn.params["axes"], eqn.params["index_dtype"]
    find = np.argmax if eqn.primitive.name == "argmax" else np.argmin
    return lambda x: np.asarray(find(x, axis), dtype)


_RUNNING: dict[str, Any] = {
    "cumsum": np.add,
    "cumprod": np.multiply,
    "cummax": np.maximum,
    "cummin": np.minimum,
    "cumlogsumexp": np.logaddexp,
}


@evaluator(*_RUNNING)
def _(eqn: Eqn) -> Function:
    combine, axis = _RUNNING[eqn.primitive.name], eqn.params["axis"]
    dtype = eqn.outvars[0].aval.dtype
    if not eqn.params["reverse"]:
        return lambda x: combine.accumulate(x, axis, dtype=dtype)
    return lambda x: np.flip(
        combine.accumulate(np.flip(x, axis), axis, dtype=dtype), axis
    )


@evaluator("sort")
def _(eqn: Eqn) -> Function:
    axis, n_keys = eqn.params["dimension"], eqn.params["num_keys"]

    def fun(*operands: Any) -> Any:
        order = np.lexsort(operands[:n_keys][::-1], axis)
        return [np.take_along_axis(x, order, axis) for x in operands]

    return fun


@evaluator("top_k")
def _(eqn: Eqn) -> Function:
    k = eqn.params["k"]
    axis = eqn.params.get("axis", len(shape_of(eqn.invars[0])) - 1)
    dtype = eqn.outvars[1].aval.dtype

    def fun(x: Any) -> Any:
        order = np.argsort(-x, axis, kind="stable").take(range(k), axis)
        return [np.take_along_axis(x, order, axis), order.astype(dtype)]

    return fun
