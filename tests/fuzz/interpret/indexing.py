"""Gathers and scatters, by writing out the index of every element."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode

from tests.fuzz.interpret.core import Eqn, Function, by_jax, evaluator, shape_of


class _Slices:
    """Where the elements of slices stand in the operand.

    Args:
        shape: The operand's shape.
        sizes: The slices' size along each axis of the operand.
        result: The shape of the slices together: a gather's output, or the updates.
        window: For each axis of `result` that runs within a slice, the operand's.
        columns: The operand's axis of each column of the indices.
        batching: For each batching axis of the operand, that of the indices.
    """

    def __init__(
        self,
        shape: Sequence[int],
        sizes: Sequence[int],
        result: Sequence[int],
        window: dict[int, int],
        columns: Sequence[int],
        batching: dict[int, int],
    ) -> None:
        self.shape, self.sizes, self.columns = shape, sizes, columns
        rank = len(result)
        self._over = [d for d in range(rank) if d not in window]
        self._spread = [1] * rank
        for d in self._over:
            self._spread[d] = result[d]
        self._fixed = [np.zeros((1,) * rank, np.int64) for _ in shape]
        for d, axis in window.items():
            self._fixed[axis] = self._ramp(result, d)
        for axis, d in batching.items():
            self._fixed[axis] = self._ramp(result, self._over[d])

    def _ramp(self, result: Sequence[int], d: int) -> Any:
        return np.arange(result[d]).reshape(
            [-1 if k == d else 1 for k in range(len(result))]
        )

    def places(self, indices: Any, *, is_clipped: bool) -> tuple[list[Any], Any]:
        """Return each axis' index, and which elements are of slices in bounds."""
        starts = list(self._fixed)
        inside = np.ones((1,) * len(self._spread), bool)
        for k, axis in enumerate(self.columns):
            start = indices[..., k].astype(np.int64).reshape(self._spread)
            last = self.shape[axis] - self.sizes[axis]
            inside = inside & (start >= 0) & (start <= last)
            if is_clipped:
                start = np.clip(start, 0, last)
            starts[axis] = starts[axis] + start
        if is_clipped:
            inside = np.ones_like(inside)
        return starts, inside


@evaluator("gather")
def _(eqn: Eqn) -> Function:
    p, dn, shape = eqn.params, eqn.params["dimension_numbers"], shape_of(eqn.invars[0])
    hidden = {*dn.collapsed_slice_dims, *dn.operand_batching_dims}
    remaining = [axis for axis in range(len(shape)) if axis not in hidden]
    slices = _Slices(
        shape,
        p["slice_sizes"],
        shape_of(eqn.outvars[0]),
        window=dict(zip(dn.offset_dims, remaining, strict=True)),
        columns=dn.start_index_map,
        batching=dict(
            zip(dn.operand_batching_dims, dn.start_indices_batching_dims, strict=True)
        ),
    )
    fills = p["mode"] == GatherScatterMode.FILL_OR_DROP
    out = shape_of(eqn.outvars[0])
    if 0 in shape and 0 not in out:
        return by_jax(eqn)  # of nothing
    fill = _fill(eqn.invars[0].aval.dtype, p["fill_value"])

    def fun(x: Any, indices: Any) -> Any:
        index, inside = slices.places(indices, is_clipped=not fills)
        if fills:
            last = [max(n - 1, 0) for n in shape]
            index = [np.clip(i, 0, m) for i, m in zip(index, last, strict=True)]
        taken = x[tuple(index)] if index else x
        taken = np.broadcast_to(taken, out)
        return np.where(inside, taken, fill) if fills else taken

    return fun


def _fill(dtype: Any, value: Any) -> Any:
    if value is None:
        if dtype.kind in "fc":
            value = np.nan
        elif dtype.kind == "b":
            value = True
        else:
            bounds = np.iinfo(dtype)
            value = bounds.min if dtype.kind == "i" else bounds.max
    return np.asarray(value, dtype)


_COMBINE: dict[str, Any] = {
    "scatter-add": np.add,
    "scatter-sub": np.subtract,
    "scatter-mul": np.multiply,
    "scatter-min": np.minimum,
    "scatter-max": np.maximum,
}


@evaluator("scatter", *_COMBINE)
def _(eqn: Eqn) -> Function:
    p, name = eqn.params, eqn.primitive.name
    if name == "scatter" and p["update_jaxpr"] is not None:
        return by_jax(eqn)  # a function is applied in place
    slices, updates = _slices_of(eqn), shape_of(eqn.invars[2])
    is_clipped = p["mode"] == GatherScatterMode.CLIP

    def fun(x: Any, indices: Any, update: Any) -> Any:
        index, inside = slices.places(indices, is_clipped=is_clipped)
        updated = np.array(x)
        if not update.size or not updated.size:
            return updated
        where = np.broadcast_to(inside, updates)
        target = tuple(np.broadcast_to(i, updates)[where] for i in index)
        if name == "scatter":
            updated[target] = update[where] if index else update
        else:
            _COMBINE[name].at(updated, target, update[where])
        return updated

    return fun


def _slices_of(eqn: Eqn) -> _Slices:
    dn, shape = eqn.params["dimension_numbers"], shape_of(eqn.invars[0])
    updates = shape_of(eqn.invars[2])
    hidden = {*dn.inserted_window_dims, *dn.operand_batching_dims}
    remaining = [axis for axis in range(len(shape)) if axis not in hidden]
    window = dict(zip(dn.update_window_dims, remaining, strict=True))
    sizes = [1] * len(shape)
    for d, axis in window.items():
        sizes[axis] = updates[d]
    return _Slices(
        shape,
        sizes,
        updates,
        window,
        columns=dn.scatter_dims_to_operand_dims,
        batching=dict(
            zip(dn.operand_batching_dims, dn.scatter_indices_batching_dims, strict=True)
        ),
    )
