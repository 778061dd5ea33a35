"""How the equations of a tangent program may run: forward, reverse, over which numbers."""

from collections.abc import Container, Iterable, Sequence
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jax.extend.core import Var

from jnumerics.derivatives._tangent import (
    Equation,
    closed,
    inner_jaxprs,
    open_jaxpr,
    variables,
)


def reach(equations: Iterable[Equation], inputs: Iterable[Var]) -> set[Var]:
    """Return all variables that depend on `inputs`, these among them."""
    reached = set(inputs)
    for equation in equations:
        if not reached.isdisjoint(variables(equation)):
            reached.update(equation.eqn.outvars)
    return reached


def forwardable(equation: Equation) -> bool:
    """Whether an equation runs forward: a custom_vjp function's map does not."""
    return not _holds(equation.eqn, {"custom_lin"})


def transposable(equation: Equation, reached: Container[Var] | None = None) -> bool:
    """Whether an equation can be transposed: a true while loop with tangents cannot.

    Args:
        equation: A linear one.
        reached: The tangents among its operands. Without them, a while loop anywhere
            inside counts, though it may carry none.
    """
    eqn = equation.eqn
    if not _holds(eqn, {"while", "custom_linear_solve"}):
        return True
    if reached is None:
        return not _holds(eqn, {"while"})
    is_tangent = [isinstance(v, Var) and v in reached for v in eqn.invars]

    def linear(operands: list[Any], tangents: list[Any]) -> list[Any]:
        moving = iter(tangents)
        pairs = zip(operands, is_tangent, strict=True)
        return call(*(next(moving) if t else x for x, t in pairs))

    def pull(operands: list[Any], cotangents: list[Any]) -> Any:
        return jax.linear_transpose(lambda ts: linear(operands, ts), start)(cotangents)

    inputs = [Var(v.aval) for v in eqn.invars]
    call = jex.jaxpr_as_fun(closed([eqn.replace(invars=inputs)], inputs, eqn.outvars))
    start = [v.aval for v, t in zip(inputs, is_tangent, strict=True) if t]
    try:
        jax.eval_shape(pull, [v.aval for v in inputs], [v.aval for v in eqn.outvars])
    except Exception:
        return False  # whatever the rule's reason
    return True


def _holds(eqn: Any, names: Container[str]) -> bool:
    if eqn.primitive.name in names:
        return True
    bodies = (open_jaxpr(body) for body in inner_jaxprs(eqn))
    return any(_holds(inner, names) for body in bodies for inner in body.eqns)


def is_complex(atom: Any) -> bool:
    return jnp.issubdtype(atom.aval.dtype, jnp.complexfloating)


def is_inexact(atom: Any) -> bool:
    return jnp.issubdtype(atom.aval.dtype, jnp.inexact)


def mixed_kinds(
    equations: Sequence[Equation],
    inputs: Sequence[Var],
    outputs: Sequence[Var],
    reached: Container[Var],
) -> str:
    """Return why the factors of a cut would not be linear over one field, or ""."""
    if len({is_complex(v) for v in (*inputs, *outputs)}) > 1:
        return "real and complex numbers are among its inputs and outputs"
    if not is_complex(inputs[0]):
        return ""
    for equation in equations:
        moving = [v for v in variables(equation) if v in reached]
        ends = [*moving, *equation.eqn.outvars]
        if not all(is_complex(v) for v in ends) or _may_conjugate(equation.eqn):
            return f"{equation.name} at {equation.line} is not complex-linear"
    return ""


def _may_conjugate(eqn: Any) -> bool:
    """Whether an equation, or one inside it, takes complex numbers apart."""
    if eqn.primitive.name in {"conj", "custom_lin"}:
        return True
    if any(is_complex(v) for v in eqn.invars) and any(
        is_inexact(v) and not is_complex(v) for v in eqn.outvars
    ):
        return True
    bodies = (open_jaxpr(body) for body in inner_jaxprs(eqn))
    return any(_may_conjugate(inner) for body in bodies for inner in body.eqns)
