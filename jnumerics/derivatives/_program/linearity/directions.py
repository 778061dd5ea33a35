"""How tangent equations may run: forward, transposed, over real or complex numbers."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jax.extend.core import Var

from jnumerics.derivatives._program.jaxpr import (
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


@dataclass(frozen=True)
class OneWay:
    """The equations of a program that run in one direction alone."""

    forward: list[Equation]
    reverse: list[Equation]

    @property
    def made_forward(self) -> Iterator[Var]:
        """What is made by equations that cannot be transposed."""
        return (v for e in self.forward for v in e.eqn.outvars)

    @property
    def made_reverse(self) -> Iterator[Var]:
        """What is made by equations that cannot run forward."""
        return (v for e in self.reverse for v in e.eqn.outvars)

    @property
    def reason(self) -> str:
        """Why a program with these equations may have no cut, or ""."""
        return "; ".join(
            [f"{e.name} at {e.line} cannot be transposed" for e in self.forward]
            + [f"{e.name} at {e.line} cannot run forward" for e in self.reverse]
        )


def one_way(equations: Iterable[Equation], reached: Container[Var]) -> OneWay:
    """Find the equations that run in one direction alone."""
    equations = list(equations)
    return OneWay(
        [e for e in equations if not transposable(e, reached)],
        [e for e in equations if not forwardable(e)],
    )


def forwardable(equation: Equation) -> bool:
    """Whether an equation runs forward: a custom_vjp function's map does not."""
    return not _any(equation.eqn, lambda eqn: eqn.primitive.name == "custom_lin")


def holds_custom_vjp(jaxpr: Any) -> bool:
    """Whether a jaxpr holds a custom_vjp function's linear map, at any depth."""
    eqns = (Equation(eqn, ()) for eqn in open_jaxpr(jaxpr).eqns)
    return not all(map(forwardable, eqns))


def transposable(equation: Equation, reached: Container[Var] | None = None) -> bool:
    """Whether an equation can be transposed: a true while loop with tangents cannot.

    Args:
        equation: A linear one.
        reached: The tangents among its operands. Without them, any while loop inside
            counts, though it may carry none, as in an iterative linear solver.
    """
    eqn = equation.eqn
    if not _may_not_transpose(eqn):
        return True
    if reached is None or equation.name == "while":
        return False
    is_tangent = [isinstance(v, Var) and v in reached for v in eqn.invars]

    def linear(operands: list[Any], tangents: list[Any]) -> list[Any]:
        moving = iter(tangents)
        pairs = zip(operands, is_tangent, strict=True)
        return call(*(next(moving) if t else x for x, t in pairs))

    def pull(operands: list[Any], cotangents: list[Any]) -> Any:
        return jax.linear_transpose(lambda ts: linear(operands, ts), start)(cotangents)

    inputs = [Var(v.aval) for v in eqn.invars]
    renamed = eqn.replace(invars=list(inputs))
    call = jex.jaxpr_as_fun(closed([renamed], inputs, eqn.outvars))
    start = [v.aval for v, t in zip(inputs, is_tangent, strict=True) if t]
    try:
        jax.eval_shape(pull, [v.aval for v in inputs], [v.aval for v in eqn.outvars])
    except Exception:
        return False  # whatever the rule's reason
    return True


def _may_not_transpose(eqn: Any) -> bool:
    def lacks_transpose(eqn: Any) -> bool:
        if (
            eqn.primitive.name == "custom_linear_solve"
        ):  # solve, matvec, their transposes
            return len(list(inner_jaxprs(eqn))) < 4
        return eqn.primitive.name == "while"

    return _any(eqn, lacks_transpose)


def _any(eqn: Any, holds: Callable[[Any], bool]) -> bool:
    """Whether something holds of an equation, or of one inside it."""
    bodies = (open_jaxpr(body) for body in inner_jaxprs(eqn))
    return holds(eqn) or any(_any(e, holds) for body in bodies for e in body.eqns)


def communicates(equation: Equation) -> bool:
    """Whether devices exchange what passes carry, inside of `jax.shard_map`.

    A forward pass then gives what this device's outputs read of all devices' inputs,
    and a reverse pass what all devices' outputs read of this one's inputs: two answers,
    whose parts do not combine. A mapping of its own, which is whole, has no such ends.
    """
    inside = (open_jaxpr(body).eqns for body in inner_jaxprs(equation.eqn))
    return equation.name != "shard_map" and (
        any(_is_named(equation.eqn.params.get(name)) for name in ("axes", "axis_name"))
        or any(communicates(Equation(e, ())) for eqns in inside for e in eqns)
    )


def _is_named(axes: Any) -> bool:
    """Whether axes are named, as those of a mesh are."""
    several = axes if isinstance(axes, tuple | list) else (axes,)
    return any(isinstance(axis, str) for axis in several)


def is_complex(atom: Any) -> bool:
    """Whether an atom holds complex numbers."""
    return jnp.issubdtype(atom.aval.dtype, jnp.complexfloating)


def is_inexact(atom: Any) -> bool:
    """Whether an atom holds real or complex floating-point numbers."""
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
    equation = not_complex_linear(equations, reached)
    return (
        f"{equation.name} at {equation.line} is not complex-linear" if equation else ""
    )


def not_complex_linear(
    equations: Iterable[Equation], reached: Container[Var]
) -> Equation | None:
    """Return the first equation that takes complex tangents apart, or may do so."""
    for equation in equations:
        moving = [v for v in variables(equation) if v in reached]
        ends = [*moving, *equation.eqn.outvars]
        is_whole = all(map(is_complex, ends)) and not _any(equation.eqn, _may_conjugate)
        if moving and not is_whole:
            return equation
    return None


def _may_conjugate(eqn: Any) -> bool:
    """Whether an equation may take complex numbers apart."""
    return eqn.primitive.name in {"conj", "custom_lin"} or (
        any(is_complex(v) for v in eqn.invars)
        and any(is_inexact(v) and not is_complex(v) for v in eqn.outvars)
    )
