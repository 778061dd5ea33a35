"""Inlining: a jaxpr whose calls are opened, as one flat list of equations.

Calls (`jit`, `closed_call`, remat, custom_jvp calls) are inlined, every inner variable
fresh at every inlining; `scan`, `cond` and `while` stay one equation. The linear map of
a custom_vjp function only transposes; transposing it twice makes an ordinary program.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jax.extend.core import JaxprEqn, Var

from jnumerics.derivatives._program.jaxpr import (
    REMATS,
    Atom,
    Equation,
    closed,
    constants,
    equations_inside,
    is_var,
    open_jaxpr,
    variables,
)

CALLS = {"jit", "pjit", "closed_call", "core_call"}
LINEAR_CALLS = CALLS | REMATS | {"custom_jvp_call"}
_INNER = ("jaxpr", "call_jaxpr")
_RULED = {"custom_jvp_call", "custom_vjp_call"}


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


def flatten(jaxpr: Any, reached: Sequence[bool], *, keeps_rules: bool = False) -> Flat:
    """Inline the calls of a closed jaxpr.

    Args:
        jaxpr: The jaxpr.
        reached: For each of its inputs, whether it is a tangent.
        keeps_rules: Whether custom_jvp calls that tangents enter stay equations, which
            have their rule when they are differentiated again.
    """
    inner = open_jaxpr(jaxpr)
    inputs = [Var(v.aval) for v in inner.invars]
    seeds = {v for v, is_tangent in zip(inputs, reached, strict=True) if is_tangent}
    flat = Flat(inputs, [], [], seeds, {})
    opened = LINEAR_CALLS - {"custom_jvp_call"} if keeps_rules else LINEAR_CALLS
    flat.outputs.extend(_inline(flat, jaxpr, inputs, (), opened))
    return flat


def _inline(
    flat: Flat,
    jaxpr: Any,
    arguments: Sequence[Atom],
    callers: tuple[JaxprEqn, ...],
    opened: Set[str],
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
        names_opened = opened if is_linear else CALLS
        body = _body(eqn, names_opened, operands, flat.reached)
        if body is not None:
            results = _inline(flat, body, operands, (*callers, eqn), opened)
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
    eqn: JaxprEqn, opened: Set[str], operands: Sequence[Atom], reached: Set[Var]
) -> Any:
    """Return the jaxpr to put in place of an equation, if it is a call."""
    name = eqn.primitive.name
    if name == "custom_lin":
        is_tangent = [is_var(v) and v in reached for v in operands]
        return _transposed_twice(eqn, is_tangent) if any(is_tangent) else None
    if name in opened:
        return next((eqn.params[k] for k in _INNER if k in eqn.params), None)
    return None


def sees_zeros(eqn: JaxprEqn) -> bool:
    """Whether a backward rule is told which of several results nothing reads.

    It may be another rule for each; which one JAX would run is not known here.
    """
    return eqn.params.get("symbolic_zeros", False) and len(eqn.outvars) > 1


def _transposed_twice(eqn: JaxprEqn, is_tangent: Sequence[bool]) -> Any:
    """Make an ordinary program of a custom_vjp function's linear map, if one exists.

    It only transposes; but the transpose is an ordinary program (the user's backward
    rule), which transposes again unless it holds a true while loop. It stands for the
    map if it is linear, which `linearity` checks. To transpose drops custom rules,
    which a second derivative needs: those of the residuals are kept out of it, and
    where cotangents enter one, there is no such program.
    """
    if sees_zeros(eqn):
        return None
    try:
        rule = backward_rule(eqn, is_tangent)
        n_residuals = is_tangent.count(False)
        is_cotangent = [k >= n_residuals for k in range(len(rule.in_avals))]
        flat = flatten(rule, is_cotangent, keeps_rules=True)
        forward = _transposed(flat, n_residuals, is_tangent)
        return forward and jax.make_jaxpr(forward)(*(v.aval for v in eqn.invars))
    except Exception:
        return None  # whatever the rule's reason: it stays reverse-only


def _transposed(
    flat: Flat, n_residuals: int, is_tangent: Sequence[bool]
) -> Callable[..., list[Any]] | None:
    """Transpose a flat backward rule; None where cotangents enter a custom rule."""
    moving = [e for e in flat.equations if not flat.reached.isdisjoint(variables(e))]
    if any(map(_enters_rule, moving)):
        return None
    answers = (v for v in flat.outputs if isinstance(v, Var))
    reads = itertools.chain(*map(variables, moving), answers)
    read = list(dict.fromkeys(v for v in reads if v not in flat.reached))
    still = [e.eqn for e in flat.equations if flat.reached.isdisjoint(variables(e))]
    inputs, cotangents = flat.inputs[:n_residuals], flat.inputs[n_residuals:]
    primal = closed(still, [*flat.consts, *inputs], read)
    linear = closed([e.eqn for e in moving], [*read, *cotangents], flat.outputs)
    start = [v.aval for v in cotangents]

    def forward(*operands: Any) -> list[Any]:
        residuals, tangents = _parted(operands, is_tangent)
        constants = map(as_array, flat.consts.values())
        values = jex.jaxpr_as_fun(primal)(*constants, *residuals)
        transpose = jax.linear_transpose(
            lambda cts: tuple(jex.jaxpr_as_fun(linear)(*values, *cts)), start
        )
        return transpose(tuple(tangents))[0]

    return forward


def _enters_rule(equation: Equation) -> bool:
    """Whether an equation is a call with a custom rule, or has one inside."""
    within = itertools.chain([equation.eqn], equations_inside(equation.eqn))
    return any(e.primitive.name in _RULED for e in within)


def as_array(constant: Any) -> Any:
    """Make an array of a constant: those of NumPy are not indexed by tracers."""
    return constant if isinstance(constant, jax.Ref) else jnp.asarray(constant)


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


def pullback_of(eqn: JaxprEqn) -> Any:
    """Return the backward rule of a custom_vjp function's linear map.

    Returns:
        As `backward_rule`, of all that is no residual; None where the rule refuses.
    """
    n_residuals = eqn.params["num_res"]
    try:
        return backward_rule(eqn, [k >= n_residuals for k in range(len(eqn.invars))])
    except Exception:
        return None  # whatever the rule's reason: a reverse pass will give it


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
