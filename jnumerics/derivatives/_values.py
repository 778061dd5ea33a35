"""Index arithmetic in NumPy: what a known equation computes, in microseconds.

Evaluating an equation by JAX compiles it; indices and masks are made by few primitives,
which stand here in NumPy. As in a box, an axis along which a value does not change has
length 1.

A mask that depends on how a float was rounded is not known: a compiler may fuse or
reorder the arithmetic. So floats carry a bound of their error, and what turns floats
to integers or booleans must come out the same over the whole of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.extend.core as jex
import numpy as np
from jax.extend.core import JaxprEqn, Var

from jnumerics.derivatives._rules import apply_rule
from jnumerics.derivatives._rules._boxes import dtype_of, shape_of
from jnumerics.derivatives._rules._indexing import gather_places, scatter_places
from jnumerics.derivatives._tangent import Atom, closed


@dataclass(frozen=True)
class Value:
    """A known value.

    Attributes:
        array: The value, of length 1 along axes where it does not change.
        shape: Its true shape.
        error: Bound of the absolute error; 0 where nothing was rounded.
    """

    array: np.ndarray
    shape: tuple[int, ...]
    error: float = 0.0

    @property
    def full(self) -> np.ndarray:
        """The value in its true shape, a view."""
        return np.broadcast_to(self.array, self.shape)


Evaluator = Callable[[JaxprEqn, Sequence[Value]], "Sequence[Value] | None"]


def evaluate(eqn: JaxprEqn, operands: Sequence[Value]) -> Sequence[Value] | None:
    """Evaluate an equation; None where its value must not be relied on."""
    name = eqn.primitive.name
    with np.errstate(all="ignore"):
        if name in _EVALUATORS:
            return _EVALUATORS[name](eqn, operands)
        if name in _MOVES:
            return _moved(eqn, operands)
    is_exact = all(x.error == 0 for x in operands)
    if is_exact and not any(_is_float(dtype_of(v)) for v in eqn.outvars):
        return _by_jax(eqn, operands)
    return None


def _by_jax(eqn: JaxprEqn, operands: Sequence[Value]) -> Sequence[Value]:
    inputs = [Var(v.aval) for v in eqn.invars]
    call = eqn.replace(invars=list[Atom](inputs))
    fun = jex.jaxpr_as_fun(closed([call], inputs, eqn.outvars))
    with jax.ensure_compile_time_eval():
        results = fun(*(x.full for x in operands))
        return [
            Value(np.asarray(y), shape_of(v))
            for y, v in zip(results, eqn.outvars, strict=True)
        ]


def _is_float(dtype: Any) -> bool:
    return jax.numpy.issubdtype(dtype, jax.numpy.inexact)


# --- movement: the rules of boxes move any array -------------------------------------

_MOVES = {
    "broadcast_in_dim", "concatenate", "copy", "copy_p", "dynamic_slice", "expand_dims",
    "optimization_barrier", "reshape", "rev", "slice", "split", "squeeze", "stack",
    "stop_gradient", "tile", "transpose", "unstack",
}  # fmt: skip


class _Operands:
    """The context of an equation all of whose operands are known."""

    def __init__(self, eqn: JaxprEqn, operands: Sequence[Value]) -> None:
        self._values = {id(v): x for v, x in zip(eqn.invars, operands, strict=True)}

    def known(self, atom: Any) -> np.ndarray:
        return self._values[id(atom)].full


def _moved(eqn: JaxprEqn, operands: Sequence[Value]) -> Sequence[Value] | None:
    data: list[np.ndarray | None] = [x.array[None] for x in operands]
    if eqn.primitive.name == "dynamic_slice":
        data[1:] = [None] * (len(data) - 1)
    context: Any = _Operands(eqn, operands)
    results = apply_rule(context, eqn, data)
    if results is None:
        return None
    error = max(x.error for x in operands)
    return [
        Value(y[0], shape_of(v), error)
        for y, v in zip(results, eqn.outvars, strict=True)
    ]


# --- the table -----------------------------------------------------------------------

_EVALUATORS: dict[str, Evaluator] = {}


def _evaluator(*names: str) -> Callable[[Evaluator], Evaluator]:
    def register(fun: Evaluator) -> Evaluator:
        _EVALUATORS.update(dict.fromkeys(names, fun))
        return fun

    return register


def _one(eqn: JaxprEqn, array: Any, error: float = 0.0) -> list[Value]:
    aval: Any = eqn.outvars[0].aval
    array = np.asarray(array).astype(aval.dtype)
    missing = len(aval.shape) - array.ndim
    return [Value(array.reshape((1,) * missing + array.shape), aval.shape, error)]


@_evaluator("platform_index")
def _(eqn: JaxprEqn, _: Sequence[Value]) -> list[Value] | None:
    # known only where one branch remains beside those inside hand-written kernels
    outside = [
        k
        for k, names in enumerate(eqn.params["platforms"])
        if names is None or not set(names) <= {"mosaic"}
    ]
    return _one(eqn, outside[0]) if len(outside) == 1 else None


@_evaluator("iota")
def _(eqn: JaxprEqn, _: Sequence[Value]) -> list[Value]:
    shape, axis = shape_of(eqn.outvars[0]), eqn.params["dimension"]
    return _one(
        eqn, np.arange(shape[axis]).reshape(-1, *(1,) * (len(shape) - axis - 1))
    )


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


@_evaluator(*_ARITHMETIC)
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    name, dtype = eqn.primitive.name, dtype_of(eqn.outvars[0])
    arrays = [x.array for x in operands]
    if not _is_float(dtype):
        if name == "div":
            return (
                None
                if (arrays[1] == 0).any()
                else _one(eqn, _truncated_division(*arrays))
            )
        return _one(eqn, _ARITHMETIC[name](*arrays))
    if np.issubdtype(dtype, np.complexfloating):
        return None
    exact = _ARITHMETIC[name](*(x.astype(np.longdouble) for x in arrays))
    rounded = exact.astype(dtype)
    if not np.isfinite(rounded).all():
        return None
    error = _propagated(name, operands)
    if (rounded.astype(np.longdouble) != exact).any():
        error += 2 * float(jax.numpy.finfo(dtype).eps) * float(np.abs(exact).max())
    return _one(eqn, rounded, error)


def _propagated(name: str, operands: Sequence[Value]) -> float:
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


def _fmod(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.fmod(a, np.where(b == 0, 1, b))


_DISCRETE: dict[str, Callable[..., Any]] = {
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
    "sign": np.sign,
    "square": np.square,
}


@_evaluator(*_DISCRETE)
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    if any(x.error for x in operands) or _is_float(dtype_of(eqn.outvars[0])):
        return None
    return _one(eqn, _DISCRETE[eqn.primitive.name](*(x.array for x in operands)))


@_evaluator("rem")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    a, b = operands
    if a.error or b.error or (b.array == 0).any():
        return None
    return _one(eqn, np.fmod(a.array, b.array))  # exact for floats too


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


@_evaluator(*_COMPARISONS)
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    a, b = operands
    error = a.error + b.error
    if eqn.primitive.name.endswith("_to") and _is_float(a.array.dtype):
        return None
    if error:
        distance = np.abs(a.array.astype(float) - b.array.astype(float))
        if not (distance > error).all():
            return None
    return _one(eqn, _COMPARISONS[eqn.primitive.name](a.array, b.array))


_ROUNDINGS: dict[str, Callable[..., Any]] = {"floor": np.floor, "ceil": np.ceil}


@_evaluator("floor", "ceil")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    (x,) = operands
    rounding = _ROUNDINGS[eqn.primitive.name]
    return _one(eqn, rounding(x.array)) if _is_same(rounding, x) else None


@_evaluator("convert_element_type")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    (x,), dtype = operands, dtype_of(eqn.outvars[0])
    before, after = _is_float(x.array.dtype), _is_float(dtype)
    if not before and not after:
        return _one(eqn, x.array)
    if np.iscomplexobj(x.array) or np.issubdtype(dtype, np.complexfloating):
        return None
    if after:
        converted = x.array.astype(dtype)
        difference = np.abs(converted.astype(float) - x.array.astype(float))
        error = x.error + float(difference.max(initial=0))
        return _one(eqn, converted, error) if np.isfinite(error) else None
    if np.issubdtype(dtype, np.bool_):
        is_sure = x.error == 0 or bool((np.abs(x.array) > x.error).all())
        return _one(eqn, x.array != 0) if is_sure else None
    in_range = np.isfinite(x.array).all() and (np.abs(x.array) < 2.0**31).all()
    return _one(eqn, x.array) if in_range and _is_same(np.trunc, x) else None


def _is_same(rounding: Callable[[Any], Any], x: Value) -> bool:
    """Whether a float rounds to the same integer over the whole of its error."""
    array = x.array.astype(float)
    return x.error == 0 or np.array_equal(
        rounding(array - x.error), rounding(array + x.error)
    )


@_evaluator("select_n")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value]:
    which, *cases = operands
    chosen, result = which.array, cases[0].array
    for k, case in enumerate(cases[1:], 1):
        result = np.where(chosen == k, case.array, result)
    return _one(eqn, result, max(x.error for x in cases))


_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "reduce_sum": np.sum,
    "reduce_prod": np.prod,
    "reduce_max": np.max,
    "reduce_min": np.min,
    "reduce_and": np.bitwise_and.reduce,
    "reduce_or": np.bitwise_or.reduce,
}


@_evaluator(*_REDUCTIONS)
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    (x,), name = operands, eqn.primitive.name
    if np.size(x.full) == 0 or (
        _is_float(x.array.dtype) and name[-3:] not in ("max", "min")
    ):
        return None
    axes = tuple(eqn.params["axes"])
    kwargs = {"dtype": x.array.dtype} if name in ("reduce_sum", "reduce_prod") else {}
    return _one(eqn, _REDUCTIONS[name](x.full, axis=axes, **kwargs), x.error)


_RUNNING: dict[str, Any] = {
    "cumsum": np.add,
    "cumprod": np.multiply,
    "cummax": np.maximum,
    "cummin": np.minimum,
}


@_evaluator(*_RUNNING)
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    (x,), axis = operands, eqn.params["axis"]
    if _is_float(x.array.dtype):
        return None
    data = np.flip(x.full, axis) if eqn.params["reverse"] else x.full
    result = _RUNNING[eqn.primitive.name].accumulate(data, axis, dtype=data.dtype)
    return _one(eqn, np.flip(result, axis) if eqn.params["reverse"] else result)


@_evaluator("pad")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value]:
    x, value = operands
    aval: Any = eqn.outvars[0].aval
    spread = np.full(aval.shape, value.array.ravel()[0], x.array.dtype)
    places = []
    for size, (low, _, interior) in zip(
        x.shape, eqn.params["padding_config"], strict=True
    ):
        place = np.arange(size) * (interior + 1) + low
        places.append(place)
    keep = [(p >= 0) & (p < n) for p, n in zip(places, aval.shape, strict=True)]
    source = x.full[np.ix_(*keep)] if keep else x.full
    if keep:
        spread[np.ix_(*(p[k] for p, k in zip(places, keep, strict=True)))] = source
    else:
        spread = source
    return _one(eqn, spread, max(x.error, value.error))


@_evaluator("dynamic_update_slice")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value]:
    x, update, *starts = operands
    result = x.full.copy()
    region = []
    for start, dim, size in zip(starts, x.shape, update.shape, strict=False):
        first = min(max(int(start.array.item()), 0), dim - size)
        region.append(slice(first, first + size))
    result[tuple(region)] = update.full
    return _one(eqn, result, max(x.error, update.error))


@_evaluator("gather")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    x, indices = operands
    columns = list(np.moveaxis(indices.full, -1, 0))
    places = gather_places(eqn, columns, x.shape)
    if places.outside.any() or 0 in shape_of(eqn.outvars[0]):
        return None
    index = [np.zeros((), int) if i is None else i for i in places.index]
    return _one(eqn, x.full[tuple(index)], x.error)


@_evaluator("scatter", "scatter-add")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    x, indices, updates = operands
    columns = list(np.moveaxis(indices.full, -1, 0))
    places = scatter_places(eqn, columns, x.shape)
    index = [np.zeros((), int) if i is None else i for i in places.index]
    adds = eqn.primitive.name == "scatter-add"
    if 0 in updates.shape or not index or (adds and _is_float(x.array.dtype)):
        return None
    inside = ~np.broadcast_to(places.outside, updates.shape)
    place = np.broadcast_arrays(*index, np.empty(updates.shape))[:-1]
    target = tuple(k[inside] for k in place)
    number = np.ravel_multi_index(target, x.shape)
    if not adds and len(np.unique(number)) < number.size:
        return None  # which update wins is the platform's affair
    result = x.full.copy()
    if adds:
        np.add.at(result, target, updates.full[inside])
    else:
        result[target] = updates.full[inside]
    return _one(eqn, result, max(x.error, updates.error))
