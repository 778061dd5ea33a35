"""Data movement."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.fuzz.interpret.core import Eqn, Function, evaluator, shape_of


@evaluator("broadcast_in_dim")
def _(eqn: Eqn) -> Function:
    shape, where = shape_of(eqn.outvars[0]), eqn.params["broadcast_dimensions"]
    before = shape_of(eqn.invars[0])
    spread = [1] * len(shape)
    for axis, target in enumerate(where):
        spread[target] = before[axis]
    return lambda x: np.broadcast_to(np.reshape(x, spread), shape)


@evaluator("iota")
def _(eqn: Eqn) -> Function:
    shape, axis = shape_of(eqn.outvars[0]), eqn.params["dimension"]
    ramp = np.arange(shape[axis]).astype(eqn.params["dtype"])
    full = np.broadcast_to(ramp.reshape(-1, *(1,) * (len(shape) - axis - 1)), shape)
    return lambda: full


@evaluator("reshape")
def _(eqn: Eqn) -> Function:
    shape, order = shape_of(eqn.outvars[0]), eqn.params["dimensions"]
    if order is None:
        return lambda x: np.reshape(x, shape)
    return lambda x: np.transpose(x, order).reshape(shape)


@evaluator("squeeze")
def _(eqn: Eqn) -> Function:
    shape = shape_of(eqn.outvars[0])
    return lambda x: np.reshape(x, shape)


@evaluator("transpose")
def _(eqn: Eqn) -> Function:
    order = tuple(map(int, eqn.params["permutation"]))
    return lambda x: np.transpose(x, order)


@evaluator("rev")
def _(eqn: Eqn) -> Function:
    axes = tuple(map(int, eqn.params["dimensions"]))
    return lambda x: np.flip(x, axes)


@evaluator("slice")
def _(eqn: Eqn) -> Function:
    p = eqn.params
    strides = p["strides"] or (1,) * len(p["start_indices"])
    limits = zip(p["start_indices"], p["limit_indices"], strides, strict=True)
    pieces = tuple(slice(*limit) for limit in limits)
    return lambda x: x[pieces]


@evaluator("split")
def _(eqn: Eqn) -> Function:
    axis, stops = eqn.params["axis"], np.cumsum(eqn.params["sizes"])[:-1]
    return lambda x: np.split(x, stops, axis)


@evaluator("concatenate")
def _(eqn: Eqn) -> Function:
    axis = eqn.params["dimension"]
    return lambda *xs: np.concatenate(xs, axis)


@evaluator("stack")
def _(eqn: Eqn) -> Function:
    axis = eqn.params["axis"]
    return lambda *xs: np.stack(xs, axis)


@evaluator("unstack")
def _(eqn: Eqn) -> Function:
    axis = eqn.params["axis"]
    return lambda x: [*np.moveaxis(x, axis, 0)]


@evaluator("tile")
def _(eqn: Eqn) -> Function:
    reps = eqn.params["reps"]
    return lambda x: np.tile(x, reps)


@evaluator("pad")
def _(eqn: Eqn) -> Function:
    config = [(int(a), int(b), int(c)) for a, b, c in eqn.params["padding_config"]]
    return lambda x, value: padded(x, value, config)


def padded(x: Any, value: Any, config: Sequence[tuple[int, int, int]]) -> Any:
    """Pad each axis at both ends (negative: crop) and between its elements."""
    source, target, shape = [], [], []
    for n, (low, high, interior) in zip(x.shape, config, strict=True):
        length = (n - 1) * (interior + 1) + 1 if n else 0
        places = np.arange(n) * (interior + 1) + low
        inside = (places >= 0) & (places < length + low + high)
        source.append(np.flatnonzero(inside))
        target.append(places[inside])
        shape.append(length + low + high)
    filled = np.full(shape, value, x.dtype)
    filled[np.ix_(*target)] = x[np.ix_(*source)]
    return filled


@evaluator("dynamic_slice")
def _(eqn: Eqn) -> Function:
    shape, sizes = shape_of(eqn.invars[0]), eqn.params["slice_sizes"]
    return lambda x, *starts: x[_region(starts, shape, sizes)]


@evaluator("dynamic_update_slice")
def _(eqn: Eqn) -> Function:
    shape, sizes = shape_of(eqn.invars[0]), shape_of(eqn.invars[1])

    def fun(x: Any, update: Any, *starts: Any) -> Any:
        updated = np.array(x)
        updated[_region(starts, shape, sizes)] = update
        return updated

    return fun


def _region(
    starts: Sequence[Any], shape: Sequence[int], sizes: Sequence[int]
) -> tuple[slice, ...]:
    pieces = []
    for start, n, size in zip(starts, shape, sizes, strict=False):
        first = min(max(int(start), 0), n - size)
        pieces.append(slice(first, first + size))
    return tuple(pieces)
