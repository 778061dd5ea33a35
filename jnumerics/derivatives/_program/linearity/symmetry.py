"""Whether a Hessian is symmetric: as its program computes it, not as calculus says.

The second derivative of a program is a sum over its operations: of each operation's own
second derivative, of the tangents that reach it in two directions, weighed by the
cotangent of its result. It is symmetric in the directions if each operation's is: if
the operation's rule is the derivative of some function, not necessarily of the
operation itself. So `stop_gradient`, whose rule is zero, breaks nothing, and at kinks
and ties, where a rule takes one piece, or their mean, all is the second derivative of
these pieces.

That JAX's rules are such derivatives is assumed, and tested by numbers (the fuzzer
compares Hessians by star colors with those by columns). Those of some decompositions
are not: eigenvectors and singular vectors of complex matrices have a phase that their
rules transport without a function behind it, and `eigh` reads one triangle while its
rule reads both, as that of `cholesky` does in JAX 0.10. Rules that a user wrote are
known to be linear at most; nor is it known that `linear_call`, or a linear solver, has
transposes that fit. What devices exchange differs between forward and reverse mode.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.extend.core as jex
import jax.extend.core.primitives as jex_primitives
from jax.extend.core import Var

from jnumerics.derivatives._program import arguments, effects
from jnumerics.derivatives._program.arguments import ArgNums, positions
from jnumerics.derivatives._program.inline import flatten
from jnumerics.derivatives._program.jaxpr import (
    Equation,
    inner_jaxprs,
    is_user_file,
    open_jaxpr,
    variables,
)
from jnumerics.derivatives._program.linearity.directions import (
    communicates,
    is_complex,
    is_inexact,
)
from jnumerics.derivatives._program.linearity.rules import RULES

# operations of JAX that `jax.extend` does not list in every version
_MORE = {
    "closed_call", "copy_p", "core_call", "log2", "one_minus_square",
    "optimization_barrier", "pjit", "remat", "checkpoint", "scatter-sub", "shard_map",
}  # fmt: skip
_JAX = {
    p.name for p in vars(jex_primitives).values() if isinstance(p, jex.Primitive)
} | _MORE | {*RULES}  # fmt: skip
_NEVER = {
    "cholesky", "custom_vjp_call", "custom_lin", "eig", "eigh", "linear_call", "schur",
}  # fmt: skip
_IF_REAL = {"svd"}


def asymmetry_of(
    fun: Callable,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    *,
    argnums: ArgNums = 0,
    vouched: bool = False,
) -> Callable[[], str]:
    """Return a function that says what may make a Hessian asymmetric.

    It says "" if nothing may. To find out, `fun` is traced once more, at the shapes of
    its arguments.

    Args:
        fun: The function, a scalar's.
        args: Its arguments; they may be closed already (see `arguments`), or shapes.
        kwargs: The named ones.
        argnums: Which of them to differentiate with respect to.
        vouched: Whether the user vouches that nothing does.
    """
    if vouched:
        return lambda: ""
    return functools.partial(_asymmetry, fun, args, kwargs, argnums)


def _asymmetry(
    fun: Callable, args: Sequence[Any], kwargs: dict[str, Any], argnums: ArgNums
) -> str:
    args, kwargs = arguments.closed(args, kwargs, shapes=True)
    active = positions(args, argnums)
    leaves, tree = jax.tree.flatten((args, kwargs))

    def flat(leaves: list[Any]) -> Any:
        args, kwargs = arguments.opened(tree.unflatten(leaves))
        return fun(*args, **kwargs)

    with effects.tracing():
        jaxpr = jax.make_jaxpr(flat)([jax.typeof(x) for x in leaves])
    is_active = [k in active for k in range(len(leaves))]
    program = flatten(jaxpr, is_active, keeps_rules=True)
    starts = (v for v, is_one in zip(program.inputs, is_active, strict=True) if is_one)
    first = next(_unproven(program.equations, set(starts)), None)
    if first is None:
        return ""
    return (
        f"{first.name} at {first.line} may make the Hessian asymmetric "
        "(check=None vouches that it does not)"
    )


def _unproven(equations: Sequence[Equation], reached: set[Var]) -> Iterator[Equation]:
    """Yield the equations that derivatives pass, and that are not proven symmetric."""
    for equation in equations:
        if equation.name == "stop_gradient" or reached.isdisjoint(variables(equation)):
            continue
        reached.update(v for v in equation.eqn.outvars if is_inexact(v))
        culprit = _culprit(equation)
        if culprit is not None:
            yield culprit


def _culprit(equation: Equation) -> Equation | None:
    """Return the equation, or the one inside it, that is not proven symmetric."""
    eqn, name = equation.eqn, equation.name
    if not any(map(is_inexact, eqn.outvars)):  # no derivative leaves it
        return None
    if name == "custom_jvp_call":
        return None if _is_rule_of_jax(eqn) else equation
    if name == "custom_linear_solve":
        return None if all(map(_is_of_jax, inner_jaxprs(eqn))) else equation
    is_phased = name in _IF_REAL and any(map(is_complex, eqn.invars))
    if name not in _JAX or name in _NEVER or is_phased or communicates(equation):
        return equation
    inside = (e for body in inner_jaxprs(eqn) for e in open_jaxpr(body).eqns)
    nested = (_culprit(Equation(e, (*equation.callers, eqn))) for e in inside)
    return next(filter(None, nested), None)


def _is_rule_of_jax(eqn: Any) -> bool:
    """Whether a function with a custom rule, and that rule, are written in JAX.

    `custom_root` is, but takes the user's solvers.
    """
    rule = getattr(eqn.params.get("jvp_jaxpr_fun"), "debug_info", None)
    body = eqn.params.get("call_jaxpr")
    if body is None or rule is None or _function(body)[0] == "_custom_root":
        return False
    return _is_of_jax(body) and not is_user_file(rule.func_filename or "")


def _is_of_jax(jaxpr: Any) -> bool:
    """Whether the function that a jaxpr was traced from is JAX's own, or ours."""
    _, file = _function(jaxpr)
    return bool(file) and not is_user_file(file)


def _function(jaxpr: Any) -> tuple[str, str]:
    """Return the name and the file of the function that a jaxpr was traced from."""
    info = open_jaxpr(jaxpr).debug_info
    return info.func_name, info.func_filename or ""
