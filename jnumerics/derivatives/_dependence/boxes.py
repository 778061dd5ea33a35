"""Boxes: for every element, the lowest and highest index it may depend on.

A box array of a variable of shape `s` has shape `(rows, *t)`: rows of lows and of
negated highs, so that the join of two boxes is one minimum; then the variable's axes,
of length 1 where the box does not change along them (`t[k]` is 1 or `s[k]`). "Depends
on nothing" is `NONE` in a row. A box may be too large, never too small. No rule mixes
rows.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from jnumerics.derivatives._program.jaxpr import Atom, JaxprEqn, shape_of

Box = np.ndarray
Boxes = Sequence[Box | None]  # None stands for what is no tangent
NONE = np.int32(2**30)


def is_read_alike(index: np.ndarray, dim: int) -> bool:
    """Whether every platform reads known indices along an axis alike.

    JAX converts some to int32 before it compares them with the bounds; XLA compares
    others in their own type, which may not hold the bounds, and reads it as signed.
    """
    if index.dtype.kind not in "iu":
        return False
    limit = 1 << (min(np.iinfo(index.dtype).bits, 32) - 1)
    return dim < limit and bool(((index >= -limit) & (index < limit)).all())


@runtime_checkable
class Body(Protocol):
    """A jaxpr among an equation's parameters, ready to be passed through."""

    size: int  # entries of all tangents that one pass computes, for one row
    length: int  # equations that one pass takes
    reached: list[bool]  # which outputs tangents reach

    def __call__(
        self,
        boxes: Sequence[Box | None],
        values: Sequence[Any],
        varying: Sequence[int] = (),
    ) -> tuple[list[Box | None], bool]:
        """Propagate boxes, None standing for what is no tangent.

        Args:
            boxes: For each input.
            values: What is known of each input's value, or None.
            varying: Positions of inputs whose known values hold in this pass only.

        Returns:
            The outputs' boxes, and whether a value that varies decided any of them.
        """
        ...

    def values(self, values: Sequence[Any]) -> list[Any]:
        """Return what is known of the outputs that are indices."""
        ...


@runtime_checkable
class Context(Protocol):
    """What a rule may ask about the program around its equation.

    Attributes:
        trusts_solvers: Whether the user vouches that linear solves are exact.
    """

    trusts_solvers: bool

    def constant(self, atom: Atom) -> np.ndarray | None:
        """Return a value that is known at trace time, or None."""
        ...

    def nonzero(self, atom: Atom) -> np.ndarray | None:
        """Return where a value may differ from 0, or None where that is unknown."""
        ...

    def columns(self, atom: Atom) -> list[np.ndarray | None]:
        """Return what is known of an array of indices, by its last axis."""
        ...

    def body(self, jaxpr: Any, reached: Sequence[bool]) -> Body:
        """Prepare a jaxpr of which some inputs are tangents."""
        ...

    def pullback(self, eqn: JaxprEqn) -> Body | None:
        """Prepare the backward rule of a custom_vjp function's linear map.

        Its inputs are residuals, then cotangents of the results. None where it cannot
        be read.
        """
        ...


Rule = Callable[[Context, JaxprEqn, Sequence[Box | None]], "Sequence[Box] | None"]


class Registry(dict[str, tuple[Rule, frozenset[str]]]):
    """Rules by the name of their primitive, with the parameters each accounts for."""

    def rule(self, *names: str, reads: str = "", ignores: str = "") -> Callable:
        """Register a rule.

        Args:
            names: Primitives it serves.
            reads: Parameters that it reads, separated by spaces.
            ignores: Parameters that do not matter to dependence. An equation with a
                parameter in neither list, and not None, goes to the general join.
        """
        parameters = frozenset(reads.split()) | frozenset(ignores.split())

        def register(rule: Rule) -> Rule:
            self.update(dict.fromkeys(names, (rule, parameters)))
            return rule

        return register


RULES = Registry()


def apply(
    context: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]
) -> tuple[list[Box], bool]:
    """Pass boxes through an equation, and say whether a rule served."""
    tangents = [v for v, box in zip(eqn.invars, boxes, strict=True) if box is not None]
    if _is_empty(tangents) or _is_empty(eqn.outvars):  # no rule has to know of that
        rows = next(len(box) for box in boxes if box is not None)
        return [nothing(rows, len(shape_of(v))) for v in eqn.outvars], True
    served = apply_rule(context, eqn, boxes)
    results = join_all(eqn, boxes) if served is None else served
    cleared = [
        nothing(len(box), box.ndim - 1) if 0 in shape_of(v) else box
        for box, v in zip(results, eqn.outvars, strict=True)
    ]
    return cleared, served is not None


def _is_empty(atoms: Iterable[Atom]) -> bool:
    return all(0 in shape_of(v) for v in atoms)


def apply_rule(
    context: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]
) -> Sequence[Box] | None:
    """Pass boxes through an equation by its rule; None where no rule serves."""
    rule, parameters = RULES.get(eqn.primitive.name, (None, frozenset()))
    if rule is None or any(
        value is not None and key not in parameters for key, value in eqn.params.items()
    ):
        return None
    return rule(context, eqn, boxes)


def join_all(eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    """Let every output depend on all that enters: the rule where there is no rule."""
    total = join(flat_box(box) for box in boxes if box is not None)
    return [total.reshape(-1, *(1,) * len(shape_of(v))) for v in eqn.outvars]


def join(boxes: Iterable[Box]) -> Box:
    """Return the smallest boxes that hold the given ones, whose shapes broadcast."""
    first, *others = boxes
    for box in others:
        first = np.minimum(first, box)
    return first


def flat_box(box: Box) -> Box:
    """Join a variable's boxes over all of its elements: shape (rows,)."""
    return box.reshape(len(box), -1).min(axis=1, initial=NONE)


def collapse(box: Box, axes: Iterable[int]) -> Box:
    """Join along some of the variable's axes, keeping them with length 1."""
    along = tuple({axis + 1 for axis in axes if box.shape[axis + 1] != 1})
    return box.min(axis=along, keepdims=True, initial=NONE) if along else box


def expand(box: Box, axes: Iterable[int], shape: Sequence[int]) -> Box:
    """Broadcast a box along some axes of its variable, of the given shape."""
    target = list(box.shape)
    for axis in axes:
        target[axis + 1] = shape[axis]
    return np.broadcast_to(box, target)


def nothing(rows: int, rank: int) -> Box:
    """Return the box of a variable that depends on nothing."""
    return np.full((rows,) + (1,) * rank, NONE, np.int32)


def present(boxes: Sequence[Box | None], atoms: Sequence[Atom]) -> list[Box]:
    """Put the empty box where an atom is no tangent."""
    rows = next(len(box) for box in boxes if box is not None)
    return [
        nothing(rows, len(shape_of(v))) if box is None else box
        for box, v in zip(boxes, atoms, strict=True)
    ]


def compact(box: np.ndarray, axes: Iterable[int], *, offset: int = 1) -> np.ndarray:
    """Give length 1 to the axes along which an array does not change."""
    for axis in (axis + offset for axis in axes):
        if box.shape[axis] > 1 and _is_constant(box, axis):
            box = box[along(axis, slice(0, 1))]
    return box


def _is_constant(box: np.ndarray, axis: int) -> bool:
    first = box[along(axis, slice(0, 1))]
    second = box[along(axis, slice(1, 2))]
    return np.array_equal(first, second) and bool((box == first).all())


def along(axis: int, piece: slice) -> tuple[slice, ...]:
    """Index one axis of an array (the rows are axis 0 of a box)."""
    return (*(slice(None),) * axis, piece)


def pad_axis(box: Box, axis: int, low: int, high: int, interior: int = 0) -> Box:
    """Pad an axis with "nothing"; negative widths crop, `interior` spreads it."""
    size, step = box.shape[axis + 1], interior + 1
    if (low, high, interior) == (0, 0, 0):
        return box
    length = max((size - 1) * step + 1 if size else 0, 0) + low + high
    target = list(box.shape)
    target[axis + 1] = length
    result = np.full(target, NONE, np.int32)
    first = -(min(low, 0) // step)
    last = min(size - 1, (length - 1 - low) // step)
    if last >= first:
        start, stop = first * step + low, last * step + low + 1
        source = box[along(axis + 1, slice(first, last + 1))]
        result[along(axis + 1, slice(start, stop, step))] = source
    return result


def own_index(shapes: Sequence[Sequence[int]], leaf: int) -> Box:
    """Return the boxes of an input leaf: each element its own index, no other leaf's.

    Rows are the lows of all axes of all leaves, then the negated highs; a scalar
    counts as one axis of length 1.
    """
    shape = tuple(shapes[leaf])
    axes = [max(len(s), 1) for s in shapes]
    total, start = sum(axes), sum(axes[:leaf])
    box = np.full((2 * total, *shape), NONE, np.int32)
    for k, size in enumerate(shape or (1,)):
        index = np.arange(size, dtype=np.int32)
        index = index.reshape(size, *(1,) * (len(shape) - k - 1)) if shape else index[0]
        box[start + k] = index
        box[total + start + k] = -index
    return box


def batch_index(shape: Sequence[int], axis: int) -> Box:
    """Return boxes that follow one axis alone: rows low and negated high."""
    index = np.arange(shape[axis], dtype=np.int32)
    index = index.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return np.stack([index, -index])


def minimum_at(box: Box, number: np.ndarray, size: int) -> tuple[Box, np.ndarray]:
    """Join entries of the last axis that share a number; and say which occur."""
    result = np.full((*box.shape[:-1], size), NONE, np.int32)
    hit = np.zeros(size, bool)
    order = np.argsort(number, kind="stable")
    ordered = number[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    joined = np.minimum.reduceat(box[..., order], starts, axis=-1)
    result[..., ordered[starts]] = joined
    hit[ordered[starts]] = True
    return result, hit


def reads_own(box: Box, axis: int, size: int, inner: int = 1) -> np.ndarray:
    """Whether each element reads its own index along an axis, and no other.

    Args:
        box: Boxes that follow one axis of the input.
        axis: The axis.
        size: Its length.
        inner: How many consecutive elements have the same index of the input.
    """
    own = np.arange(size) // inner
    own = own.reshape([-1 if k == axis else 1 for k in range(box.ndim - 1)])
    return (box[0] == own) & (-box[1] == own)


def is_single(box: Box) -> bool:
    """Whether no element reads more than one index."""
    lows, highs = np.split(box, 2)
    return bool(((lows == NONE) | (lows == -highs)).all())
