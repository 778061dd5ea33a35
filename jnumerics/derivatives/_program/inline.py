"""Inlining: a jaxpr whose calls are opened, as one flat list of equations.

Calls (`jit`, `closed_call`, remat, custom_jvp calls) are inlined, every inner variable
fresh at every inlining; `scan`, `cond` and `while` stay one equation. The linear map of
a custom_vjp function only transposes; transposing it twice makes an ordinary program.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
from jax.extend.core import JaxprEqn, Var

from jnumerics.derivatives._program.jaxpr import (
    REMATS,
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

    for eqn in itertools.chain.from_iterable(map(_operandwise, inner.eqns)):
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


def _operandwise(eqn: JaxprEqn) -> Iterator[JaxprEqn]:
    """Part a transfer of several arrays, of which some may be tangents, some not."""
    if eqn.primitive.name != "device_put" or len(eqn.invars) == 1:
        yield eqn
        return
    for k, (operand, result) in enumerate(zip(eqn.invars, eqn.outvars, strict=True)):
        own = {name: (values[k],) for name, values in eqn.params.items()}
        yield eqn.replace(invars=[operand], outvars=[result], params=own)


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
    rule), which transposes again unless it holds a true while loop. It stands for the
    map if it is linear, which `_linearity` checks.
    """
    results = [v.aval for v in eqn.outvars]

    def forward(*operands: Any) -> list[Any]:
        residuals, tangents = _parted(operands, is_tangent)
        backward = _pullback(eqn, is_tangent, residuals)
        again = jax.linear_transpose(lambda cts: tuple(backward(*cts)), results)
        return again(tuple(tangents))[0]

    try:
        return jax.make_jaxpr(forward)(*(v.aval for v in eqn.invars))
    except Exception:
        return None  # whatever the rule's reason: it stays reverse-only


def backward_rule(eqn: JaxprEqn, is_tangent: Sequence[bool]) -> Any:
    """Return the backward rule of a custom_vjp function's linear map.

    Returns:
        A closed jaxpr from the residuals and the cotangents of the equation's results
        to the cotangents of its tangents.
    """

    def backward(residuals: list[Any], cotangents: list[Any]) -> list[Any]:
        return _pullback(eqn, is_tangent, residuals)(*cotangents)

    residuals, _ = _parted([v.aval for v in eqn.invars], is_tangent)
    return jax.make_jaxpr(backward)(residuals, [v.aval for v in eqn.outvars])


def _pullback(
    eqn: JaxprEqn, is_tangent: Sequence[bool], residuals: Sequence[Any]
) -> Callable[..., list[Any]]:
    """Transpose an equation in its tangents."""
    inputs = [Var(v.aval) for v in eqn.invars]
    call = jex.jaxpr_as_fun(
        closed([eqn.replace(invars=[*inputs])], inputs, eqn.outvars)
    )
    _, tangents = _parted([v.aval for v in inputs], is_tangent)

    def linear(*moving: Any) -> list[Any]:
        still, moved = iter(residuals), iter(moving)
        return call(*(next(moved) if t else next(still) for t in is_tangent))

    pull = jax.linear_transpose(linear, *tangents)
    return lambda *cotangents: list(pull(list(cotangents)))


def _parted(
    operands: Sequence[Any], is_tangent: Sequence[bool]
) -> tuple[list[Any], list[Any]]:
    """Part what is no tangent from what is one."""
    pairs = list(zip(operands, is_tangent, strict=True))
    return [x for x, t in pairs if not t], [x for x, t in pairs if t]
