"""Interpreting a primal program over jets."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jnumerics.derivatives._modes.collapsed.control import CONTROL, Interpret
from jnumerics.derivatives._modes.collapsed.jet import (
    Expand,
    Jet,
    itself,
    known,
    moving,
)
from jnumerics.derivatives._modes.collapsed.operation import (
    NotServedError,
    obstacle,
    values_of,
)
from jnumerics.derivatives._modes.collapsed.rules import push
from jnumerics.derivatives._program.inline import flatten
from jnumerics.derivatives._program.jaxpr import (
    Atom,
    Equation,
    JaxprEqn,
    Var,
    dtype_of,
    equations_inside,
)
from jnumerics.derivatives._program.linearity.directions import is_inexact
from jnumerics.derivatives._program.tangent import needed_for


def interpret(
    jaxpr: Any,
    jets: list[Jet],
    expand: Expand = itself,
    *,
    effects: bool = True,
    vouched: bool = False,
) -> list[Jet]:
    """Push jets through a closed jaxpr; a call with a custom rule stays one equation.

    Args:
        jaxpr: The program.
        jets: Of its inputs.
        expand: From what is carried to all directions.
        effects: Whether its effects happen; else they are left out.
        vouched: Whether the user vouches for the rules of custom_jvp calls.

    Raises:
        NotServedError: If it holds what jets cannot pass.
    """
    flat = flatten(jaxpr, [jet.jac is not None for jet in jets], keeps_rules=True)
    env = {v: Jet(_constant(v, x)) for v, x in flat.consts.items()}
    env.update(zip(flat.inputs, jets, strict=True))

    def read(atom: Atom) -> Jet:
        if isinstance(atom, Var):
            return env[atom]
        return Jet(jnp.asarray(atom.val, dtype_of(atom)))

    inside = functools.partial(
        interpret, expand=expand, effects=effects, vouched=vouched
    )

    for equation in needed_for(flat.equations, flat.outputs, effects=effects):
        eqn = equation.eqn
        operands = [read(v) for v in eqn.invars]
        results = _step(equation, operands, expand, inside, vouched=vouched)
        env.update(zip(eqn.outvars, results, strict=True))
    return [read(v) for v in flat.outputs]


def _constant(v: Var, x: Any) -> Any:
    """Return a constant as an array of JAX that is none of the trace around."""
    return x if isinstance(x, jax.Array | jax.Ref) else known(x, dtype_of(v))


def _step(
    equation: Equation,
    jets: list[Jet],
    expand: Expand,
    inside: Interpret,
    *,
    vouched: bool,
) -> list[Jet]:
    eqn, name = equation.eqn, equation.name
    if not any(jet.order for jet in jets) or not any(map(is_inexact, eqn.outvars)):
        return values_of(eqn, jets)
    if name in CONTROL:
        return CONTROL[name](inside, eqn, jets)
    if eqn.effects or name.startswith("custom_vjp_call"):
        reason = f"{name} at {equation.line}"
        raise NotServedError(reason)
    for call, where, values in _calls(eqn, jets):
        reason = obstacle(call, where, values, vouched=vouched)
        if reason:
            msg = f"{call.primitive.name} at {equation.line}, {reason}"
            raise NotServedError(msg)
    return push(eqn, jets, expand)


def _calls(
    eqn: JaxprEqn, jets: list[Jet]
) -> Iterator[tuple[JaxprEqn, list[int], list[Any]]]:
    """Yield custom_jvp calls of an equation bound whole: what moves, what is known."""
    if eqn.primitive.name == "custom_jvp_call":
        yield eqn, moving(jets), [jet.value for jet in jets]
        return
    for inner in equations_inside(eqn):
        if inner.primitive.name == "custom_jvp_call":
            numbers = [k for k, v in enumerate(inner.invars) if is_inexact(v)]
            yield inner, numbers, [None] * len(inner.invars)
