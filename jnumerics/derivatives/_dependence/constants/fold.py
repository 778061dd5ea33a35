"""Values of the primal program that are known at trace time.

Indices and masks decide where a gather reads. Under `jit` a constant index is the
result of an equation like any other, and in an eager trace an index computed from the
input looks like a constant; so neither a value's place nor whether it is concrete shows
that it is known. Here it is known if it is made of literals and of constants with
values, and of nothing else; whatever an argument or an unknown constant reaches is
unknown.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import _check
from jnumerics.derivatives._dependence.constants.evaluate import (
    Value,
    as_value,
    constant_value,
    evaluate,
    is_small,
)
from jnumerics.derivatives._dependence.rules.indexing import columns_of
from jnumerics.derivatives._program.inline import Flat, flatten
from jnumerics.derivatives._program.jaxpr import (
    Atom,
    Equation,
    JaxprEqn,
    Literal,
    Var,
    body_of_call,
    dtype_of,
    is_index,
    scan_roles,
    shape_of,
    variables,
)
from jnumerics.derivatives._program.tangent import Program

_NEVER_KNOWN = {
    "while", "random_wrap", "random_seed",  # long loops, and what is drawn
    "pure_callback", "ffi_call",  # the user's own code runs when it is called
}  # fmt: skip
MAX_STEPS = 4000  # equations evaluated while following a scan's indices


class Constants:
    """Evaluates on demand, and once, what is known.

    Args:
        equations: The primal equations, in order.
        values: Constants and arguments whose values may be known; tracers are not.
        varying: Those among `values` that hold for one pass of a loop's body only.
        trusts_solvers: Whether the user vouches that linear solves are exact.
        around: The constants of the surrounding program, whose variables these read.

    Attributes:
        cache: What is prepared once for this program.
        has_varied: Whether a value that depends on `varying` was read.
    """

    def __init__(
        self,
        equations: Sequence[Equation],
        values: Mapping[Var, Any],
        varying: Collection[Var] = (),
        around: "Constants | None" = None,
        *,
        trusts_solvers: bool = False,
    ) -> None:
        self.trusts_solvers = around.trusts_solvers if around else trusts_solvers
        self.cache: dict[Any, Any] = {}
        self.has_varied = False
        self._values: dict[Var, Value | None] = {}
        self._concrete = {
            v: x
            for v, x in values.items()
            if isinstance(x, Value) or _check.is_concrete(x)
        }
        self._varying = set(varying)
        self._around = around
        self._equations = {v: e for e in equations for v in e.eqn.outvars}
        self._makers: dict[Var, Equation] = {}  # of what may turn out to be known
        for equation in equations:
            outvars = self._candidates(equation)
            self._makers.update(dict.fromkeys(outvars, equation))
            if outvars and not self._varying.isdisjoint(variables(equation)):
                self._varying.update(outvars)

    def __call__(self, atom: Atom) -> np.ndarray | None:
        """Return the value of an atom, or None where it is unknown or rounded."""
        value = self._asked_for(atom)
        return None if value is None or value.error else value.full

    def nonzero(self, atom: Atom) -> np.ndarray | None:
        """Return which elements may differ from 0, or None where that is unknown."""
        if isinstance(atom, Var) and atom not in self._varying:
            constant = self._constant(atom)
            if constant is not None:
                return constant != 0
        value = self._asked_for(atom)
        if value is None or (value.error and not value.history.zeros):
            return None
        return value.full != 0

    def _constant(self, v: Var) -> np.ndarray | None:
        """Return the numbers of a constant, unevaluated and unrounded."""
        x = self._concrete.get(v)
        if x is None and self._around is not None and v not in self._makers:
            return self._around._constant(v)
        is_numbers = x is not None and not isinstance(x, Value)
        if not is_numbers or jnp.issubdtype(jnp.result_type(x), jax.dtypes.extended):
            return None
        return np.asarray(x)

    def _asked_for(self, atom: Atom) -> Value | None:
        value = self.value(atom)
        if value is not None and isinstance(atom, Var) and atom in self._varying:
            self.has_varied = True
        return value

    def columns(self, atom: Atom) -> list[np.ndarray | None]:
        """Return what is known of an array of indices, column by column.

        A column is an entry of the last axis. Indices of several axes come
        concatenated, and one of them may be known while another is not.
        """
        value = self(atom)
        if value is not None:
            return [*columns_of(value)]
        equation = self._equations.get(atom) if isinstance(atom, Var) else None
        last = len(shape_of(atom)) - 1
        if equation is not None:
            eqn = equation.eqn
            if equation.name == "concatenate" and eqn.params["dimension"] == last:
                return [column for v in eqn.invars for column in self.columns(v)]
            if equation.name == "convert_element_type" and is_index(eqn.invars[0]):
                dtype = dtype_of(atom)
                columns = self.columns(eqn.invars[0])
                return [None if c is None else c.astype(dtype) for c in columns]
        return [None] * shape_of(atom)[last]

    def _candidates(self, equation: Equation) -> list[Any]:
        """Return the results that may be known; of loops and branches, only indices."""
        eqn = equation.eqn
        if eqn.effects or equation.name in _NEVER_KNOWN:
            return []
        if equation.name in _PARTLY_KNOWN:
            return [v for v in eqn.outvars if is_index(v)]
        is_known = all(self._may_know(v) for v in variables(equation))
        return list(eqn.outvars) if is_known else []

    def _may_know(self, v: Var) -> bool:
        if v in self._concrete or v in self._makers:
            return True
        return self._around is not None and self._around._may_know(v)

    def value(self, atom: Atom) -> Value | None:
        """Return the value of an atom, rounded or not, or None where it is unknown."""
        if isinstance(atom, Literal):
            return constant_value(np.asarray(atom.val, dtype_of(atom)))
        waiting = [atom]
        while waiting:
            v = waiting[-1]
            if v not in self._values:
                missing = self._missing(v)
                if missing:
                    waiting += missing
                    continue
                self._settle(v)
            waiting.pop()
        return self._values[atom]

    def _missing(self, v: Var) -> list[Var]:
        if v in self._concrete or v not in self._makers:
            return []
        return [u for u in variables(self._makers[v]) if u not in self._values]

    def _settle(self, v: Var) -> None:
        """Find a value whose maker's operands are settled."""
        if v in self._concrete:
            self._values[v] = as_value(self._concrete[v])
        elif v in self._makers:
            equation = self._makers[v]
            operands = [self.value(u) for u in equation.eqn.invars]
            results = self._results(equation, operands)
            self._values.update(zip(equation.eqn.outvars, results, strict=True))
        else:
            self._values[v] = None if self._around is None else self._around.value(v)

    def _results(
        self, equation: Equation, operands: Sequence[Value | None]
    ) -> Sequence[Value | None]:
        results = None
        if equation.name in _PARTLY_KNOWN:
            results = _PARTLY_KNOWN[equation.name](equation.eqn, operands)
        else:
            values = [x for x in operands if x is not None]
            if len(values) == len(operands) and is_small(equation, values):
                results = evaluate(equation.eqn, values)
        return [None] * len(equation.eqn.outvars) if results is None else results


def constants_of(program: Program) -> Constants:
    """Return what is known of a program's primal part at trace time."""
    if "constants" not in program.memo:
        program.memo["constants"] = Constants(
            program.primal, program.consts, trusts_solvers=program.trusts_solvers
        )
    return program.memo["constants"]


def _inside(flat: Flat, operands: Sequence[Value | None]) -> list[Value | None]:
    """Return the indices among a body's outputs, from what is known of its inputs."""
    values = dict(flat.consts)
    pairs = zip(flat.inputs, operands, strict=True)
    values.update((v, x) for v, x in pairs if x is not None)
    constants = Constants(flat.equations, values)
    results = [constants(v) if is_index(v) else None for v in flat.outputs]
    return [None if x is None else Value(x, x.shape) for x in results]


def _chosen_branch(
    eqn: JaxprEqn, operands: Sequence[Value | None]
) -> Sequence[Value | None] | None:
    index, branches = operands[0], eqn.params["branches"]
    if index is None or not 0 <= int(index.array.item()) < len(branches):
        return None
    branch = branches[int(index.array.item())]
    flat = flatten(branch, [False] * (len(operands) - 1))
    return _inside(flat, operands[1:])


def _all_steps(
    eqn: JaxprEqn, operands: Sequence[Value | None]
) -> Sequence[Value | None] | None:
    """Follow a scan's counters, and stack the indices that its steps make."""
    flat = flatten(eqn.params["jaxpr"], [False] * len(operands))
    length = eqn.params["length"]
    if not 0 < length * max(len(flat.equations), 1) <= MAX_STEPS:
        return None
    roles = scan_roles(eqn)
    consts, carry = operands[: roles.n_consts], operands[roles.n_consts : roles.n_whole]
    steps = range(length)
    stacked = []
    for step in reversed(steps) if eqn.params["reverse"] else steps:
        xs = [
            None
            if x is None
            else Value(np.asarray(x.full[step]), x.shape[1:], x.bounds)
            for x in operands[roles.n_whole :]
        ]
        results = _inside(flat, [*consts, *carry, *xs])
        carry = results[: roles.n_carry]
        stacked.append(results[roles.n_carry :])
        if all(x is None for x in results):
            return None
    ordered = stacked[::-1] if eqn.params["reverse"] else stacked
    return [*carry, *(_stacked(column) for column in zip(*ordered, strict=True))]


def _stacked(values: Sequence[Value | None]) -> Value | None:
    arrays = [x.full for x in values if x is not None]
    if len(arrays) < len(values):
        return None
    array = np.stack(arrays)
    return Value(array, array.shape)


def _called(
    eqn: JaxprEqn, operands: Sequence[Value | None]
) -> Sequence[Value | None] | None:
    body = body_of_call(eqn)
    if body is None:
        return None
    return _inside(flatten(body, [False] * len(operands)), operands)


_PARTLY_KNOWN = {
    "call_hi_primitive": _called,
    "cond": _chosen_branch,
    "custom_jvp_call": _called,
    "custom_vjp_call": _called,
    "eval_jaxpr": _called,
    "scan": _all_steps,
}
