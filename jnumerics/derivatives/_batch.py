"""Per-sample Jacobians: samples share their passes, once it is proven that they may."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array

from jnumerics import _check
from jnumerics.derivatives._dependence import samples
from jnumerics.derivatives._dependence.samples import SampleAxes, SampleMixingError
from jnumerics.derivatives._modes.jacobian import filled
from jnumerics.derivatives._plan.candidates import MODES
from jnumerics.derivatives._plan.plan import choose
from jnumerics.derivatives._plan.result import Plan
from jnumerics.derivatives._program import arguments
from jnumerics.derivatives._program.arguments import ArgNums, check_bound, wraps
from jnumerics.derivatives._program.entry import Entry
from jnumerics.derivatives._program.layout import Env
from jnumerics.derivatives._program.trace import Target, trace


def batch_jacobian(
    fun: Callable,
    argnums: ArgNums = 0,
    *,
    in_axis: int = 0,
    out_axis: int = 0,
    mode: str = "auto",
    check: str | None = "proof",
    max_bytes: int | None = None,
) -> Callable:
    r"""Return a function of a batch that computes all $\partial f(X)_i / \partial X_i$.

    All samples share the passes: forward pass j sends the tangent that is one in
    component j of every sample, and sample i's part of the result is column j of block
    i. The whole batch costs min(n_in, n_out) passes, or 2 d through a cut of d values
    for each sample, whatever the number of samples; one when each sample has one input.
    That is right only where samples do not influence each other, so it is proven first,
    from the derivative's own program, when the function is traced for a new shape.
    Where values mix but derivatives do not (statistics under `stop_gradient`), the
    blocks are those of the true Jacobian.

    Args:
        fun: A function of a batch, traceable; arrays or pytrees of arrays. What it
            holds besides its arguments is compiled in, as in `jacobian`.
        argnums: Which arguments hold the samples to differentiate with respect to.
        in_axis: The axis of samples of every leaf of those arguments.
        out_axis: The axis of samples of every leaf of the result.
        mode: "auto", "forward", "reverse" or "cut"; "compressed" is as the better end,
            and so is "cut" where samples are not proven independent.
        check: "proof" proves for all values. "probe" decides at the values of each call
            (not under `jit`), by random tangents of some samples; rules and solvers
            that are not proven linear, which these cannot decide, need the proof all
            the same. None trusts you, in this and in that rules and solvers are linear,
            as in `jacobian`: if samples do mix, the result is silently wrong.
        max_bytes: Bound of the temporary memory, as in `jacobian`.

    Returns:
        A function of the same arguments, compiled once for each shape, whose result
        nests as that of `jax.jacobian`, with arrays of shape `(n, *out, *in)`, where
        `out` and `in` lack the axis of samples.

    Raises:
        SampleMixingError: At the call, a ValueError, if samples may mix: it names an
            output, the samples it may depend on, the operation and its line.
        TypeError: At the call, as `jacobian`.
        ValueError: If an option is unknown; at the call, if an axis is missing or has
            another length, if "probe" cannot decide, or as `jacobian`.

    Example:
        >>> import jax.numpy as jnp
        >>> blocks = batch_jacobian(lambda x: x**2)
        >>> blocks(jnp.array([[1.0, 2.0], [3.0, 4.0]]))[1]
        Array([[6., 0.],
               [0., 8.]], dtype=float32)
    """
    _check.function("fun", fun)
    arguments.check_argnums(argnums)
    _check.option("mode", mode, ("auto", *MODES))
    _check.option("check", check, ("proof", "probe", None))
    in_axis = arguments.check_axis("in_axis", in_axis)
    out_axis = arguments.check_axis("out_axis", out_axis)
    bound = check_bound(max_bytes)

    def program(args: tuple, kwargs: dict) -> Any:
        target = trace(fun, args, kwargs, argnums=argnums, vouched=check is None)
        axes = samples.sample_axes(target, in_axis, out_axis)
        is_probed = _may_probe(target, check)
        choice = choose(
            target,
            "batch",
            mode=mode,
            axes=axes,
            max_bytes=bound,
            needs_proof=check is not None and not is_probed,
        )
        _, _, env = target.evaluate(choice.problem.program)
        leaks = samples.probe(target, axes, env) if is_probed else None
        return _blocks(target, axes, choice, env), leaks

    run = Entry(fun, program)

    @wraps(fun)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        if check == "probe":
            _require_values((args, kwargs))
        blocks, leaks = run(args, kwargs)
        if leaks is not None:
            _require_no_leak(*leaks)
        return blocks

    return derivative


def _blocks(target: Target, axes: SampleAxes, choice: Plan, env: Env) -> Any:
    """Nest blocks `(n, *out, *in)`, without the axes of samples in `out` and `in`."""
    outs = zip(target.out_avals, axes.outputs, strict=True)
    ins = zip(target.in_avals, axes.inputs, strict=True)
    rests, starts = ([_without(a.shape, k) for a, k in ends] for ends in (outs, ins))
    rests = [(axes.samples, *rest) for rest in rests]
    return target.nest(filled(target, choice.run(env), rests, starts))


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def _may_probe(target: Target, check: str | None) -> bool:
    """Whether random tangents decide: what is not linear may mix where both move."""
    return check == "probe" and target.ends is None


def _require_values(arguments: tuple) -> None:
    if not _check.is_concrete(*jax.tree.leaves(arguments)):
        msg = (
            "`check` must be 'proof' or None under jit, vmap or grad, got 'probe', "
            "which decides by values"
        )
        raise ValueError(msg)


def _require_no_leak(leaks: Array, finite: Array) -> None:
    if not finite:
        msg = (
            "`check` must be 'proof' or None here, got 'probe', which cannot decide: "
            "derivatives are not finite"
        )
        raise ValueError(msg)
    if leaks.any():
        sample = int(leaks.argmax())
        msg = (
            f"`fun` must not mix samples, got outputs of sample {sample} that depend "
            f"on another sample's input at these values: {samples.REMEDY}"
        )
        raise SampleMixingError(msg)
