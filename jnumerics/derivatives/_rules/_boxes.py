"""Boxes: for every element, the lowest and highest index it may depend on.

A box array of a variable of shape `s` has shape `(rows, *t)`: rows of lows and of negated
highs, so that the join of two boxes is one minimum; then the variable's axes, of length 1
where the box does not change along them (`t[k]` is 1 or `s[k]`). "Depends on nothing" is
`NONE` in a row. A box may be too large, never too small.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from jax.extend.core import JaxprEqn

from jnumerics.derivatives._tangent import Atom

Box = np.ndarray
NONE = np.int32(2**30)


class Context(Protocol):
    """What a rule may ask about the program around its equation."""

    def known(self, atom: Atom) -> np.ndarray | None:
        """Return a value that is known at trace time."""
        ...

    def inner(
        self, jaxpr: Any, arguments: Sequence[Atom | None], boxes: Sequence[Box | None]
    ) -> list[Box | None]:
        """Propagate boxes through a jaxpr, None standing for what is no tangent.

        `arguments` are the atoms whose values the jaxpr's inputs have, where known;
        None for an input whose value is not one atom's (a scan's carry).
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


def apply(context: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    """Pass boxes through an equation, by its rule or by the general join."""
    rule, parameters = RULES.get(eqn.primitive.name, (None, frozenset()))
    if rule is not None:
        unread = [k for k, v in eqn.params.items() if k not in parameters]
        if all(eqn.params[k] is None for k in unread):
            results = rule(context, eqn, boxes)
            if results is not None:
                return list(results)
    return join_all(eqn, boxes)


def join_all(eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box]:
    """Let every output depend on all that enters: the rule where there is no rule."""
    total = join(flat_box(box) for box in boxes if box is not None)
    return [total.reshape(-1, *(1,) * len(v.aval.shape)) for v in eqn.outvars]


def join(boxes: Iterable[Box]) -> Box:
    """Take the smallest boxes that hold the given ones, of shapes that broadcast."""
    first, *others = boxes
    for box in others:
        first = np.minimum(first, box)
    return first


def flat_box(box: Box) -> Box:
    """Join a variable's boxes over all of its elements: shape (rows,)."""
    return box.reshape(len(box), -1).min(axis=1, initial=NONE)


def collapse(box: Box, axes: Iterable[int]) -> Box:
    """Join along some of the variable's axes, keeping them with length 1."""
    along = tuple(axis + 1 for axis in axes)
    return box.min(axis=along, keepdims=True, initial=NONE) if along else box


def expand(box: Box, axes: Iterable[int], shape: Sequence[int]) -> Box:
    """Write the box out along some axes of a variable of the given shape."""
    target = list(box.shape)
    for axis in axes:
        target[axis + 1] = shape[axis]
    return np.broadcast_to(box, target)


def nothing(rows: int, rank: int) -> Box:
    """Return the box of a variable that depends on nothing."""
    return np.full((rows,) + (1,) * rank, NONE, np.int32)
