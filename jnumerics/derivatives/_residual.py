"""Residual connections: what passes an input on, apart from what mixes inputs.

Every tangent v is written as v_pure + v_mixed. Each element of a pure part depends on one
input element at most. An equation that keeps it so treats both parts separately, which
linearity allows; any other takes v whole and gives a mixed result. The Jacobian is then
that of the pure outputs, with one entry in a row and so known from one pass with ones,
plus that of the mixed outputs, whose program has a narrower cut: the identity beside
a bottleneck is no longer in its way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax.extend.core import Var

from jnumerics.derivatives._dependence import propagate
from jnumerics.derivatives._directions import forwardable
from jnumerics.derivatives._known import KnownValues
from jnumerics.derivatives._rules._boxes import (
    NONE,
    Box,
    dtype_of,
    nothing,
    shape_of,
)
from jnumerics.derivatives._tangent import (
    Atom,
    Equation,
    Program,
    flatten,
    inner_jaxprs,
    is_var,
    needed_for,
    variables,
)


@dataclass(frozen=True)
class Split:
    """A program in which every output is the sum of a pure and a mixed part.

    Attributes:
        equations: The rewritten program, of the same inputs and residuals.
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


def split_residual(
    program: Program, known: KnownValues, batch_axes: Sequence[int] | None = None
) -> Split | None:
    """Split a tangent program's outputs into pure and mixed parts.

    Args:
        program: The tangent program.
        known: What is known of its residuals.
        batch_axes: The axis of samples of each input, proven not to mix.

    Returns:
        The rewritten program, or None where no output has a pure part.
    """
    if not program.tangents:
        return None
    seeds = _columns(program.tangents, batch_axes)
    if seeds is None:
        return None
    rewriting = _Rewriting(seeds, known)
    for equation in program.linear:
        rewriting.add(equation)
    parts = [rewriting.parts.get(v, _Parts(None, None)) for v in program.outputs]
    if all(p.pure is None for p in parts):
        return None
    columns = [rewriting.columns(p.pure) for p in parts]
    kept = [v for p in parts for v in p if v is not None]
    equations = needed_for(rewriting.equations, kept)
    pure, mixed = ([p[k] for p in parts] for k in (0, 1))
    return Split(equations, pure, columns, mixed)


def _columns(
    inputs: Sequence[Var], batch_axes: Sequence[int] | None
) -> dict[Var, Box] | None:
    """Return boxes that hold the number of each element, over all inputs."""
    seeds, start = {}, 0
    for k, v in enumerate(inputs):
        shape = list(v.aval.shape)
        if batch_axes is not None:
            shape[batch_axes[k]] = 1
        size = int(np.prod(shape))
        if start + size >= NONE:
            return None
        column = np.arange(start, start + size, dtype=np.int32).reshape(shape)
        seeds[v] = np.stack([column, -column])
        start += size
    return seeds


class _Rewriting:
    """Writes the new program, equation by equation."""

    def __init__(self, seeds: dict[Var, Box], known: KnownValues) -> None:
        self.parts = {v: _Parts(v, None) for v in seeds}
        self.equations: list[Equation] = []
        self._boxes = dict(seeds)  # of pure parts
        self._known = known
        self._whole: dict[_Parts, Var] = {}
        self._made: dict[Any, Any] = {}

    def columns(self, var: Var | None) -> np.ndarray | None:
        """Return the input column of every element of a pure part."""
        if var is None:
            return None
        low = self._boxes[var][0]
        return np.broadcast_to(np.where(low == NONE, -1, low), shape_of(var))

    def add(self, equation: Equation) -> None:
        """Rewrite an equation for both parts of its operands."""
        read = {v: self.parts[v] for v in variables(equation) if v in self.parts}
        if not read:
            self.equations.append(equation)
            return
        boxes, pure = self._keep(equation, read)
        mixed = {
            v: parts.mixed if v in pure else self._sum(equation, parts)
            for v, parts in read.items()
        }
        has_both = bool(pure) and any(v is not None for v in mixed.values())
        made = [
            self._apply(equation, {v: operands.get(v) for v in read}, has_both)
            for operands in (pure, mixed)
        ]
        for v, box, p, m in zip(equation.eqn.outvars, boxes, *made, strict=True):
            self.parts[v] = _Parts(None if _is_none(box) else p, m)
            if p is not None:
                self._boxes[p] = box

    def _keep(
        self, equation: Equation, read: dict[Var, _Parts]
    ) -> tuple[Sequence[Box], dict[Var, Var]]:
        """Choose the operands whose pure parts stay pure, and return the outputs' boxes.

        Where all of them together would read two elements, the one that reads the most
        distinct inputs stays, and the others go over whole into the mixed part.
        """
        found = {v: parts.pure for v, parts in read.items() if parts.pure is not None}
        choices = [found] if found and _parts_may_differ(equation, read) else []
        if len(found) > 1 and choices and not _has_body(equation):
            widest = max(found, key=lambda v: self._distinct(found[v]))
            choices.append({widest: found[widest]})
        for choice in choices:
            boxes = self._propagate(equation, read, choice)
            if all(map(_is_single, boxes)) and not all(map(_is_none, boxes)):
                return boxes, choice
        return [nothing(2, len(shape_of(v))) for v in equation.eqn.outvars], {}

    def _distinct(self, pure: Var) -> int:
        low = self._boxes[pure][0]
        return len(np.unique(low[low != NONE]))

    def _propagate(
        self, equation: Equation, read: dict[Var, _Parts], choice: dict[Var, Var]
    ) -> list[Box]:
        seeds = {
            v: self._boxes[choice[v]] if v in choice else nothing(2, len(shape_of(v)))
            for v in read
        }
        found = propagate([equation], seeds, self._known)
        return [found[v] for v in equation.eqn.outvars]

    def _apply(
        self, equation: Equation, operands: dict[Var, Var | None], is_new: bool
    ) -> Sequence[Var | None]:
        """Write the equation for other operands; None is zero."""
        eqn = equation.eqn
        given = [v for v in operands.values() if v is not None]
        if not given:
            return [None] * len(eqn.outvars)
        if _is_sum(equation, operands) and len(given) == 1:
            return given
        invars = [
            (operands[v] or self._zeros(v)) if is_var(v) and v in operands else v
            for v in eqn.invars
        ]
        outvars = [Var(v.aval) for v in eqn.outvars] if is_new else eqn.outvars
        rewritten = eqn.replace(invars=invars, outvars=outvars)
        self.equations.append(equation._replace(eqn=rewritten))
        return outvars

    def _sum(self, equation: Equation, parts: _Parts) -> Var | None:
        """Put both parts together again, for an equation that takes the whole."""
        if parts.pure is None or parts.mixed is None:
            return parts.pure or parts.mixed
        if parts not in self._whole:
            aval = parts.pure.aval
            eqn = self._template(lax.add, aval, aval).eqns[0]
            total = self._whole[parts] = Var(aval)
            line = equation.eqn.source_info
            added = eqn.replace(invars=parts, outvars=[total], source_info=line)
            self.equations.append(equation._replace(eqn=added))
        return self._whole[parts]

    def _zeros(self, var: Var) -> Atom:
        """Return zeros for an operand one part of which is zero."""
        key = (shape_of(var), dtype_of(var))
        if key not in self._made:
            flat = flatten(jax.make_jaxpr(lambda: lax.full(key[0], 0, key[1]))(), [])
            self.equations.extend(flat.equations)
            self._made[key] = flat.outputs[0]
        return self._made[key]

    def _template(self, fun: Callable, *avals: Any) -> Any:
        key = (fun, *((a.shape, a.dtype) for a in avals))
        if key not in self._made:
            abstract = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals]
            self._made[key] = jax.make_jaxpr(fun)(*abstract)
        return self._made[key]


def _parts_may_differ(equation: Equation, read: dict[Var, _Parts]) -> bool:
    """Whether an equation can run with zeros for some operands, if it has to.

    Loops and branches transpose for some orders of linear and other operands only, so
    they are split where each part is there for all operands, or for none.
    """
    if not forwardable(equation):
        return False  # the pure part is a forward pass
    if not _has_body(equation):
        return True
    mixed = {parts.mixed is None for parts in read.values()}
    return len(mixed) == 1 and all(p.pure is not None for p in read.values())


def _has_body(equation: Equation) -> bool:
    if equation.name.startswith("scatter"):
        return False  # its jaxpr is the addition
    return next(inner_jaxprs(equation.eqn), None) is not None


def _is_sum(equation: Equation, operands: dict[Var, Var | None]) -> bool:
    """Whether the result is the one operand that is not zero."""
    eqn = equation.eqn
    if equation.name not in ("add", "add_any", "sub"):
        return False
    if not all(is_var(v) and v in operands for v in eqn.invars):
        return False
    if equation.name == "sub" and operands[eqn.invars[0]] is None:
        return False
    given = [v for v in operands.values() if v is not None]
    return len(operands) == 2 and shape_of(given[0]) == shape_of(eqn.outvars[0])


def _is_single(box: Box) -> bool:
    return bool(((box[0] == NONE) | (box[0] == -box[1])).all())


def _is_none(box: Box) -> bool:
    return bool((box[0] == NONE).all())
