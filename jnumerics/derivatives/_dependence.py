"""Dependence boxes: which inputs each output's derivative may depend on, by proof.

Boxes pass from the tangents of the inputs through every linear equation by the rules
of `_rules`; see `_rules/_boxes.py` for what a box is. The result holds at every value of
the inputs, because the program was traced from shapes alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.extend.core import Var

from jnumerics.derivatives._known import KnownValues
from jnumerics.derivatives._rules import apply
from jnumerics.derivatives._rules._boxes import NONE, Box
from jnumerics.derivatives._tangent import (
    Atom,
    Equation,
    Program,
    flatten,
    is_var,
    variables,
)


@dataclass(frozen=True)
class _Context:
    """The program around an equation, as the rules see it."""

    known: KnownValues

    def inner(
        self,
        jaxpr: Any,
        arguments: Sequence[Atom | None],
        boxes: Sequence[Box | None],
    ) -> list[Box | None]:
        flat = flatten(jaxpr, [box is not None for box in boxes])
        values = dict(flat.consts)
        for var, atom in zip(flat.inputs, arguments, strict=True):
            value = None if atom is None else self.known(atom)
            if value is not None:
                values[var] = value
        primal = [e for e in flat.equations if flat.reached.isdisjoint(variables(e))]
        linear = [
            e for e in flat.equations if not flat.reached.isdisjoint(variables(e))
        ]
        seeds = {v: b for v, b in zip(flat.inputs, boxes, strict=True) if b is not None}
        found = propagate(linear, seeds, KnownValues(primal, values))
        return [found.get(v) if is_var(v) else None for v in flat.outputs]


def propagate(
    equations: Sequence[Equation], seeds: Mapping[Var, Box], known: KnownValues
) -> dict[Var, Box]:
    """Pass boxes through linear equations.

    Args:
        equations: In order.
        seeds: Boxes of the variables to start from.
        known: Values of the primal program.

    Returns:
        The boxes of all variables that are reached, the seeds among them.
    """
    found = dict(seeds)
    context = _Context(known)
    for equation in equations:
        eqn = equation.eqn
        boxes = [found.get(v) if is_var(v) else None for v in eqn.invars]
        if any(box is not None for box in boxes):
            found.update(zip(eqn.outvars, apply(context, eqn, boxes), strict=True))
    return found


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


def known_values(program: Program) -> KnownValues:
    """Return what is known of a program's primal part."""
    return KnownValues(program.primal, program.consts)
