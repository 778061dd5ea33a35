"""Values of the primal program that are known at trace time.

Indices and masks decide where a gather reads. Under `jit` a constant index is an
equation's result like any other, and in an eager trace one computed from the input looks
like a constant; so neither where a value stands nor whether it can be printed says
that it is known. Here it is known when it is made of literals, of constants with values and
of nothing else; everything that an argument or an unknown constant reaches is unknown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.extend.core as jex
import numpy as np
from jax.extend.core import Literal, Var

from jnumerics.derivatives._tangent import Atom, Equation, closed, variables

MAX_SIZE = 1 << 22  # entries of a value that is worth evaluating at trace time
_LOOPS = {"while", "scan", "cond"}  # could run for long, and never make an index


class KnownValues:
    """Evaluates on demand, and once, what is known.

    Args:
        equations: The primal equations, in order.
        values: Constants and arguments whose values may be known; tracers are not.
    """

    def __init__(
        self, equations: Sequence[Equation], values: Mapping[Var, Any]
    ) -> None:
        self._values = {
            v: x for v, x in values.items() if not isinstance(x, jax.core.Tracer)
        }
        self._makers: dict[Var, Equation] = {}
        for equation in equations:
            if self._is_known(equation):
                self._makers.update(dict.fromkeys(equation.eqn.outvars, equation))

    def __call__(self, atom: Atom) -> np.ndarray | None:
        """Return the value of an atom, or None where it is unknown."""
        if isinstance(atom, Literal):
            return np.asarray(atom.val)
        if atom not in self._values and atom not in self._makers:
            return None
        return np.asarray(self._value(atom))

    def _is_known(self, equation: Equation) -> bool:
        eqn = equation.eqn
        return (
            equation.name not in _LOOPS
            and all(v in self._values or v in self._makers for v in variables(equation))
            and all(getattr(v.aval, "size", 0) <= MAX_SIZE for v in eqn.outvars)
        )

    def _value(self, atom: Atom) -> Any:
        if isinstance(atom, Literal):
            return atom.val
        if atom not in self._values:
            eqn = self._makers[atom].eqn
            operands = [self._value(v) for v in eqn.invars]
            self._values.update(zip(eqn.outvars, _evaluate(eqn, operands), strict=True))
        return self._values[atom]


def _evaluate(eqn: jex.JaxprEqn, operands: Sequence[Any]) -> Sequence[Any]:
    inputs = [Var(v.aval) for v in eqn.invars]
    fun = jex.jaxpr_as_fun(closed([eqn.replace(invars=inputs)], inputs, eqn.outvars))
    with jax.ensure_compile_time_eval():
        return fun(*operands)
