"""Check a function's derivatives against the function itself, with no step to choose.

JAX trusts a derivative rule that a user writes. Here the rule is held to the definition
(the Taylor remainder, see `_taylor`), and the two modes and the two precisions are held
to each other. What is not offered: a proof. A check is made at one point, in random
directions, and a function that is wrong elsewhere passes.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jnumerics import _check
from jnumerics.derivatives._program import arguments, effects
from jnumerics.derivatives._verify import evidence
from jnumerics.derivatives._verify import flat as _flat
from jnumerics.derivatives._verify.evidence import Taylor, Working
from jnumerics.derivatives._verify.flat import FlatFunction
from jnumerics.derivatives._verify.verdict import DerivativeCheck, Finding

WRONG = (
    "J u is not the change of `fun`: a derivative rule is wrong, lacks a factor, or a"
    " part is hidden by stop_gradient or a straight-through estimator"
)
JUMP = "`fun` jumps or has a vertical slope at this point, so no derivative exists"
BURIED = "the change of `fun` does not stand out of its round-off,"
KINK = (
    "a kink at this very point: one-sided slopes differ by this part of the slope, so"
    " no derivative exists and J is a choice; not a wrong rule"
)


def check_derivatives(
    fun: Callable[..., Any],
    *args: Any,
    argnums: int | tuple[int, ...] = 0,
    key: _check.ArrayLike | None = None,
    **kwargs: Any,
) -> DerivativeCheck:
    r"""Check that $f(x + h u) - f(x) - h J u = O(h^2)$, and J against itself.

    Four checks in random directions: the order and size of the Taylor remainder over
    all steps $h = 2^{-k}$ that stand out of round-off; the adjoint identity
    $\langle v, J u \rangle = \langle J^\top v, u \rangle$; entries of J by forward
    against reverse mode; the arguments' dtype against float64. The function is
    evaluated in float64 also for arguments in single or half precision, so that a rule
    that is 1 % wrong is found there too; where it keeps its own precision, the table
    says so and the limits are wider. Steps are chosen by the arguments' sizes; nothing
    is to be set.

    At a kink (relu at 0, equal numbers in a sort) no derivative exists: one-sided
    slopes differ. The figure `kink` says by how much, and the rule is checked at a
    point beside. `stop_gradient` hides a part of the change on purpose: such a function
    fails.

    It costs many evaluations and products with J, and runs eagerly only, not under
    `jit`, `vmap` or `grad`. The same key gives the same answer.

    Args:
        fun: A function of `args` that JAX can trace, returning arrays of real or
            complex numbers. What is served by one mode only is checked in that mode.
        *args: Its arguments, as in `jacobian`; where they are differentiated, real or
            complex.
        argnums: Which of them to differentiate by.
        key: A JAX random key for the directions.
        **kwargs: Its named arguments; names of ours, `fun`, `argnums` and `key`,
            are ours.

    Returns:
        The figures, and `passed`. Values or derivatives that are not finite, and jumps,
        cannot be decided: `passed` is false and `reason` says why.

    Raises:
        TypeError: If `fun` is not a function, returns no array or integers, an argument
            to differentiate is not an array of floating-point numbers, or values
            are hidden by an outer transformation; `argnums` is not an int or a tuple,
            `key` no random key.
        ValueError: If `argnums` names no argument, or one twice; if `key` holds
            several.

    Example:
        >>> import jax.numpy as jnp
        >>> check_derivatives(jnp.sin, jnp.array([0.5, 1.0])).passed
        True
        >>> straight_through = jax.custom_jvp(lambda x: jnp.round(x))
        >>> straight_through.defjvps(lambda t, ans, x: t)
        >>> check_derivatives(straight_through, jnp.array([0.3, 1.2])).error
        1.0

    Reference:
        Griewank & Walther (2008), Evaluating Derivatives, section 3.2 (tangents and
        adjoints).
    """
    _check.function("fun", fun)
    chosen = arguments.selected(argnums, len(args))
    flat = _flat.make(fun, args, kwargs, chosen)
    with np.errstate(all="ignore"):
        return _check_at(flat, np.random.default_rng(_seed(key)))


def _seed(key: _check.ArrayLike | None) -> list[int]:
    if key is None:
        return [0]
    return np.asarray(jax.random.bits(_check.key("key", key), (4,), "uint32")).tolist()


def _check_at(flat: FlatFunction, rng: np.random.Generator) -> DerivativeCheck:
    with effects.tracing():
        fx = flat.value(flat.x)
    if not fx.size or not flat.x.size:
        nothing = Finding("value", None, None, "passed", "no numbers, nothing to check")
        return DerivativeCheck(True, findings=(nothing,))
    if not np.all(np.isfinite(fx)):
        return _undecidable("value", "`fun` is not finite at this point")
    modes, findings = _modes(flat)
    if not modes:
        reason = "the derivative is not finite at this point"
        return _undecidable("derivative", reason)
    work = evidence.working(flat, modes)
    taylor, remainder = _taylor_findings(work, modes[0], rng)
    findings = remainder + findings
    adjoint, entries = None, None
    if len(modes) == 2:
        adjoint, entries = evidence.adjoint(work, rng), evidence.entries(work, rng)
    claims = {
        "adjoint identity": (adjoint, "<v, J u> = <J^T v, u>"),
        "forward against reverse": (entries, "both modes give the same entries of J"),
    }
    findings += [_agreement(name, *claims[name], work.limit) for name in claims]
    loss, finding = _precision_finding(flat, work, modes, rng)
    findings.append(finding)
    return DerivativeCheck(
        passed=not any(f.is_failed for f in findings),
        order=taylor.order,
        error=float(np.max(taylor.errors)),
        adjoint=adjoint,
        forward_reverse=entries,
        precision=loss,
        kink=float(np.max(taylor.kinks)),
        modes=tuple(modes),
        dtype="float64" if work.is_double else _own_dtype(flat),
        findings=tuple(findings),
    )


def _undecidable(name: str, reason: str) -> DerivativeCheck:
    finding = Finding(name, None, None, "not decidable", reason)
    return DerivativeCheck(passed=False, findings=(finding,))


def _modes(flat: FlatFunction) -> tuple[list[str], list[Finding]]:
    """The modes that give finite numbers, and what is to be said of the others."""
    modes, findings, errors = [], [], []
    for mode in ("forward", "reverse"):
        try:
            is_finite = np.all(np.isfinite(evidence.product(flat, mode)))
        except (TypeError, ValueError, NotImplementedError) as error:
            errors.append(error)
            reason = str(error).strip().split("\n")[0]
            findings.append(Finding(f"{mode} mode", None, None, "not served", reason))
            continue
        if is_finite:
            modes.append(mode)
        else:
            meaning = "gives numbers that are not finite"
            findings.append(Finding(f"{mode} mode", None, None, "FAILED", meaning))
    if len(errors) == 2:
        raise errors[-1]
    return modes, findings


def _taylor_findings(
    work: Working, mode: str, rng: np.random.Generator
) -> tuple[Taylor, list[Finding]]:
    here = evidence.taylor(work, mode, rng, work.flat.x)
    name = "Taylor remainder" if mode == "forward" else "Taylor, reverse mode"
    error, limit = float(np.max(here.errors)), here.tolerance
    is_kinked, jumps = here.kinks > 0, here.grows
    is_wrong = here.is_wrong & ~is_kinked & ~jumps
    order = f"order {here.order:.2f}" if np.isfinite(here.order) else "linear"
    verdict, meaning = "passed", f"{order}: J u is its change"
    if np.any(is_wrong):
        where = _place(work, mode, int(np.argmax(np.where(is_wrong, here.errors, 0))))
        verdict, meaning = "FAILED", f"{order}, most at {where}: {WRONG}"
    elif np.any(jumps):
        verdict, meaning = "not decidable", JUMP
    elif np.any(is_kinked):
        error, verdict, meaning = _beside_kink(work, mode, rng)
    elif not np.any(here.is_settled):
        is_still = np.all(here.is_still)
        verdict = "passed" if is_still else "not decidable"
        meaning = (
            "no change beyond round-off" if is_still else f"{BURIED} {work.eps:.1g}"
        )
    findings = [Finding(name, error, limit, verdict, meaning)]
    if np.any(is_kinked):
        findings.append(Finding("kink", float(np.max(here.kinks)), None, "kink", KINK))
    return here, findings


def _beside_kink(
    work: Working, mode: str, rng: np.random.Generator
) -> tuple[float, str, str]:
    there = evidence.taylor(work, mode, rng, evidence.beside(work.flat, rng))
    is_wrong = there.is_wrong & (there.kinks == 0)
    error = float(np.max(np.where(there.kinks > 0, 0, there.errors)))
    if np.any(is_wrong):
        return error, "FAILED", f"beside the kink, {WRONG}"
    return error, "passed", "J u is its change at a point beside the kink"


def _place(work: Working, mode: str, k: int) -> str:
    """Name an output's leaf and index."""
    if mode == "reverse":
        return "some combination of outputs"
    leaves = work.flat.out_leaves
    number, leaf = next((i, a) for i, a in enumerate(leaves) if k < a.start + a.size)
    size = max(math.prod(leaf.shape), 1)  # a complex leaf's imaginary parts come behind
    index = np.unravel_index((k - leaf.start) % size, leaf.shape)
    where = f"index {tuple(map(int, index))}"
    return where if len(leaves) == 1 else f"output {number}, {where}"


def _agreement(name: str, figure: float | None, claim: str, limit: float) -> Finding:
    if figure is None:
        return Finding(name, None, None, "not served", "needs both modes")
    if figure <= limit:
        return Finding(name, figure, limit, "passed", claim)
    meaning = f"not true that {claim}: one of them is another map's derivative"
    return Finding(name, figure, limit, "FAILED", meaning)


def _precision_finding(
    flat: FlatFunction, work: Working, modes: list[str], rng: np.random.Generator
) -> tuple[float | None, Finding]:
    own = _own_dtype(flat)
    name = f"{own} against float64"
    if not work.is_double:
        meaning = f"`fun` {work.note}: compared with its derivative in that precision"
        return None, Finding(name, None, None, "not served", meaning)
    if work.flat is flat:
        return None, Finding(name, None, None, "not served", "the arguments are double")
    losses = [evidence.precision_loss(flat, work.flat, m, rng) for m in modes]
    loss, limit = max(losses, key=lambda pair: pair[0] / pair[1])
    if loss <= limit:
        meaning = "J u and J^T v are right in the arguments' dtype"
        return loss, Finding(name, loss, limit, "passed", meaning)
    meaning = f"derivatives in {own} lose more than the function's condition explains"
    return loss, Finding(name, loss, limit, "FAILED", meaning)


def _own_dtype(flat: FlatFunction) -> str:
    """The least precise dtype among arguments and results."""
    names = [leaf.dtype.name for leaf in flat.in_leaves + flat.out_leaves]
    return max(names, key=evidence.eps_of)
