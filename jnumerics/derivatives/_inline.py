"""Inlining: a jaxpr whose calls are opened, as one flat list of equations.

Calls (`jit`, `closed_call`, remat, custom_jvp calls) are inlined, every inner variable
fresh at every inlining; `scan`, `cond` and `while` stay one equation. The linear map of
a custom_vjp function only transposes; transposing it twice makes an ordinary program.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
from jax.extend.core import JaxprEqn, Var

from jnumerics.derivatives._effects import REMATS
from jnumerics.derivatives._equations import (
    Atom,
    Equation,
    closed,
    constants,
    is_var,
    open_jaxpr,
)

CALLS = {"jit", "pjit", "closed_call", "core_call"}
LINEAR_CALLS = CALLS | REMATS | {"custom_jvp_call"}
_INNER = ("jaxpr", "call_jaxpr")


class Flat(NamedTuple):
    """A jaxpr with its calls inlined.

    Attributes:
        inputs: Its inputs.
        outputs: Its outputs.
        equations: Its equations, in order.
        reached: Everything that depends on a tangent among the inputs.
        consts: The values it closes over.
    """

    inputs: list[Var]
    outputs: list[Atom]
    equations: list[Equation]
    reached: set[Var]
    consts: dict[Var, Any]


def flatten(jaxpr: Any, reached: Sequence[bool]) -> Flat:
    """Inline the calls of a closed jaxpr.

    Args:
        jaxpr: The jaxpr.
        reached: For each of its inputs, whether it is a tangent.
    """
    inner = open_jaxpr(jaxpr)
    inputs = [Var(v.aval) for v in inner.invars]
    seeds = {v for v, is_tangent in zip(inputs, reached, strict=True) if is_tangent}
    flat = Flat(inputs, [], [], seeds, {})
    flat.outputs.extend(_inline(flat, jaxpr, inputs, ()))
    return flat


def _inline(
    flat: Flat, jaxpr: Any, arguments: Sequence[Atom], callers: tuple[JaxprEqn, ...]
) -> list[Atom]:
    inner = open_jaxpr(jaxpr)
    names: dict[Var, Atom] = dict(zip(inner.invars, arguments, strict=True))
    for var, value in zip(inner.constvars, constants(jaxpr), strict=True):
        names[var] = fresh = Var(var.aval)
        flat.consts[fresh] = value

    def rename(atom: Atom) -> Atom:
        return names[atom] if isinstance(atom, Var) else atom

    for eqn in inner.eqns:
        operands = [rename(v) for v in eqn.invars]
        is_linear = not flat.reached.isdisjoint(filter(is_var, operands))
        body = _body(eqn, is_linear, operands, flat.reached)
        if body is not None:
            results = _inline(flat, body, operands, (*callers, eqn))
        else:
            results = [Var(v.aval) for v in eqn.outvars]
            renamed = eqn.replace(invars=operands, outvars=results)
            flat.equations.append(Equation(renamed, callers))
            flat.reached.update(results if is_linear else ())
        names.update(zip(eqn.outvars, results, strict=True))
    return [rename(v) for v in inner.outvars]


def _body(
    eqn: JaxprEqn, is_linear: bool, operands: Sequence[Atom], reached: set[Var]
) -> Any:
    """Return the jaxpr to put in place of an equation, if it is a call."""
    name = eqn.primitive.name
    if name == "custom_lin" and is_linear:
        is_tangent = [is_var(v) and v in reached for v in operands]
        return _transposed_twice(eqn, is_tangent)
    if name in (LINEAR_CALLS if is_linear else CALLS):
        return next((eqn.params[k] for k in _INNER if k in eqn.params), None)
    return None


def _transposed_twice(eqn: JaxprEqn, is_tangent: Sequence[bool]) -> Any:
    """Make an ordinary program of a custom_vjp function's linear map, if one exists.

    It only transposes; but the transpose is an ordinary program (the user's backward
    rule), which transposes again unless it holds a true while loop.
    """
    inputs = [Var(v.aval) for v in eqn.invars]
    renamed = eqn.replace(invars=[*inputs])
    call = jex.jaxpr_as_fun(closed([renamed], inputs, eqn.outvars))
    results = [v.aval for v in eqn.outvars]

    def forward(*operands: Any) -> list[Any]:
        tangents = [x for x, t in zip(operands, is_tangent, strict=True) if t]

        def linear(*ts: Any) -> list[Any]:
            moving = iter(ts)
            pairs = zip(operands, is_tangent, strict=True)
            return call(*(next(moving) if t else x for x, t in pairs))

        backward = jax.linear_transpose(linear, *tangents)
        again = jax.linear_transpose(backward, results)
        return again(tuple(tangents))[0]

    try:
        return jax.make_jaxpr(forward)(*(v.aval for v in eqn.invars))
    except Exception:
        return None  # whatever the rule's reason: it stays reverse-only
