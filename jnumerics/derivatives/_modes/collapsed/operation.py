"""One equation with its derivatives, by JAX's own rules for it.

`linear` serves what has no second derivative; `nested` serves everything that JAX can
push tangents through twice, a call with a custom rule among them, which is bound whole.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import _check
from jnumerics.derivatives._modes.collapsed.jet import (
    Expand,
    Jet,
    hidden,
    itself,
    moving,
    total,
)
from jnumerics.derivatives._program.inline import flatten
from jnumerics.derivatives._program.jaxpr import JaxprEqn, Var, as_function
from jnumerics.derivatives._program.linearity.directions import is_inexact


class NotServedError(Exception):
    """A program that jets cannot pass; its text names the operation."""


def operation(eqn: JaxprEqn) -> Callable[..., list[Any]]:
    """Return an equation as a function of its operands."""
    inputs = [Var(v.aval) for v in eqn.invars]
    return as_function([eqn.replace(invars=[*inputs])], inputs, eqn.outvars)


def values_of(eqn: JaxprEqn, jets: Sequence[Jet], _: Expand = itself) -> list[Jet]:
    """Return the results, still."""
    return [Jet(v) for v in operation(eqn)(*(jet.value for jet in jets))]


def linear(eqn: JaxprEqn, jets: list[Jet], _: Expand = itself) -> list[Jet]:
    """Push jets through an operation without second derivative in what moves."""
    at, where = _At(eqn, jets), moving(jets)
    jacs = jax.vmap(at.push(where))([hidden(jets[k].jac) for k in where])
    return at.jets(jacs, at.bent(jets))


def nested(eqn: JaxprEqn, jets: list[Jet], expand: Expand) -> list[Jet]:
    """Push jets through any operation: two nested JVPs for each direction.

    What no direction enters, such as the derivatives of an elementwise operation, is
    evaluated once: a batch of directions leaves it alone.
    """
    at, where = _At(eqn, jets), moving(jets)
    point = [jets[k].value for k in where]

    def twice(tangents: list[Any]) -> tuple[list[Any], list[Any]]:
        return jax.jvp(lambda xs: at.push(where, xs)(tangents), (point,), (tangents,))

    carried = [jets[k].jac for k in where]
    every = list(map(expand, carried))
    jacs, curved = jax.vmap(twice)(every)
    if expand is not itself:
        jacs = jax.vmap(at.push(where))(carried)
    laps = [jnp.sum(c, 0) for c in curved]
    return at.jets(jacs, list(map(total, laps, at.bent(jets))))


def obstacle(
    eqn: JaxprEqn, where: list[int], known: Sequence[Any], *, vouched: bool
) -> str:
    """Return why jets cannot pass the rule of a custom_jvp call, or "".

    JAX differentiates what a rule returns. Where that makes the value by the same call,
    derivatives of the value are the rule's; made otherwise, it has its own, which need
    not be these (`round`, of which a rule passes tangents on), and no jet holds both.

    Args:
        eqn: The call.
        where: Which of its operands move.
        known: The values of its operands; None where there is none.
        vouched: Whether the user vouches for its derivatives.
    """
    try:
        rule = _rule(eqn, where, known)
    except Exception:  # whatever its reason: the axes of a mesh around it, for one
        return "whose rule cannot be read where it stands"
    if not _check.is_concrete(*rule.consts):
        return "whose rule reads a traced value around it"
    if vouched or (
        rule.same_call is not None and rule.is_like(_rule(rule.same_call, where, known))
    ):
        return ""
    return "whose rule makes its value otherwise"


class _Rule(NamedTuple):
    """A custom rule: its program's text and constants, its call for the same values."""

    text: str
    consts: list[Any]
    same_call: JaxprEqn | None

    def is_like(self, other: "_Rule") -> bool:
        """Whether another rule has the same program."""
        if self.text != other.text or len(self.consts) != len(other.consts):
            return False
        return all(map(_is_equal, self.consts, other.consts))


def _is_equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if a is None or b is None or not _check.is_concrete(a, b):
        return False
    is_key = any(jnp.issubdtype(x.dtype, jax.dtypes.extended) for x in (a, b))
    return not is_key and a.dtype == b.dtype and np.array_equal(a, b)


def _rule(eqn: JaxprEqn, where: list[int], known: Sequence[Any]) -> _Rule:
    avals, call = [v.aval for v in eqn.invars], operation(eqn)

    def pushed(operands: list[Any], tangents: list[Any]) -> Any:
        def moved(xs: list[Any]) -> list[Any]:
            filled = list(operands)
            for k, x in zip(where, xs, strict=True):
                filled[k] = x
            return call(*filled)

        return jax.jvp(moved, ([operands[k] for k in where],), (tangents,))

    program = jax.make_jaxpr(pushed)(avals, [avals[k] for k in where])
    is_tangent = [False] * len(avals) + [True] * len(where)
    flat = flatten(program, is_tangent)
    values, inputs = flat.outputs[: len(eqn.outvars)], flat.inputs[: len(avals)]

    def is_operand(k: int, v: Any) -> bool:  # itself, or what the function closes over
        if v is inputs[k]:
            return True
        is_closed = k not in where and isinstance(v, Var) and v in flat.consts
        return is_closed and _is_equal(flat.consts[v], known[k])

    same = (
        e.eqn
        for e in flat.equations
        if e.name == eqn.primitive.name
        and e.eqn.outvars == values
        and len(e.eqn.invars) == len(inputs)
        and all(is_operand(k, v) for k, v in enumerate(e.eqn.invars))
    )
    return _Rule(str(program), list(flat.consts.values()), next(same, None))


class _At:
    """An equation at the values of its operands."""

    def __init__(self, eqn: JaxprEqn, jets: Sequence[Jet]) -> None:
        self._call, self._values = operation(eqn), [jet.value for jet in jets]
        self._is_number = list(map(is_inexact, eqn.outvars))

    def push(
        self, where: list[int], point: Sequence[Any] | None = None
    ) -> Callable[[list[Any]], list[Any]]:
        """Return the map from tangents of some operands to those of the results."""
        start = [self._values[k] for k in where] if point is None else list(point)

        def call(xs: list[Any]) -> list[Any]:
            operands = list(self._values)
            for k, x in zip(where, xs, strict=True):
                operands[k] = x
            pairs = zip(self._call(*operands), self._is_number, strict=True)
            return [result for result, is_number in pairs if is_number]

        return lambda tangents: jax.jvp(call, (start,), (list(tangents),))[1]

    def bent(self, jets: Sequence[Jet]) -> list[Any]:
        """Push the second derivatives of the operands; None where there are none."""
        where = [k for k, jet in enumerate(jets) if jet.lap is not None]
        if not where:
            return [None] * sum(self._is_number)
        return self.push(where)([jets[k].lap for k in where])

    def jets(self, jacs: Sequence[Any], laps: Sequence[Any]) -> list[Jet]:
        """Put derivatives to the results' values."""
        left = zip(jacs, laps, strict=True)
        pairs = zip(self._call(*self._values), self._is_number, strict=True)
        return [Jet(r, *next(left)) if is_number else Jet(r) for r, is_number in pairs]
