"""Data movement: the rules of boxes move any array; here is what they cannot."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from jnumerics.derivatives._rules import apply_rule
from jnumerics.derivatives._rules._boxes import shape_of
from jnumerics.derivatives._rules._indexing import (
    columns_of,
    gather_places,
    scatter_places,
)
from jnumerics.derivatives._values._value import Value, evaluator, is_float, one

MOVES = {
    "broadcast_in_dim", "concatenate", "copy", "dynamic_slice",
    "optimization_barrier", "reshape", "rev", "slice", "split", "squeeze", "stack",
    "stop_gradient", "tile", "transpose", "unstack",
}  # fmt: skip


class _Operands:
    """The context of an equation all of whose operands are known."""

    trusts_solvers = False

    def __init__(self, eqn: JaxprEqn, operands: Sequence[Value]) -> None:
        self._values = {id(v): x for v, x in zip(eqn.invars, operands, strict=True)}

    def known(self, atom: Any) -> np.ndarray:
        return self._values[id(atom)].full

    def columns(self, atom: Any) -> Any:
        raise NotImplementedError  # moves have no index but their own

    def body(self, jaxpr: Any, reached: Any) -> Any:
        raise NotImplementedError  # nor a body


def moved(eqn: JaxprEqn, operands: Sequence[Value]) -> Sequence[Value] | None:
    data: list[np.ndarray | None] = [x.array[None] for x in operands]
    if eqn.primitive.name == "dynamic_slice":
        data[1:] = [None] * (len(data) - 1)
    results = apply_rule(_Operands(eqn, operands), eqn, data)
    if results is None:
        return None
    error = max(x.error for x in operands)
    return [
        Value(np.asarray(y[0]), shape_of(v), error)
        for y, v in zip(results, eqn.outvars, strict=True)
    ]


@evaluator("pad")
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
    kept = [p[k] for p, k in zip(places, keep, strict=True)]
    spread[np.ix_(*kept)] = x.full[np.ix_(*keep)]
    return one(eqn, spread, max(x.error, value.error))


@evaluator("dynamic_update_slice")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value]:
    x, update, *starts = operands
    result = x.full.copy()
    region = []
    for start, dim, size in zip(starts, x.shape, update.shape, strict=False):
        first = min(max(int(start.array.item()), 0), dim - size)
        region.append(slice(first, first + size))
    result[tuple(region)] = update.full
    return one(eqn, result, max(x.error, update.error))


@evaluator("gather")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    x, indices = operands
    columns = columns_of(indices.full)
    places = gather_places(eqn, columns, x.shape)
    if places.outside.any():
        return None
    index = [np.zeros((), int) if i is None else i for i in places.index]
    return one(eqn, x.full[tuple(index)], x.error)


@evaluator("scatter", "scatter-add")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    x, indices, updates = operands
    columns = columns_of(indices.full)
    places = scatter_places(eqn, columns, x.shape)
    index = [np.zeros((), int) if i is None else i for i in places.index]
    adds = eqn.primitive.name == "scatter-add"
    if 0 in updates.shape or not index or (adds and is_float(x.array.dtype)):
        return None
    if not adds and eqn.params["update_jaxpr"] is not None:
        return None  # a function is applied in place; its updates are no values
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
    return one(eqn, result, max(x.error, updates.error))
