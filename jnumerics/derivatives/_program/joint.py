"""Tracing the joint program: a function's values together with its derivative.

The derivative is that of `jax.jvp`. Where it is proven linear, the equations that the
tangents reach are the tangent program; loops and branches that carry values and
tangents together are parted by `jax.linearize`. Where it is not proven, its passes are
those that `jax.jacfwd` and `jax.jacrev` would run: the programs of `jax.jvp` and of
`jax.vjp` as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax

from jnumerics.derivatives._program import effects
from jnumerics.derivatives._program.inline import flatten
from jnumerics.derivatives._program.jaxpr import Equation, inner_jaxprs, variables
from jnumerics.derivatives._program.linearity.directions import (
    holds_custom_vjp,
    is_complex,
    not_complex_linear,
)
from jnumerics.derivatives._program.linearity.judge import judge
from jnumerics.derivatives._program.linearity.result import Linearity, Loss
from jnumerics.derivatives._program.tangent import Program, partition

Fun = Callable[[list[Any]], tuple[list[Any], list[Any]]]
_Derivative = Callable[[Callable, Sequence[Any], Sequence[Any]], tuple[Any, Any, Any]]

# equations whose bodies hold no values beside the tangents
_APART = ("custom_linear_solve", "linear_call", "reduce", "scatter", "select_and")


@dataclass(frozen=True)
class End:
    """The passes from one end of a derivative that is not proven linear.

    Attributes:
        program: From tangents of the inputs to those of the results, or from
            cotangents of the results to those of the inputs: all of them. None where
            JAX does not serve this mode.
        linearity: What is proven of it.
        obstacle: Why JAX does not serve it, or "".
    """

    program: Program | None
    linearity: Linearity
    obstacle: str = ""


class Ends(NamedTuple):
    """Both ends of a derivative that is not proven linear."""

    forward: End
    reverse: End

    @property
    def reason(self) -> str:
        """Where linearity was lost."""
        return self.forward.linearity.reason

    @property
    def keep_zero(self) -> bool:
        """Whether all derivatives are zero where all tangents, or cotangents, are."""
        return all(all(end.linearity.is_zero_at_zero) for end in self)


class Traced(NamedTuple):
    """The derivative of a function.

    Attributes:
        program: The tangent program.
        ends: How it runs where it is neither proven linear nor vouched for.
    """

    program: Program
    ends: Ends | None


def trace(
    fun: Fun, leaves: Sequence[Any], active: Sequence[int], *, vouched: bool = False
) -> Traced:
    """Trace the derivative of a function of flat leaves.

    Args:
        fun: From all leaves to (leaves of the result, leaves of aux).
        leaves: The arguments' leaves; only their shapes and dtypes are read.
        active: Positions of the leaves to differentiate with respect to.
        vouched: Whether the user vouches that the derivative is linear.

    Returns:
        The programs, without the equations that nothing needs.

    Raises:
        TypeError: If `fun` needs concrete values, or has effects.
        ValueError: If JAX has no derivative of it.
    """
    avals = [jax.typeof(x) for x in leaves]
    tangents = [avals[k] for k in active]
    try:
        pushed = _Joint(fun, avals, active, _by_jvp, tangents)
    except NotImplementedError as error:
        jax.eval_shape(fun, avals)  # raises again what is the user's own
        reason = str(error).split("\n", maxsplit=1)[0]
        msg = f"`fun` must be differentiable by JAX, got one that is not: {reason}"
        raise ValueError(msg) from error
    linearity = pushed.linearity()
    taken_apart = _taken_apart(pushed)
    if taken_apart is not None:
        linearity = Linearity((taken_apart,), linearity.is_zero_at_zero)
    elif linearity.is_proven or vouched:
        parted = _parted(
            pushed, lambda: _Joint(fun, avals, active, _by_linearize, tangents)
        )
        if not isinstance(parted, Loss):
            return Traced(replace(parted.program(), trusts_solvers=vouched), None)
        linearity = Linearity((parted,), linearity.is_zero_at_zero)
    program = pushed.program(keeps_all=True)
    forward = End(program, linearity)
    if holds_custom_vjp(pushed.jaxpr):
        forward = End(None, linearity, "JAX has no forward mode of a custom_vjp")
    results = pushed.jaxpr.out_avals[pushed.n_values :]
    return Traced(program, Ends(forward, _reverse(fun, avals, active, results)))


def _taken_apart(pushed: "_Joint") -> Loss | None:
    """Find what takes complex numbers apart in a program with a custom_vjp function.

    Where the derivative is linear over the reals alone, both modes give different
    numbers, and those of a custom_vjp function are reverse mode's.
    """
    flat = pushed.flat
    if not any(map(is_complex, flat.inputs[pushed.n_leaves :])):
        return None
    if not holds_custom_vjp(pushed.jaxpr):
        return None
    equation = not_complex_linear(flat.equations, flat.reached)
    return equation and Loss(equation.name, equation.line)


def _parted(pushed: "_Joint", linearized: Callable[[], "_Joint"]) -> "_Joint | Loss":
    """Return a joint program in which no equation makes values beside tangents."""
    flat = pushed.flat
    moving = [e for e in flat.equations if not flat.reached.isdisjoint(variables(e))]
    mixed = next(filter(_mixes, moving), None)
    if mixed is None:
        return pushed
    try:
        return linearized()
    except Exception:  # whatever JAX's reason
        return Loss(mixed.name, mixed.line)


def _reverse(
    fun: Fun, avals: Sequence[Any], active: Sequence[int], results: Sequence[Any]
) -> End:
    """Trace what reverse mode would run."""
    try:
        pulled = _Joint(fun, avals, active, _by_vjp, results, keeps_rules=True)
    except Exception as error:  # whatever JAX's reason
        first = str(error).split("\n", maxsplit=1)[0]
        reason = "it has no transpose" if isinstance(error, AssertionError) else first
        return End(None, Linearity((), ()), f"JAX refuses: {reason}")
    return End(pulled.program(keeps_all=True), pulled.linearity())


class _Joint:
    """A joint program: from leaves and tangents to results, aux and moved tangents."""

    def __init__(
        self,
        fun: Fun,
        avals: Sequence[Any],
        active: Sequence[int],
        derivative: _Derivative,
        moving: Sequence[Any],
        *,
        keeps_rules: bool = False,
    ) -> None:
        n_moved = 0

        def joint(leaves: list[Any], moving: list[Any]) -> tuple[Any, Any, Any]:
            def restricted(*xs: Any) -> Any:
                filled = list(leaves)
                for position, x in zip(active, xs, strict=True):
                    filled[position] = x
                return fun(filled)

            nonlocal n_moved
            point = [leaves[k] for k in active]
            out, aux, moved = derivative(restricted, point, moving)
            n_moved = len(moved)
            return out, aux, moved

        with effects.tracing():
            self.jaxpr = jax.make_jaxpr(joint)(list(avals), list(moving))
        self.jaxpr = effects.without_repeats(self.jaxpr)
        self.n_leaves = len(avals)
        self.n_values = len(self.jaxpr.out_avals) - n_moved
        self.is_moving = [False] * len(avals) + [True] * len(moving)
        self.flat = flatten(self.jaxpr, self.is_moving, keeps_rules=keeps_rules)

    def linearity(self) -> Linearity:
        n = len(self.jaxpr.out_avals)
        return judge(self.jaxpr, self.is_moving, [k >= self.n_values for k in range(n)])

    def program(self, *, keeps_all: bool = False) -> Program:
        effects.refuse_in_passes(self.flat.equations, self.flat.reached)
        return partition(self.flat, self.n_leaves, self.n_values, keeps_all=keeps_all)


def _by_jvp(fun: Callable, point: Sequence[Any], tangents: Sequence[Any]) -> Any:
    out, moved, aux = jax.jvp(fun, tuple(point), tuple(tangents), has_aux=True)
    return out, aux, moved


def _by_linearize(fun: Callable, point: Sequence[Any], tangents: Sequence[Any]) -> Any:
    out, push, aux = jax.linearize(fun, *point, has_aux=True)
    return out, aux, push(*tangents)


def _by_vjp(fun: Callable, point: Sequence[Any], cotangents: Sequence[Any]) -> Any:
    out, pull, aux = jax.vjp(fun, *point, has_aux=True)
    return out, aux, pull(list(cotangents))


def _mixes(equation: Equation) -> bool:
    """Whether values and tangents pass through the same body."""
    has_body = next(inner_jaxprs(equation.eqn), None) is not None
    is_apart = equation.name.startswith(_APART) and len(equation.eqn.outvars) == 1
    return has_body and not is_apart
