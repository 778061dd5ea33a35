"""Where samples mix: the first equation at which two meet, or leave their places."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jnumerics.derivatives._dependence.boxes import NONE, Box, is_single, reads_own
from jnumerics.derivatives._dependence.constants.fold import Constants
from jnumerics.derivatives._dependence.propagate import Pass, passes_inside, propagate
from jnumerics.derivatives._program.jaxpr import UNKNOWN_LINE, Equation, Var, shape_of
from jnumerics.derivatives._program.tangent import Program


class Mixing(NamedTuple):
    """Samples that an output reads although they are not its own.

    Attributes:
        operation: The primitive where it happens first.
        line: The user's file and line.
        leaf: Which leaf of the result.
        element: An element of that leaf.
        inputs: The lowest and the highest input sample that it may read.
        samples: All samples of that leaf that read another one.
    """

    operation: str
    line: str
    leaf: int
    element: tuple[int, ...]
    inputs: tuple[int, int]
    samples: np.ndarray


def mixing(
    program: Program,
    constants: Constants,
    seeds: Mapping[Var, Box],
    axes: Sequence[int],
) -> Mixing | None:
    """Find where samples mix; None is the proof that they do not.

    Args:
        program: The tangent program.
        constants: What is known of its primal part.
        seeds: Boxes of its tangents that follow the batch axis alone (`batch_index`).
        axes: The batch axis of each output.
    """
    boxes = propagate(program.linear, seeds, constants)
    n = max((-int(box[1].min(initial=0)) + 1 for box in seeds.values()), default=0)
    for leaf, (v, axis) in enumerate(zip(program.outputs, axes, strict=True)):
        if v is None or v not in boxes:
            continue
        shape = shape_of(v)
        strays = np.broadcast_to(~is_own(boxes[v], axis, shape[axis]), shape)
        if strays.any():
            index = tuple(int(k) for k in np.argwhere(strays)[0])
            low, high = np.broadcast_to(boxes[v], (2, *shape))[(slice(None), *index)]
            equation = culprit(
                program.linear,
                boxes,
                constants,
                v,
                lambda v: _is_aligned(boxes[v], v, n),
            )
            others = tuple(k for k in range(len(shape)) if k != axis)
            return Mixing(
                equation.name if equation else "the result itself",
                equation.line if equation else UNKNOWN_LINE,
                leaf,
                index,
                (int(low), -int(high)),
                strays.any(axis=others).nonzero()[0],
            )
    return None


def is_own(box: Box, axis: int, size: int) -> np.ndarray:
    """Whether each element reads its own index along an axis alone, or nothing."""
    return (box[0] == NONE) | reads_own(box, axis, size)


def culprit(
    equations: Sequence[Equation],
    boxes: Mapping[Var, Box],
    constants: Constants,
    output: Var,
    is_aligned: Callable[[Var], bool],
) -> Equation | None:
    """Walk back from an output to the equation where its boxes went astray.

    If two inputs meet in the output, this is the first equation at which they meet, be
    it inside a loop or a branch; otherwise the one whose operands are still aligned.
    """
    makers = {v: e for e in equations for v in e.eqn.outvars}
    is_met = not is_single(boxes[output])

    def strays(v: Var) -> bool:
        return not (is_single(boxes[v]) if is_met else is_aligned(v))

    equation = makers.get(output)
    while equation is not None:
        stray = next((v for v in _operands(equation, boxes) if strays(v)), None)
        if stray is None or stray not in makers:
            break
        equation = makers[stray]
    if equation is not None and is_met:
        return _first_meeting(passes_inside(equation, boxes, constants)) or equation
    return equation


def _first_meeting(passes: Sequence[Pass]) -> Equation | None:
    """Find the first equation with a user's line at which single inputs meet."""
    for equations, boxes in passes:
        for equation in equations:
            before = all(is_single(boxes[v]) for v in _operands(equation, boxes))
            after = all(is_single(boxes[v]) for v in equation.eqn.outvars)
            if before and not after and equation.line != UNKNOWN_LINE:
                return equation
    return None


def _operands(equation: Equation, boxes: Mapping[Var, Box]) -> list[Var]:
    return [v for v in equation.eqn.invars if isinstance(v, Var) and v in boxes]


def _is_aligned(box: Box, v: Var, n: int) -> bool:
    """Whether samples lie in order along an axis, or along the first part of one."""
    nothing = box[0] == NONE
    if nothing.all():
        return True
    for axis, size in enumerate(shape_of(v)):
        is_whole = n and size and size % n == 0
        if is_whole and (nothing | reads_own(box, axis, size, size // n)).all():
            return True
    return False
