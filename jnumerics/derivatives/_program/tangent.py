"""The tangent program: a function's derivative as a flat list of linear equations.

`joint` traces a function's derivative at abstract arguments (shapes alone, so that
what is proven of the program holds at every value), and `partition` parts it:

- the **linear** equations are those that the tangents of the inputs reach; each is
  linear in them;
- all others are the **primal** equations; what the linear ones read of them are the
  residuals.

Any part of the list is a function again (`LinearPart`); its transpose is the reverse
pass.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal, Var

from jnumerics.derivatives._program.compared import compared_once
from jnumerics.derivatives._program.convolutions import samples_first
from jnumerics.derivatives._program.inline import Flat, as_array
from jnumerics.derivatives._program.jaxpr import (
    Atom,
    Equation,
    closed,
    is_var,
    variables,
)
from jnumerics.derivatives._program.layout import as_varying


@dataclass(frozen=True)
class Program:
    """A function's values and its tangent program.

    Attributes:
        inputs: The leaves of all arguments.
        tangents: One for each leaf that is differentiated.
        values: The leaves of the result, then those of aux.
        outputs: The tangents of the result's leaves; None where it is zero.
        primal: The equations of the values and the residuals.
        linear: The equations that the tangents reach.
        consts: The values that the function closes over; tracers among them.
        trusts_solvers: Whether linear solves are vouched to be exact.
        memo: What was found out of it before, by name.
    """

    inputs: list[Var]
    tangents: list[Var]
    values: list[Atom]
    outputs: list[Var | None]
    primal: list[Equation]
    linear: list[Equation]
    consts: dict[Var, Any]
    trusts_solvers: bool = False
    memo: dict[str, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def residuals(self) -> list[Var]:
        """What the linear equations read of the primal ones."""
        read = {v for e in self.linear for v in variables(e)} | set(self.outputs)
        return [v for e in self.primal for v in e.eqn.outvars if v in read]

    def primal_jaxpr(self) -> Any:
        """Make the primal program: constants and leaves to values and residuals."""
        inputs = [*self.consts, *self.inputs]
        eqns = compared_once([e.eqn for e in self.primal])
        return closed(eqns, inputs, [*self.values, *self.residuals])

    def evaluate(self, leaves: Sequence[Any]) -> tuple[list[Any], dict[Var, Any]]:
        """Evaluate the primal program: the values, and what the linear one reads."""
        env = {v: as_array(x) for v, x in self.consts.items()}
        env.update(zip(self.inputs, leaves, strict=True))
        results = jex.jaxpr_as_fun(self.primal_jaxpr())(*env.values())
        n = len(self.values)
        env.update(zip(self.residuals, results[n:], strict=True))
        return results[:n], env


@dataclass(frozen=True)
class LinearPart:
    """Some linear equations as a function of some of their variables.

    Attributes:
        inputs: What a pass starts from, taken as independent of each other.
        outputs: What it arrives at.
        equations: Those between the two.
        residuals: What else the equations read.
    """

    inputs: list[Var]
    outputs: list[Var]
    equations: list[Equation]
    residuals: list[Var]

    @functools.cached_property
    def _towards(self) -> dict[Var, "LinearPart"]:
        return {}

    def towards(self, output: Var) -> "LinearPart":
        """Return the part that leads to one of the outputs: the same each time."""
        if self.outputs == [output]:
            return self
        if output not in self._towards:
            self._towards[output] = part(self.equations, self.inputs, [output])
        return self._towards[output]

    @functools.cached_property
    def jaxpr(self) -> Any:
        """It as a closed jaxpr of the residuals and the tangents."""
        eqns = [e.eqn for e in self.equations]
        return closed(eqns, [*self.residuals, *self.inputs], self.outputs)

    def forward(self, env: dict[Var, Any]) -> Callable[..., list[Any]]:
        """Return the linear map from tangents of `inputs` to those of `outputs`."""
        return self._run(samples_first(self.jaxpr), env)

    def reverse(self, env: dict[Var, Any]) -> Callable[..., list[Any]]:
        """Return its transpose, from cotangents of `outputs` to those of `inputs`."""
        return self._run(samples_first(self.transpose), env)

    def _run(self, jaxpr: Any, env: dict[Var, Any]) -> Callable[..., list[Any]]:
        """Return a program as a function of what moves, the residuals known."""
        fun, avals = jex.jaxpr_as_fun(jaxpr), jaxpr.in_avals
        residuals = [env[v] for v in self.residuals]
        return lambda *moving: fun(*map(as_varying, [*residuals, *moving], avals))

    @functools.cached_property
    def transpose(self) -> Any:
        """Its transpose as a closed jaxpr of the residuals and the cotangents.

        It is made once: what proves, counts and runs reverse passes reads the same.
        """

        def backward(residuals: list[Any], cotangents: list[Any]) -> list[Any]:
            env = dict(zip(self.residuals, residuals, strict=True))
            start = [v.aval for v in self.inputs]
            back = jax.linear_transpose(self._run(self.jaxpr, env), *start)
            try:
                return list(back(cotangents))
            except AssertionError as error:  # JAX's, of a rule wrongly vouched for
                msg = "it has no transpose"
                raise NotImplementedError(msg) from error

        avals = [v.aval for v in self.residuals]
        return jax.make_jaxpr(backward)(avals, [v.aval for v in self.outputs])


def part(
    equations: Sequence[Equation], inputs: Sequence[Var], outputs: Sequence[Var]
) -> LinearPart:
    """Cut out the equations that lead from `inputs` to `outputs`.

    Every path from elsewhere to `outputs` must cross `inputs`.
    """
    needed = needed_for(equations, outputs, inputs)
    made = {v for e in needed for v in e.eqn.outvars} | set(inputs)
    reads = itertools.chain(*map(variables, needed), outputs)
    read = dict.fromkeys(v for v in reads if v not in made)
    return LinearPart(list(inputs), list(outputs), needed, list(read))


def needed_for(
    equations: Sequence[Equation],
    outputs: Iterable[Atom],
    stop: Iterable[Var] = (),
    *,
    effects: bool = False,
) -> list[Equation]:
    """Keep the equations that `outputs` need, not going back beyond `stop`.

    With `effects`, those that have an effect are needed too.
    """
    stop = set(stop)
    wanted = {v for v in outputs if isinstance(v, Var)} - stop
    needed = []
    for equation in reversed(equations):
        is_wanted = not wanted.isdisjoint(equation.eqn.outvars)
        if is_wanted or (effects and equation.eqn.effects):
            needed.append(equation)
            wanted.update(v for v in variables(equation) if v not in stop)
    return needed[::-1]


def partition(
    flat: Flat, n_leaves: int, n_values: int, *, keeps_all: bool = False
) -> Program:
    """Part a joint program in primal and linear equations, and drop the unneeded.

    Args:
        flat: From the leaves of the arguments, then tangents, to the leaves of the
            values, then tangents.
        n_leaves: Number of leaves of the arguments.
        n_values: Number of leaves of the values.
        keeps_all: Whether outputs that no tangent reaches are kept, as variables.
    """
    values, outputs = flat.outputs[:n_values], flat.outputs[n_values:]
    consts = dict(flat.consts)
    outputs = [
        _as_variable(v, consts)
        if keeps_all
        else v
        if is_var(v) and v in flat.reached
        else None
        for v in outputs
    ]
    needed = needed_for(flat.equations, [*values, *filter(None, outputs)], effects=True)
    linear = [e for e in needed if not flat.reached.isdisjoint(variables(e))]
    primal = [e for e in needed if flat.reached.isdisjoint(variables(e))]
    tangents = flat.inputs[n_leaves:]
    if keeps_all:
        still, values = _at_zero(linear, tangents, values, consts)
        primal = [*primal, *still]
    return Program(
        inputs=flat.inputs[:n_leaves],
        tangents=tangents,
        values=values,
        outputs=outputs,
        primal=primal,
        linear=linear,
        consts=consts,
    )


def _at_zero(
    linear: Sequence[Equation],
    tangents: Sequence[Var],
    values: Sequence[Atom],
    consts: dict[Var, Any],
) -> tuple[list[Equation], list[Atom]]:
    """Copy the equations that make values beside tangents, for tangents that are zero.

    A loop may carry both; its values are the same whatever the tangents are.
    """
    made = {v for e in linear for v in e.eqn.outvars}
    needed = needed_for(linear, [v for v in values if is_var(v) and v in made])
    names: dict[Any, Atom] = {}
    for v in tangents if needed else ():
        aval: Any = v.aval
        names[v] = fresh = Var(aval)
        consts[fresh] = np.zeros(aval.shape, aval.dtype)
    still = []
    for equation in needed:
        outvars = [Var(v.aval) for v in equation.eqn.outvars]
        invars = [names.get(v, v) if is_var(v) else v for v in equation.eqn.invars]
        copied = equation.eqn.replace(invars=invars, outvars=outvars)
        still.append(equation._replace(eqn=copied))
        names.update(zip(equation.eqn.outvars, outvars, strict=True))
    return still, [names.get(v, v) if is_var(v) else v for v in values]


def _as_variable(atom: Atom, consts: dict[Var, Any]) -> Var:
    """Make a constant of a literal."""
    if isinstance(atom, Literal):
        aval: Any = atom.aval
        fresh = Var(aval)
        consts[fresh] = jnp.asarray(atom.val, aval.dtype)
        return fresh
    return atom
