"""Rewriting equations of a tangent program of which some operands are zero."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
from jax import lax

from jnumerics.derivatives._program.inline import flatten
from jnumerics.derivatives._program.jaxpr import (
    Atom,
    Equation,
    JaxprEqn,
    Var,
    dtype_of,
    shape_of,
    variables,
)
from jnumerics.derivatives._program.linearity.directions import reach
from jnumerics.derivatives._program.tangent import LinearPart, part

_SUMS = {"add", "add_any", "sub"}


class Writer:
    """A list of equations in the making.

    Attributes:
        equations: What is written so far, in order.
    """

    def __init__(self) -> None:
        self.equations: list[Equation] = []
        self._zeros: dict[Any, Atom] = {}
        self._sums: dict[tuple[Var, Var], Var] = {}
        self._additions: dict[Any, JaxprEqn] = {}

    def apply(
        self,
        equation: Equation,
        operands: Mapping[Var, Var | None],
        outputs: Sequence[Var] | None = None,
    ) -> list[Var | None]:
        """Write an equation with other operands.

        Args:
            equation: A linear one.
            operands: What replaces each of its tangents; None is zero.
            outputs: The variables of its results; new ones by default.

        Returns:
            The results; None where they are zero.
        """
        eqn = equation.eqn
        nonzero = [v for v in operands.values() if v is not None]
        if not nonzero:
            return [None] * len(eqn.outvars)
        if len(nonzero) == 1 and _is_sum(equation, operands):
            return [nonzero[0]]
        invars: list[Atom] = [
            (operands[v] or self.zeros(v))
            if isinstance(v, Var) and v in operands
            else v
            for v in eqn.invars
        ]
        outvars = list(outputs or (Var(v.aval) for v in eqn.outvars))
        rewritten = eqn.replace(invars=invars, outvars=outvars)
        self.equations.append(equation._replace(eqn=rewritten))
        return list(outvars)

    def add(self, a: Var | None, b: Var | None, like: Equation) -> Var | None:
        """Write a sum, with the source line of another equation; None is zero."""
        if a is None or b is None:
            return a or b
        if (a, b) not in self._sums:
            total = self._sums[a, b] = Var(a.aval)
            eqn = self._addition(a).replace(
                invars=[a, b], outvars=[total], source_info=like.eqn.source_info
            )
            self.equations.append(like._replace(eqn=eqn))
        return self._sums[a, b]

    def _addition(self, like: Var) -> JaxprEqn:
        key = (shape_of(like), dtype_of(like))
        if key not in self._additions:
            aval = jax.ShapeDtypeStruct(*key)
            (self._additions[key],) = jax.make_jaxpr(lax.add)(aval, aval).eqns
        return self._additions[key]

    def zeros(self, like: Var) -> Atom:
        """Write zeros in the shape and dtype of a variable."""
        shape, dtype = key = shape_of(like), dtype_of(like)
        if key not in self._zeros:
            flat = flatten(jax.make_jaxpr(lambda: lax.full(shape, 0, dtype))(), [])
            self.equations.extend(flat.equations)
            self._zeros[key] = flat.outputs[0]
        return self._zeros[key]


def _is_sum(equation: Equation, operands: Mapping[Var, Var | None]) -> bool:
    """Whether the result is just the one operand that is not zero."""
    terms = [v for v in variables(equation) if v in operands]
    if equation.name not in _SUMS or len(set(terms)) < 2:
        return False
    if equation.name == "sub" and operands[terms[0]] is None:
        return False
    term = next(v for v in terms if operands[v] is not None)
    return shape_of(term) == shape_of(equation.eqn.outvars[0])


def started_at(linear: LinearPart, var: Var) -> tuple[LinearPart, list[int]]:
    """Return what the directions of one input run through, all others being zero.

    Returns:
        The part from `var` to the outputs that it reaches, and their positions among
        the outputs of `linear`.
    """
    moving = reach(linear.equations, linear.inputs)
    writer, names = Writer(), {var: var}
    for equation in linear.equations:
        operands = {v: names.get(v) for v in variables(equation) if v in moving}
        if operands:
            outvars = equation.eqn.outvars
            results = writer.apply(equation, operands, outvars)
            names.update((v, r) for v, r in zip(outvars, results, strict=True) if r)
        else:
            writer.equations.append(equation)
    positions = [k for k, v in enumerate(linear.outputs) if v in names]
    ends = [names[linear.outputs[k]] for k in positions]
    return part(writer.equations, [var], ends), positions
