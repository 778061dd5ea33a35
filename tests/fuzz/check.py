"""All checks of one program, at three points."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import derivatives
from tests.fuzz import public
from tests.fuzz.checks import (
    POINTS,
    Checks,
    Expected,
    Failure,
    Outcome,
    expected_at,
)
from tests.fuzz.compare import REFUSALS, diagonals, differs, tolerance_of
from tests.fuzz.interpret import Interpreter
from tests.fuzz.programs.program import Program
from tests.fuzz.truth import Truth
from tests.fuzz.ways import Traced


def examine(
    program: Program, *, second: bool = False, compiled: bool = False
) -> Outcome:
    """Check a program.

    Args:
        program: The program.
        second: Whether second derivatives are checked too.
        compiled: Whether the compiled public functions are checked too.
    """
    outcome = Outcome()
    fun = program.function()
    points = [program.arguments(n) for n in range(POINTS)]
    with np.errstate(all="ignore"):
        _first_order(program, fun, points, outcome)
        served = not (outcome.refused or outcome.both_refuse or outcome.wrong)
        if second and served:
            _second_order(program, fun, points, outcome)
        if compiled and served and not is_stateful(program):
            _compiled(program, points, outcome)
    return outcome


def _first_order(
    program: Program, fun: Callable[..., Any], points: list[Any], outcome: Outcome
) -> None:
    truth = Truth(fun, points[0])
    traced = _trace(fun, points[0], truth, outcome)
    if traced is None:
        return
    expected = expected_at(truth, points, both=program.family in ("custom", "solver"))
    outcome.is_undefined = not any(e is not None for e in expected)
    checks = Checks(program, traced, points, expected, truth, outcome)
    for step in (checks.boxes, checks.jacobians, checks.diagonal, checks.batch):
        if not outcome.refused:
            _attempt(step, fun, points[0], outcome)


def _attempt(
    step: Callable[[], None], fun: Callable[..., Any], args: Any, outcome: Outcome
) -> None:
    """Run a check; what the library refuses in its own words, JAX must refuse too."""
    try:
        step()
    except Exception as error:
        is_refusal = isinstance(error, REFUSALS) and str(error).startswith("`")
        if not is_refusal:
            name = getattr(step, "__name__", "check")
            outcome.wrong.append(Failure(name, f"raises {_told(error)}"))
        elif jax_serves(fun, args):
            outcome.refused = _told(error)
        else:
            outcome.both_refuse = True


def _trace(
    fun: Callable[..., Any],
    args: Any,
    truth: Truth,
    outcome: Outcome,
    scalar: Callable[..., Any] | None = None,
) -> Traced | None:
    """Trace by the library; a refusal of what JAX refuses too is right."""
    try:
        return Traced(fun, args, scalar)
    except Exception as error:
        served = truth.has_forward or truth.has_reverse
        outcome.both_refuse = not served
        if served and isinstance(error, REFUSALS):
            outcome.refused = _told(error)
        elif served:
            outcome.wrong.append(Failure("trace", f"raises {_told(error)}"))
    return None


def _told(error: Exception) -> str:
    first = (str(error) or "?").split("\n", maxsplit=1)[0]
    return f"{type(error).__name__}: {first[:160]}"


def jax_serves(fun: Callable[..., Any], args: Any) -> bool:
    """Whether jax.jacfwd or jax.jacrev is traced."""
    for by in (jax.jacfwd, jax.jacrev):
        try:
            jax.make_jaxpr(by(fun))(*args)
        except Exception:
            continue
        return True
    return False


def is_stateful(program: Program) -> bool:
    """Whether bits differ from one evaluation to the next."""
    return "rng_uniform" in program.body()


def _scalar(fun: Callable[..., Any]) -> Callable[..., Any]:
    def scalar(x: Any, k: Any) -> Any:
        leaves = jax.tree.leaves(fun(x, k))
        return sum(jnp.sum(jnp.sin(jnp.real(y))).astype(float) for y in leaves)

    return scalar


def _second_order(
    program: Program, fun: Callable[..., Any], points: list[Any], outcome: Outcome
) -> None:
    """Check the Hessian and the Laplacian of a scalar made of the results."""
    scalar = _scalar(fun)
    try:
        truth = Truth(jax.grad(scalar), points[0])
    except Exception:
        return  # JAX has no second derivative of it
    if not truth.has_forward:
        return
    is_hessian = program.seed % 2 == 0
    name = "hessian" if is_hessian else "laplacian"
    # with rules that are not linear, the gradient by forward mode is another function
    by_us = is_hessian and program.family not in ("custom", "solver")
    gradient = derivatives.jacobian(scalar) if by_us else jax.grad(scalar)
    inner = Outcome()
    of_hessian = scalar if is_hessian else None
    traced = _trace(gradient, points[0], truth, inner, of_hessian)
    if traced is not None:
        expected = expected_at(truth, points, both=False)
        checks = Checks(program, traced, points, expected, truth, inner)
        if traced.is_symmetric:
            checks.symmetry()
        step = checks.jacobians if is_hessian else checks.diagonal
        _attempt(step, jax.grad(scalar), points[0], inner)
        if not is_hessian:
            for mode in ("collapsed", "narrow"):
                swept = functools.partial(
                    _swept, mode, program, scalar, points, expected, inner
                )
                _attempt(swept, jax.grad(scalar), points[0], inner)
    outcome.wrong += [Failure(f"{name} {f.check}", f.detail) for f in inner.wrong]


def _swept(
    mode: str,
    program: Program,
    scalar: Callable[..., Any],
    points: list[Any],
    expected: list[Expected | None],
    outcome: Outcome,
) -> None:
    """The sum of second derivatives, pushed forward, is the trace of the Hessian."""
    sweep = derivatives.laplacian(scalar, mode=mode)
    gradient = jax.value_and_grad(scalar)
    both = jax.make_jaxpr(lambda *args: (scalar(*args), gradient(*args)[0]))
    try:
        evaluate = Interpreter(jax.make_jaxpr(sweep)(*points[0]))
    except ValueError as error:
        if "`mode` must be one that serves `fun`" not in str(error):
            raise
        if "JAX refuses" in str(error) and _has_second_tangents(scalar, points[0]):
            outcome.wrong.append(Failure(mode, _told(error)))
        return
    values = Interpreter(both(*points[0]))
    for args, truths in zip(points, expected, strict=True):
        leaves = jax.tree.leaves(args)
        # JAX 0.10 differentiates a product from 0 as one from 1
        if truths is None or not np.isclose(*values(*leaves)):
            continue
        (lap,), differences = evaluate(*leaves), []
        for blocks in truths.all():
            own = np.concatenate([d.ravel() for d in diagonals(blocks)])
            scale = np.abs(own).max(initial=0)  # beside it, a sum may be rounded
            pairs = [np.array([lap, scale])], [np.array([own.sum(), scale])]
            differences.append(differs(*pairs, tolerance_of(program)))
        if differences and "" not in differences:
            outcome.wrong.append(Failure(mode, differences[0]))
            return


def _has_second_tangents(scalar: Callable[..., Any], args: Any) -> bool:
    """Whether JAX traces forward mode over forward mode."""
    try:
        jax.make_jaxpr(jax.jacfwd(jax.jacfwd(scalar)))(*args)
    except Exception:
        return False
    return True


def _compiled(program: Program, points: list[Any], outcome: Outcome) -> None:
    """Check some of the public functions as they are called."""
    for check in public.chosen(program):
        name, difference = public.compared(program, check, points[0])
        if difference:
            outcome.wrong.append(Failure(f"compiled {name}", difference))
