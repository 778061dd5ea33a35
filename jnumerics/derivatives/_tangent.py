"""The tangent program: a function's derivative as a flat list of linear equations.

`trace` linearizes a function at abstract arguments (shapes alone, so that what is
proven of the program holds at every value) and splits the result:

- the **linear** equations are those that the tangents of the inputs reach; each is
  linear in them;
- all others are the **primal** equations; what the linear ones read of them are the
  residuals.

Any part of the list is a function again (`LinearPart`); its transpose is the reverse pass.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jax.extend.core import Var

from jnumerics.derivatives import _effects, _refusal
from jnumerics.derivatives._equations import (
    Atom,
    Equation,
    closed,
    is_var,
    variables,
)
from jnumerics.derivatives._inline import Flat, flatten


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
    """

    inputs: list[Var]
    tangents: list[Var]
    values: list[Atom]
    outputs: list[Var | None]
    primal: list[Equation]
    linear: list[Equation]
    consts: dict[Var, Any]

    @property
    def residuals(self) -> list[Var]:
        """What the linear equations read of the primal ones."""
        read = {v for e in self.linear for v in variables(e)}
        return [v for e in self.primal for v in e.eqn.outvars if v in read]

    def primal_jaxpr(self) -> Any:
        """Make the primal program: from constants and leaves to values and residuals."""
        given = [*self.consts, *self.inputs]
        eqns = [e.eqn for e in self.primal]
        return closed(eqns, given, [*self.values, *self.residuals])

    def evaluate(self, leaves: Sequence[Any]) -> tuple[list[Any], dict[Var, Any]]:
        """Evaluate the primal program: the values, and all that the linear one reads."""
        # constants of NumPy would not be indexed by tracers in a custom rule
        env = {
            v: x if isinstance(x, jax.Ref) else jnp.asarray(x)
            for v, x in self.consts.items()
        }
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

    def forward(self, env: dict[Var, Any]) -> Callable[..., list[Any]]:
        """Return the linear map from tangents of `inputs` to those of `outputs`."""
        eqns = [e.eqn for e in self.equations]
        fun = jex.jaxpr_as_fun(
            closed(eqns, [*self.residuals, *self.inputs], self.outputs)
        )
        given = [env[v] for v in self.residuals]
        return lambda *tangents: fun(*given, *tangents)

    def reverse(self, env: dict[Var, Any]) -> Callable[..., list[Any]]:
        """Return its transpose, from cotangents of `outputs` to those of `inputs`."""
        start = [v.aval for v in self.inputs]
        transposed = jax.linear_transpose(self.forward(env), *start)
        return lambda *cotangents: list(transposed(list(cotangents)))


def part(
    equations: Sequence[Equation], inputs: Sequence[Var], outputs: Sequence[Var]
) -> LinearPart:
    """Cut out the equations that lead from `inputs` to `outputs`.

    Every path from elsewhere to `outputs` must cross `inputs`.
    """
    needed = needed_for(equations, outputs, inputs)
    made = {v for e in needed for v in e.eqn.outvars} | set(inputs)
    read = dict.fromkeys(v for e in needed for v in variables(e) if v not in made)
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
    kept = []
    for equation in reversed(equations):
        is_wanted = not wanted.isdisjoint(equation.eqn.outvars)
        if is_wanted or (effects and equation.eqn.effects):
            kept.append(equation)
            wanted.update(v for v in variables(equation) if v not in stop)
    return kept[::-1]


def trace(
    fun: Callable[[list[Any]], tuple[list[Any], list[Any]]],
    leaves: Sequence[Any],
    active: Sequence[int],
) -> Program:
    """Trace the tangent program of a function of flat leaves.

    Args:
        fun: From all leaves to (leaves of the result, leaves of aux).
        leaves: The arguments' leaves; only their shapes and dtypes are read.
        active: Positions of the leaves to differentiate with respect to.

    Returns:
        The program, without the equations that nothing needs.

    Raises:
        TypeError: If `fun` needs concrete values, or has effects.
    """
    n_results = 0

    def joint(leaves: list[Any], tangents: list[Any]) -> tuple[Any, Any, Any]:
        def restricted(*xs: Any) -> Any:
            filled = list(leaves)
            for position, x in zip(active, xs, strict=True):
                filled[position] = x
            return fun(filled)

        nonlocal n_results
        point = [leaves[k] for k in active]
        out, pushforward, aux = jax.linearize(restricted, *point, has_aux=True)
        n_results = len(out)
        return out, aux, pushforward(*tangents)

    abstract = [jax.typeof(x) for x in leaves]
    with _refusal.tracing():
        jaxpr = jax.make_jaxpr(joint)(abstract, [abstract[k] for k in active])
    jaxpr = _effects.without_repeats(jaxpr)
    flat = flatten(jaxpr, [False] * len(leaves) + [True] * len(active))
    _effects.refuse_in_passes(flat.equations, flat.reached)
    return _split(flat, len(leaves), len(flat.outputs) - n_results)


def _split(flat: Flat, n_leaves: int, n_values: int) -> Program:
    """Part the joint program in primal and linear equations, and drop the unneeded."""
    values, outputs = flat.outputs[:n_values], flat.outputs[n_values:]
    tangent = [v if is_var(v) and v in flat.reached else None for v in outputs]
    needed = needed_for(flat.equations, [*values, *filter(None, tangent)], effects=True)
    linear = [e for e in needed if not flat.reached.isdisjoint(variables(e))]
    primal = [e for e in needed if flat.reached.isdisjoint(variables(e))]
    return Program(
        inputs=flat.inputs[:n_leaves],
        tangents=flat.inputs[n_leaves:],
        values=values,
        outputs=tangent,
        primal=primal,
        linear=linear,
        consts=flat.consts,
    )
