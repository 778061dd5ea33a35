"""What the boxes of a function prove, block by block of its Jacobian."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from jnumerics import _check
from jnumerics.derivatives._dependence.boxes import (
    NONE,
    Box,
    own_index,
)
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._dependence.mixing import culprit, is_own
from jnumerics.derivatives._dependence.outputs import output_boxes
from jnumerics.derivatives._dependence.propagate import propagate
from jnumerics.derivatives._program.jaxpr import UNKNOWN_LINE, Var, shape_of
from jnumerics.derivatives._program.trace import Target

Shape = tuple[int, ...]


class Loss(NamedTuple):
    """The equation where a property was lost.

    Attributes:
        operation: The primitive.
        line: The user's file and line.
    """

    operation: str
    line: str


class BlockBoxes:
    """The boxes of every leaf of the result, in every leaf of the inputs.

    Real and imaginary parts of the result, which count as two leaves, are joined.
    It is pickled without the program, once it is found where properties were lost.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.out_names = _names(target.outputs, "output")
        self.in_names = _names(target.inputs, "input")
        self._losses: dict[int | None, Loss | None] = {}
        self.shapes: list[Shape] = [tuple(aval.shape) for aval in target.in_avals]
        counts = [max(len(s), 1) for s in self.shapes]  # a scalar counts as one axis
        self._starts = np.cumsum([0, *counts])
        boxes = output_boxes(target, self._propagated())
        self.parts = np.cumsum([0, *(1 + is_pair for is_pair in target.is_pair)])
        pairs = list(zip(self.parts, self.parts[1:], strict=False))
        self.boxes: list[Box] = [np.minimum(boxes[a], boxes[b - 1]) for a, b in pairs]
        self.outs: list[Shape] = [tuple(target.out_avals[a].shape) for a, _ in pairs]

    def __iter__(self) -> Iterator[tuple[int, int, Box]]:
        """Yield the output leaf, the input leaf and the box of each block."""
        for k, box in enumerate(self.boxes):
            for leaf in range(len(self.shapes)):
                yield k, leaf, self._rows(leaf, box)

    def bounds(self, k: int, leaf: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return lower and upper, (*out, k), and whether anything is read, (*out,)."""
        box, rank = self._rows(leaf, self.boxes[k]), len(self.shapes[leaf])
        box = np.broadcast_to(box, (len(box), *self.outs[k]))
        n, depends = len(box) // 2, np.asarray(box[0] != NONE)
        lower = np.moveaxis(box[:rank], 0, -1)
        upper = -np.moveaxis(box[n : n + rank], 0, -1)
        there = depends[..., None]
        return np.where(there, lower, 0), np.where(there, upper, -1), depends

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: arrays and strings, no program."""
        rank = min(map(len, self.shapes))
        for axis in (None, *range(-rank, rank)):
            self.loss(axis)
        program = ("target", "_seeds")
        return {name: x for name, x in vars(self).items() if name not in program}

    def loss(self, axis: int | None) -> Loss | None:
        """Return where independence along an axis, or elementwise, was lost."""
        if axis is not None:
            for shape in self.shapes:
                _axis(axis, shape)
        if axis not in self._losses:
            k = self._stray(axis)
            self._losses[axis] = None if k is None else self._where_lost(k, axis)
        return self._losses[axis]

    def _stray(self, axis: int | None) -> int | None:
        elementwise = axis is None
        return self.stray_from_elementwise() if elementwise else self.stray_along(axis)

    def stray_from_elementwise(self) -> int | None:
        """Return an output leaf that is not elementwise, if there is one."""
        for k, leaf, box in self:
            if k != leaf and (box != NONE).any():
                return k
            if k == leaf and not _is_elementwise(box, self.outs[k], self.shapes[leaf]):
                return k
        return None

    def stray_along(self, axis: int) -> int | None:
        """Return an output leaf that mixes positions along an axis, if there is one."""
        axes = [_axis(axis, shape) for shape in self.shapes]
        for k, leaf, box in self:
            if 0 in self.outs[k] or (box == NONE).all():
                continue
            n, rank = len(box) // 2, len(self.outs[k])
            at = axis if axis >= 0 else rank + axis
            followed = box[[axes[leaf], n + axes[leaf]]]
            if not 0 <= at < rank or not is_own(followed, at, self.outs[k][at]).all():
                return k
        return None

    def _where_lost(self, k: int, axis: int | None) -> Loss:
        """Find the equation where output leaf k lost it, by propagating again."""
        boxes = self._propagated()
        if axis is not None:  # that axis alone, all leaves together
            rows = self._starts[:-1] + [_axis(axis, s) for s in self.shapes]
            total = self._starts[-1]
            boxes = {
                v: np.stack([box[rows].min(axis=0), box[rows + total].min(axis=0)])
                for v, box in boxes.items()
            }

        def is_aligned(v: Var) -> bool:
            box, shape = boxes[v], shape_of(v)
            if axis is not None:
                return any(is_own(box, d, size).all() for d, size in enumerate(shape))
            return any(
                _is_elementwise(self._rows(leaf, box), shape, s)
                for leaf, s in enumerate(self.shapes)
            )

        program, ends = self.target.program, self.target.ends
        parts = program.outputs[self.parts[k] : self.parts[k + 1]]
        output = next((v for v in parts if v is not None and v in boxes), None)
        if output is None or (ends and not ends.keep_zero):
            lost = ends.forward.linearity.losses[0] if ends else Loss("", UNKNOWN_LINE)
            return Loss(lost.operation, lost.line)
        equation = culprit(
            program.linear, boxes, constants_of(self.target.program), output, is_aligned
        )
        if equation is None:
            return Loss("the result's structure", UNKNOWN_LINE)
        return Loss(equation.name, equation.line)

    @cached_property
    def _seeds(self) -> dict[Var, Box]:
        tangents = self.target.program.tangents
        return {v: own_index(self.shapes, k) for k, v in enumerate(tangents)}

    def _propagated(self) -> dict[Var, Box]:
        linear, constants = (
            self.target.program.linear,
            constants_of(self.target.program),
        )
        return propagate(linear, self._seeds, constants)

    def _rows(self, leaf: int, box: Box) -> Box:
        """Return the rows of one input leaf: lows, then negated highs."""
        rows = np.arange(self._starts[leaf], self._starts[leaf + 1])
        return box[np.concatenate([rows, rows + self._starts[-1]])]


def _is_elementwise(box: Box, out: Shape, shape: Shape) -> bool:
    """Whether shapes are equal, and every box is its own single index or nothing."""
    if (box == NONE).all() or 0 in out:
        return True
    if tuple(out) != tuple(shape):
        return False
    n = len(box) // 2
    return all(is_own(box[[d, n + d]], d, size).all() for d, size in enumerate(shape))


def _names(tree: Any, name: str) -> list[str]:
    paths = jax.tree_util.tree_leaves_with_path(
        tree.unflatten(np.arange(tree.num_leaves))
    )
    return [name + jax.tree_util.keystr(path) for path, _ in paths]


def _axis(axis: Any, shape: Shape) -> int:
    axis = _check.integer("axis", axis, least=-64)
    if not -len(shape) <= axis < len(shape):
        msg = f"`axis` must be an axis of every input, got {axis} for shape {shape}"
        raise ValueError(msg)
    return axis % len(shape)
