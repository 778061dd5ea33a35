"""Data movement of values: by the rules of boxes where these serve, else here."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jnumerics.derivatives._dependence.boxes import is_read_alike
from jnumerics.derivatives._dependence.constants.value import (
    Value,
    evaluator,
    is_float,
    joined,
    one,
)
from jnumerics.derivatives._dependence.rules import apply_rule
from jnumerics.derivatives._dependence.rules.indexing import (
    MODES,
    columns_of,
    gather_places,
    scatter_places,
)
from jnumerics.derivatives._program.jaxpr import JaxprEqn, shape_of

MOVES = {
    "broadcast_in_dim", "concatenate", "copy", "optimization_barrier", "reshape", "rev",
    "slice", "split", "squeeze", "stack", "stop_gradient", "tile", "transpose",
    "unstack",
}  # fmt: skip


class _Moves:
    """The context of an equation that moves, and reads nothing to do so."""

    trusts_solvers = False

    def constant(self, atom: Any) -> Any:
        raise NotImplementedError  # moves read no values

    def nonzero(self, atom: Any) -> Any:
        raise NotImplementedError  # they multiply nothing

    def columns(self, atom: Any) -> Any:
        raise NotImplementedError  # they have no index but their own

    def body(self, jaxpr: Any, reached: Any) -> Any:
        raise NotImplementedError  # nor a body

    def pullback(self, eqn: Any) -> Any:
        raise NotImplementedError  # nor a rule


def moved_rows(
    eqn: JaxprEqn, rows: Sequence[np.ndarray]
) -> Sequence[np.ndarray] | None:
    """Move several values of each operand alike, stacked along a first axis."""
    return apply_rule(_Moves(), eqn, list(rows))


def moved(eqn: JaxprEqn, operands: Sequence[Value]) -> Sequence[Value] | None:
    results = moved_rows(eqn, [x.array[None] for x in operands])
    if results is None:
        return None
    bounds = joined(operands)
    return [
        Value(np.asarray(y[0]), shape_of(v), bounds)
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
    is_inside = [(p >= 0) & (p < n) for p, n in zip(places, aval.shape, strict=True)]
    inside = [p[k] for p, k in zip(places, is_inside, strict=True)]
    spread[np.ix_(*inside)] = x.full[np.ix_(*is_inside)]
    return one(eqn, spread, joined([x, value]))


@evaluator("dynamic_slice")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    x, *starts = operands
    region = _region(starts, x.shape, eqn.params["slice_sizes"])
    return None if region is None else one(eqn, x.full[region], x.bounds)


@evaluator("dynamic_update_slice")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    x, update, *starts = operands
    region = _region(starts, x.shape, update.shape)
    if region is None:
        return None
    result = x.full.copy()
    result[region] = update.full
    return one(eqn, result, joined([x, update]))


def _region(
    starts: Sequence[Value], shape: Sequence[int], sizes: Sequence[int]
) -> tuple[slice, ...] | None:
    """Return where a slice lies, clamped to fit; None where platforms may differ."""
    region = []
    for start, dim, size in zip(starts[: len(shape)], shape, sizes, strict=True):
        if not is_read_alike(start.array, dim):
            return None
        first = min(max(int(start.array.item()), 0), dim - size)
        region.append(slice(first, first + size))
    return tuple(region)


@evaluator("gather")
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    x, indices = operands
    if eqn.params["mode"] not in MODES:
        return None
    places = gather_places(eqn, columns_of(indices.full), x.shape)
    index = [i for i in places.index if i is not None]
    if len(index) < len(places.index) or places.outside.any():
        return None
    if not places.is_certain:
        return None
    return one(eqn, x.full[tuple(index)], x.bounds)


_COMBINED: dict[str, Any] = {
    "scatter-add": np.add,
    "scatter-sub": np.subtract,
    "scatter-mul": np.multiply,
    "scatter-min": np.minimum,
    "scatter-max": np.maximum,
}


@evaluator("scatter", *_COMBINED)
def _(eqn: JaxprEqn, operands: Sequence[Value]) -> list[Value] | None:
    x, _, updates = operands
    combine = _COMBINED.get(eqn.primitive.name)
    if combine is not None and is_float(x.array.dtype):
        return None
    if combine is None and eqn.params["update_jaxpr"] is not None:
        return None  # a function applied in place: its updates are no values
    target = _targets(eqn, operands)
    if target is None:
        return None
    place, inside = target
    result = x.full.copy()
    if combine is not None:
        combine.at(result, place, updates.full[inside])
        return one(eqn, result)
    number = np.ravel_multi_index(place, x.shape)
    if len(np.unique(number)) < number.size:
        return None  # which update wins depends on the platform
    result[place] = updates.full[inside]
    return one(eqn, result, joined([x, updates]))


def _targets(
    eqn: JaxprEqn, operands: Sequence[Value]
) -> tuple[tuple[np.ndarray, ...], np.ndarray] | None:
    """Return where the updates go, and which of them go anywhere."""
    x, indices, updates = operands
    if 0 in updates.shape or not x.shape or eqn.params["mode"] not in MODES:
        return None
    places = scatter_places(eqn, columns_of(indices.full), x.shape)
    index = [i for i in places.index if i is not None]
    if len(index) < len(places.index) or not places.is_certain:
        return None
    inside = np.asarray(~np.broadcast_to(places.outside, updates.shape))
    spread = [np.broadcast_to(i, updates.shape) for i in index]
    return tuple(i[inside] for i in spread), inside
