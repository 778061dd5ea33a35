"""Functions that run on every device of a mesh, each on its own shard.

The body is passed once with the devices among the rows, so that each keeps the boxes of
its shard. Along mesh axes over which the body communicates, all devices get their join.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jnumerics.derivatives._dependence.boxes import (
    NONE,
    RULES,
    Box,
    Boxes,
    Context,
    collapse,
    nothing,
    present,
)
from jnumerics.derivatives._program.inline import flatten
from jnumerics.derivatives._program.jaxpr import JaxprEqn, equations_inside, shape_of

# `manual_axes` is what `newly_manual_axes` was called before JAX 0.10.2. These are
# primitives that may communicate without an axis name among their parameters
_HIDDEN = {"call_hi_primitive", "custom_lin", "ffi_call", "pallas_call"}


@RULES.rule(
    "shard_map",
    reads="jaxpr mesh in_specs out_specs manual_axes newly_manual_axes",
    ignores="check_vma",
)
def _(context: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    p = eqn.params
    specs = [*p["in_specs"], *p["out_specs"]]
    reached = [box is not None for box in boxes]
    flat = [e.eqn for e in flatten(p["jaxpr"], reached).equations]
    inner = [e for outer in flat for e in (outer, *equations_inside(outer))]
    is_hidden = not _HIDDEN.isdisjoint(e.primitive.name for e in inner)
    if is_hidden or any(getattr(spec, "unreduced", None) for spec in specs):
        return None
    manual = p["newly_manual_axes" if "newly_manual_axes" in p else "manual_axes"]
    mesh = _Mesh({k: n for k, n in p["mesh"].shape.items() if k in manual}, inner)
    inside = [
        None if box is None else mesh.shards(box, spec)
        for box, spec in zip(boxes, p["in_specs"], strict=True)
    ]
    body = context.body(p["jaxpr"], reached)
    results, _ = body(inside, [None] * len(inside))
    rows = next(len(box) for box in boxes if box is not None)
    return [
        nothing(rows, len(shape_of(v)))
        if box is None
        else mesh.whole(box, rows, shape_of(v), spec)
        for box, v, spec in zip(results, eqn.outvars, p["out_specs"], strict=True)
    ]


@RULES.rule(
    "ppermute",
    "psum",
    "psum_invariant",
    "pvary",
    reads="axes axis_name",
    ignores="axis_index_groups perm",
)
def _(_: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    # Devices that exchange values have the same boxes already, joined over all.
    axes = eqn.params.get("axes", eqn.params.get("axis_name", ()))
    if not all(isinstance(axis, str) for axis in axes):
        return None
    return present(boxes, eqn.invars)


@RULES.rule(
    "all_gather", "all_gather_invariant", "all_to_all", "reduce_scatter",
    reads="axis_name all_gather_dimension scatter_dimension split_axis concat_axis "
    "tiled",
    ignores="axis_index_groups axis_size",
)  # fmt: skip
def _(_: Context, eqn: JaxprEqn, boxes: Boxes) -> list[Box] | None:
    # The devices' boxes are the same already: join them along the axes that move.
    p, (box,) = eqn.params, boxes
    names = ("all_gather_dimension", "scatter_dimension", "split_axis", "concat_axis")
    axes = list(dict.fromkeys(p[name] for name in names if name in p))
    if box is None or not all(isinstance(k, str) for k in _as_tuple(p["axis_name"])):
        return None
    shape = shape_of(eqn.outvars[0])
    if len(shape) > len(shape_of(eqn.invars[0])):  # a new axis, of the devices
        return [np.expand_dims(box, axes[0] + 1)]
    box = collapse(box, axes)
    return [box if len(shape) == box.ndim - 1 else box.squeeze(axes[0] + 1)]


def _as_tuple(names: Any) -> tuple[Any, ...]:
    return tuple(names) if isinstance(names, tuple | list) else (names,)


class _Mesh:
    """The axes of a mesh, and those over which a body communicates."""

    def __init__(self, sizes: Mapping[str, int], inner: Sequence[JaxprEqn]) -> None:
        named = {name for eqn in inner for name in _axis_names(eqn)}
        self.sizes = sizes
        self.together = tuple(1 + k for k, name in enumerate(sizes) if name in named)
        self.apart = [1 if name in named else size for name, size in sizes.items()]

    def shards(self, box: Box, spec: Any) -> Box:
        """Cut the devices' pieces from a box, and lay them among the rows."""
        pieces = [
            box[self._piece(device, spec, box.shape[1:])] for device in self._devices()
        ]
        shape = pieces[0].shape
        stacked = np.stack(pieces, 1).reshape(
            len(box), *self.sizes.values(), *shape[1:]
        )
        joined = stacked.min(axis=self.together, keepdims=True)
        return joined.reshape(len(box) * math.prod(self.apart), *shape[1:])

    def whole(self, box: Box, rows: int, shape: Sequence[int], spec: Any) -> Box:
        """Put the devices' boxes together, joined where they hold the same element."""
        target = list(box.shape[1:])
        for axis, names in enumerate(self._names(spec)):
            if names:
                target[axis] = shape[axis]
        local = box.reshape(rows, *self.apart, *box.shape[1:])
        result = np.full((rows, *target), NONE, np.int32)
        for device in self._devices():
            at = [min(k, n - 1) for k, n in zip(device, self.apart, strict=True)]
            piece = self._piece(device, spec, target)
            result[piece] = np.minimum(result[piece], local[(slice(None), *at)])
        return result

    def _devices(self) -> Iterator[tuple[int, ...]]:
        return np.ndindex(*self.sizes.values())

    def _names(self, spec: Any) -> list[list[str]]:
        """Return the mesh axes along which each axis of an array is divided."""
        entries = [e if isinstance(e, tuple) else (e,) for e in spec]
        return [[name for name in entry if name in self.sizes] for entry in entries]

    def _piece(
        self, device: Sequence[int], spec: Any, shape: Sequence[int]
    ) -> tuple[slice, ...]:
        """Index a device's part of a box: all of an axis along which it is constant."""
        place, pieces = dict(zip(self.sizes, device, strict=True)), [slice(None)]
        for names, size in zip(self._names(spec), shape, strict=False):
            number, count = 0, 1
            for name in names:
                number = number * self.sizes[name] + place[name]
                count *= self.sizes[name]
            length = size // count
            start = number * length
            pieces.append(slice(None) if size == 1 else slice(start, start + length))
        return tuple(pieces)


def _axis_names(eqn: JaxprEqn) -> Iterator[str]:
    """Yield names in the parameters, those of axes to communicate over among them."""
    if eqn.primitive.name == "pvary":
        return
    for value in eqn.params.values():
        items = value if isinstance(value, tuple | list | set | frozenset) else (value,)
        yield from (item for item in items if isinstance(item, str))
