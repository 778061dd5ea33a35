"""Values of the primal program that are known at trace time.

Indices and masks decide where a gather reads. Under `jit` a constant index is an
equation's result like any other, and in an eager trace one computed from the input looks
like a constant; so neither where a value stands nor whether it can be printed says
that it is known. Here it is known when it is made of literals, of constants with values and
of nothing else; everything that an argument or an unknown constant reaches is unknown.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal, Var

from jnumerics import _check
from jnumerics.derivatives._rules._boxes import dtype_of, shape_of
from jnumerics.derivatives._tangent import Atom, Equation, variables
from jnumerics.derivatives._values import Value, evaluate

MAX_SIZE = 1 << 22  # entries of a value that is worth evaluating at trace time
_LOOPS = {"while", "scan", "cond"}  # could run for long, and never make an index


class KnownValues:
    """Evaluates on demand, and once, what is known.

    Args:
        equations: The primal equations, in order.
        values: Constants and arguments whose values may be known; tracers are not.
        varying: Those among `values` that hold for one pass of a loop's body only.

    Attributes:
        cache: What is prepared once for this program.
        has_varied: Whether a value that comes of `varying` was asked for.
    """

    def __init__(
        self,
        equations: Sequence[Equation],
        values: Mapping[Var, Any],
        varying: Collection[Var] = (),
    ) -> None:
        self.cache: dict[Any, Any] = {}
        self.has_varied = False
        self._values: dict[Var, Value | None] = {}
        self._given = {v: x for v, x in values.items() if _check.is_concrete(x)}
        self._makers: dict[Var, Equation] = {}
        self._varying = set(varying)
        self._equations = {v: e for e in equations for v in e.eqn.outvars}
        for equation in equations:
            if self._may_be_known(equation):
                self._makers.update(dict.fromkeys(equation.eqn.outvars, equation))
                if not self._varying.isdisjoint(variables(equation)):
                    self._varying.update(equation.eqn.outvars)

    def __call__(self, atom: Atom) -> np.ndarray | None:
        """Return the value of an atom, or None where it is unknown."""
        value = self._value(atom)
        if value is not None and isinstance(atom, Var) and atom in self._varying:
            self.has_varied = True
        return None if value is None else value.full

    def columns(self, atom: Atom) -> list[np.ndarray | None]:
        """Return what is known of an array of indices, column by column.

        A column is an entry of the last axis. Indices of several axes come
        concatenated, and one of them may be known while another is not.
        """
        value = self(atom)
        if value is not None:
            return list(np.moveaxis(value, -1, 0))
        equation = self._equations.get(atom) if isinstance(atom, Var) else None
        last = len(shape_of(atom)) - 1
        if equation is not None:
            eqn = equation.eqn
            if equation.name == "concatenate" and eqn.params["dimension"] == last:
                return [column for v in eqn.invars for column in self.columns(v)]
            if equation.name == "convert_element_type":
                dtype = dtype_of(atom)
                found = self.columns(eqn.invars[0])
                return [None if c is None else c.astype(dtype) for c in found]
        return [None] * shape_of(atom)[last]

    def _may_be_known(self, equation: Equation) -> bool:
        eqn = equation.eqn
        return (
            equation.name not in _LOOPS
            and not eqn.effects
            and all(v in self._given or v in self._makers for v in variables(equation))
        )

    def _value(self, atom: Atom) -> Value | None:
        if isinstance(atom, Literal):
            return Value(np.asarray(atom.val, dtype_of(atom)), shape_of(atom))
        if atom not in self._values:
            if atom in self._given:
                self._values[atom] = _as_value(self._given[atom])
            elif atom in self._makers:
                self._evaluate(self._makers[atom])
            else:
                self._values[atom] = None
        return self._values[atom]

    def _evaluate(self, equation: Equation) -> None:
        eqn = equation.eqn
        operands = [self._value(v) for v in eqn.invars]
        found = [x for x in operands if x is not None]
        results = None
        if len(found) == len(operands) and _is_small(equation, found):
            results = evaluate(eqn, found)
        if results is None:
            results = [None] * len(eqn.outvars)
        self._values.update(zip(eqn.outvars, results, strict=True))


def _is_small(equation: Equation, operands: Sequence[Value]) -> bool:
    """Whether an equation is worth evaluating: by what it would really fill."""
    if equation.name in ("iota", "broadcast_in_dim"):
        return True  # views, and one axis
    sizes = [x.array.size for x in operands]
    compact = equation.name in _COMPACT
    sizes += [] if compact else [math.prod(shape_of(v)) for v in equation.eqn.outvars]
    shapes = [x.array.shape for x in operands if x.array.ndim]
    if compact and len({len(s) for s in shapes}) == 1:
        sizes.append(math.prod(np.broadcast_shapes(*shapes)))
    return max(sizes, default=0) <= MAX_SIZE


_COMPACT = {
    "add", "sub", "mul", "div", "rem", "neg", "max", "min", "and", "or", "xor", "not",
    "eq", "ne", "lt", "le", "gt", "ge", "select_n", "convert_element_type",
    "transpose", "squeeze", "slice", "copy", "stop_gradient",
}  # fmt: skip


def _as_value(x: Any) -> Value | None:
    if jnp.issubdtype(jnp.result_type(x), jax.dtypes.extended):
        return None
    array = np.asarray(x)
    return Value(array, array.shape)
