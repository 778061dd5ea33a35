"""Split skip connections off: what passes an input on, apart from what mixes inputs.

Every tangent v is written as v_pure + v_mixed, where each element of v_pure depends on
at most one input element. Linearity allows an equation to be applied to both parts
separately. Where its result from the pure parts is pure again, this is done; otherwise
it takes v whole, and its result is mixed. The Jacobian is then the sum of two: that of
the pure outputs, which has at most one entry in a row, so that one pass with ones gives
all of it; and that of the mixed outputs, whose program has a narrower cut, because the
identity beside a bottleneck is no longer in its way.

Reference:
    K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition",
    CVPR (2016), for skip connections.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jnumerics.derivatives._dependence.boxes import NONE, Box, is_single, nothing
from jnumerics.derivatives._dependence.constants.fold import Constants
from jnumerics.derivatives._dependence.propagate import propagate
from jnumerics.derivatives._modes.rewrite import Writer
from jnumerics.derivatives._program.jaxpr import (
    Equation,
    Var,
    inner_jaxprs,
    shape_of,
    variables,
)
from jnumerics.derivatives._program.linearity.directions import forwardable
from jnumerics.derivatives._program.tangent import Program, needed_for


@dataclass(frozen=True)
class Split:
    """A program in which every output is the sum of a pure and a mixed part.

    Attributes:
        equations: The rewritten program, with the same inputs and residuals.
        pure: For each output its pure part, at most one entry in each row; None: zero.
        columns: For each pure part the flat input column of every element, over all
            inputs (in a batch, over one sample of them), -1 for none; in its shape.
        mixed: For each output its mixed part; None: zero.
    """

    equations: list[Equation]
    pure: list[Var | None]
    columns: list[np.ndarray | None]
    mixed: list[Var | None]


class _Parts(NamedTuple):
    """Both parts of a tangent; None where one is zero."""

    pure: Var | None
    mixed: Var | None


def split_skips(
    program: Program, constants: Constants, batch_axes: Sequence[int] | None = None
) -> Split | None:
    """Split a tangent program's outputs into pure and mixed parts.

    Args:
        program: The tangent program.
        constants: What is known of its residuals.
        batch_axes: The axis of samples of each input, proven not to mix.

    Returns:
        The rewritten program, or None where no output has a pure part.
    """
    if not program.tangents:
        return None
    seeds = _columns(program.tangents, batch_axes)
    if seeds is None:
        return None
    splitting = _Splitting(seeds, constants)
    for equation in program.linear:
        splitting.add(equation)
    none = _Parts(None, None)
    parts = [none if v is None else splitting.parts[v] for v in program.outputs]
    if all(p.pure is None for p in parts):
        return None
    ends = [v for p in parts for v in p if v is not None]
    return Split(
        equations=needed_for(splitting.writer.equations, ends),
        pure=[p.pure for p in parts],
        columns=[splitting.columns(p.pure) for p in parts],
        mixed=[p.mixed for p in parts],
    )


def _columns(
    inputs: Sequence[Var], batch_axes: Sequence[int] | None
) -> dict[Var, Box] | None:
    """Return boxes of the elements' own numbers, counted over all inputs."""
    seeds: dict[Var, Box] = {}
    start = 0
    for k, v in enumerate(inputs):
        shape = list(shape_of(v))
        if batch_axes is not None:
            shape[batch_axes[k]] = 1
        size = int(np.prod(shape))
        if start + size >= NONE:
            return None
        column = np.arange(start, start + size, dtype=np.int32).reshape(shape)
        seeds[v] = np.stack([column, -column])
        start += size
    return seeds


class _Splitting:
    """Writes the new program, equation by equation."""

    def __init__(self, seeds: Mapping[Var, Box], constants: Constants) -> None:
        self.parts = {v: _Parts(v, None) for v in seeds}
        self.writer = Writer()
        self._boxes = dict(seeds)  # of pure parts
        self._constants = constants

    def columns(self, var: Var | None) -> np.ndarray | None:
        """Return the input column of every element of a pure part."""
        if var is None:
            return None
        low = self._boxes[var][0]
        return np.broadcast_to(np.where(low == NONE, -1, low), shape_of(var))

    def add(self, equation: Equation) -> None:
        """Write an equation for both parts of its operands."""
        outvars = equation.eqn.outvars
        read = {v: self.parts[v] for v in variables(equation) if v in self.parts}
        boxes, retained = self._keep(equation, read)
        pure = {v: retained.get(v) for v in read}
        mixed = {
            v: parts.mixed if v in retained else self.writer.add(*parts, like=equation)
            for v, parts in read.items()
        }
        is_split = any(pure.values()) and any(mixed.values())
        made = [
            self.writer.apply(equation, operands, None if is_split else outvars)
            for operands in (pure, mixed)
        ]
        for v, box, p, m in zip(outvars, boxes, *made, strict=True):
            p = None if _is_none(box) else p
            self.parts[v] = _Parts(p, m)
            if p is not None:
                self._boxes[p] = box

    def _keep(
        self, equation: Equation, read: Mapping[Var, _Parts]
    ) -> tuple[list[Box], Mapping[Var, Var]]:
        """Choose the operands that stay pure, and return the outputs' boxes.

        Where all of them together would read two elements, only the operand that reads
        the most distinct inputs stays pure; the others go into the mixed part whole.
        """
        pure = {v: parts.pure for v, parts in read.items() if parts.pure is not None}
        choices = [pure] if pure and _may_split(equation, read.values()) else []
        if choices and len(pure) > 1 and not _has_body(equation):
            widest = max(pure, key=lambda v: self._distinct(pure[v]))
            choices.append({widest: pure[widest]})
        for retained in choices:
            boxes = self._propagate(equation, read, retained)
            if all(map(is_single, boxes)) and not all(map(_is_none, boxes)):
                return boxes, retained
        return [nothing(2, len(shape_of(v))) for v in equation.eqn.outvars], {}

    def _distinct(self, pure: Var) -> int:
        low = self._boxes[pure][0]
        return int(np.count_nonzero(np.bincount(low[low != NONE])))

    def _propagate(
        self, equation: Equation, read: Iterable[Var], retained: Mapping[Var, Var]
    ) -> list[Box]:
        seeds = {
            v: self._boxes[retained[v]]
            if v in retained
            else nothing(2, len(shape_of(v)))
            for v in read
        }
        boxes = propagate([equation], seeds, self._constants)
        return [boxes[v] for v in equation.eqn.outvars]


def _may_split(equation: Equation, operands: Iterable[_Parts]) -> bool:
    """Whether an equation can be written for pure and mixed parts.

    Loops and branches can be transposed only for some positions of the linear operands,
    so they are split only where all operands have a pure part, and all or none a mixed
    one.
    """
    if not forwardable(equation):
        return False  # the pure part is a forward pass
    present = {(p.pure is not None, p.mixed is not None) for p in operands}
    return not _has_body(equation) or (len(present) == 1 and all(p for p, _ in present))


def _has_body(equation: Equation) -> bool:
    if equation.name.startswith("scatter"):
        return False  # its jaxpr is the addition
    return next(inner_jaxprs(equation.eqn), None) is not None


def _is_none(box: Box) -> bool:
    return bool((box[0] == NONE).all())
