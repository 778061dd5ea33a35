"""The cheapest mode for a derivative of a function, and why."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from jnumerics import _check
from jnumerics.derivatives._dependence.samples import sample_axes
from jnumerics.derivatives._diagonal import gradient_of_scalar
from jnumerics.derivatives._jacobian import gradient
from jnumerics.derivatives._plan.plan import choose
from jnumerics.derivatives._plan.result import Plan
from jnumerics.derivatives._plan.second import choose as second
from jnumerics.derivatives._plan.second.request import Request, require_real
from jnumerics.derivatives._program.arguments import ArgNums
from jnumerics.derivatives._program.linearity.symmetry import asymmetry_of
from jnumerics.derivatives._program.trace import require_square, trace

# what a target of second order asks of the gradient's derivative
FIRST_ORDER = {"hessian": "jacobian", "hessian_diagonal": "diagonal"}
TARGETS = ("jacobian", "batch", "diagonal", *FIRST_ORDER, "laplacian")


def plan(
    fun: Callable,
    *args: Any,
    argnums: ArgNums = 0,
    target: str = "jacobian",
    **kwargs: Any,
) -> Plan:
    """Plan the cheapest mode for a derivative, without evaluating it.

    The tangent program of `fun` is traced from the arguments' shapes; each mode's
    operations and bytes are counted, and its passes traced, so that what JAX refuses is
    known. Cost: tracing, and an analysis of each equation.

    Args:
        fun: A traceable function of arrays or pytrees.
        *args: Its arguments; only shapes and dtypes are read, so that each leaf may be
            a `jax.ShapeDtypeStruct`.
        argnums: Which of them to differentiate with respect to.
        target: "jacobian", "batch" (blocks for each sample along axis 0), "diagonal";
            of second order "hessian", "hessian_diagonal" (both count the passes over
            the gradient) or "laplacian".
        **kwargs: Its named arguments; names of ours, `fun`, `argnums` and
            `target`, are ours.

    Returns:
        The plan; `print` it.

    Raises:
        SampleMixingError: If `target` is "batch" and samples may mix.
        TypeError: If `fun` cannot be differentiated at these types.
        ValueError: If `target` is unknown, or the shapes do not fit it.

    Example:
        >>> import jax.numpy as jnp
        >>> plan(lambda x: jnp.outer(x, x).sum(0), jnp.ones(3)).n_outputs
        3
        >>> wave = plan(
        ...     lambda x: jnp.sin(x[1:] * x[:-1]).sum(),
        ...     jnp.ones(20),
        ...     target="laplacian",
        ... )
        >>> wave.mode, wave.passes
        ('collapsed', 2)
    """
    _check.function("fun", fun)
    _check.option("target", target, TARGETS)
    return planned(fun, args, kwargs, argnums=argnums, target=target)


def planned(
    fun: Callable,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    *,
    argnums: ArgNums,
    target: str,
    max_bytes: int | None = None,
) -> Plan:
    """Plan one of the targets, below a bound of the temporary memory."""
    symmetry, unproven = None, ""
    if target in FIRST_ORDER:
        unproven = _of_gradient(fun, args, kwargs, argnums=argnums)
    if target == "hessian":
        symmetry = asymmetry_of(fun, args, kwargs, argnums=argnums)
        fun = gradient(fun, argnums)
    if target == "hessian_diagonal":
        fun = gradient_of_scalar(fun, argnums)
    traced = trace(fun, args, kwargs, argnums=argnums)
    if target == "laplacian":
        require_real(traced)
        request = Request(traced, None, vouched=False, max_bytes=max_bytes)
        return second.choose(request, "auto", counts_all=True)
    kind = FIRST_ORDER.get(target, target)
    if kind == "diagonal":
        require_square(traced)
    axes = sample_axes(traced, 0, 0) if kind == "batch" else None
    chosen = choose(
        traced,
        kind,
        axes=axes,
        max_bytes=max_bytes,
        asymmetry=symmetry,
        traces="all",
    )
    reason = "; ".join(filter(None, [chosen.reason, unproven]))
    return replace(chosen, target=target, reason=reason)


def _of_gradient(
    fun: Callable, args: Sequence[Any], kwargs: dict[str, Any], *, argnums: ArgNums
) -> str:
    """Say how a gradient is taken that is not proven linear, and where that was lost.

    The second derivative may well be proven of the program that takes it.
    """
    traced = trace(fun, args, kwargs, argnums=argnums)
    if traced.ends is None:
        return ""
    taken = choose(traced, is_gradient=True)
    return f"its gradient by {taken.mode} mode, {taken.reason}"
