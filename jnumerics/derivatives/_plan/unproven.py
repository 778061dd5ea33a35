"""Derivatives that are not proven linear: their passes, as JAX would run them.

Nothing is shared that rests on linearity: each pass moves one basis vector, everything
else is zero, through the program of `jax.jvp` or of `jax.vjp` itself. Samples may share
a pass even so, one basis vector in each, where the program that runs does not let them
read each other and gives zero where all tangents are zero.
"""

from collections.abc import Sequence
from typing import NamedTuple

from jnumerics.derivatives._dependence import samples
from jnumerics.derivatives._dependence.samples import SampleAxes, SampleMixingError
from jnumerics.derivatives._modes.ends import OneByOne, Problem
from jnumerics.derivatives._plan.candidates import ENDS, MODES, better, counted
from jnumerics.derivatives._plan.cost import Cost
from jnumerics.derivatives._plan.result import Candidate
from jnumerics.derivatives._program.joint import End
from jnumerics.derivatives._program.layout import Layout
from jnumerics.derivatives._program.tangent import part
from jnumerics.derivatives._program.trace import Target


class Choice(NamedTuple):
    """The candidates, and the one that is taken."""

    candidates: list[Candidate]
    chosen: Candidate
    reason: str


def choose(
    target: Target,
    kind: str,
    mode: str,
    axes: SampleAxes | None,
    *,
    needs_proof: bool,
    modes: Sequence[str] = MODES,
    is_gradient: bool = False,
) -> Choice:
    """Choose between the two ends: forward as JAX serves it, else reverse.

    A gradient that is differentiated once more is reverse mode's, as in `jax.hessian`,
    else forward mode's.

    Where nothing but solvers is unproven, both ends approximate the same derivative,
    and the cheaper one is taken.

    Raises:
        SampleMixingError: If samples are to share passes in which they may mix.
        ValueError: If the mode does not serve the function.
    """
    ends = target.ends
    assert ends is not None
    reverse = _candidate(target, "reverse", ends.reverse, kind, axes)
    forward = _candidate(target, "forward", ends.forward, kind, axes)
    others = [Candidate(m, None, Cost(), ends.reason) for m in modes if m not in ENDS]
    candidates = [reverse, forward, *others]
    first = reverse if is_gradient else forward
    if target.may_choose:
        first = better(reverse, forward)
    order = [first, reverse if first is forward else forward]
    if mode != "auto":
        order = [c for c in candidates if c.mode == mode]
    served = [c for c in order if c.strategy is not None]
    if not served:
        raise ValueError(_refusal(order, mode))
    reason = f"as in JAX: {ends.reason}" if mode == "auto" else "asked for"
    if axes is None or not needs_proof:
        return Choice(candidates, served[0], reason)
    return Choice(candidates, _independent(target, served, axes), reason)


def _candidate(
    target: Target, mode: str, end: End, kind: str, axes: SampleAxes | None
) -> Candidate:
    if end.program is None:
        return Candidate(mode, None, Cost(), end.obstacle)
    tangents, results = target.program.tangents, target.program.outputs
    in_axes = axes.inputs if axes else [None] * len(tangents)
    out_axes = axes.outputs if axes else [None] * len(results)
    inputs = [Layout.from_var(*pair) for pair in zip(tangents, in_axes, strict=True)]
    outputs = [Layout.from_var(*pair) for pair in zip(results, out_axes, strict=True)]
    program = end.program
    answers = [v for v in program.outputs if v is not None]
    passes = part(program.linear, program.tangents, answers)
    problem = Problem(program, passes, inputs, outputs)
    count = sum(i.count for i in (inputs if mode == "forward" else outputs))
    return counted(problem, kind, OneByOne(mode, count))


def _refusal(order: Sequence[Candidate], mode: str) -> str:
    reasons = "; ".join(f"{c.mode}: {c.note}" for c in order)
    if mode == "auto":
        return f"`fun` must be differentiable by JAX, got one that is not: {reasons}"
    vouching = "" if mode in ("forward", "reverse") else " (check=None vouches for it)"
    return (
        f"`mode` must be one that serves `fun`, got {mode!r}: {order[0].note}{vouching}"
    )


def _independent(
    target: Target, served: Sequence[Candidate], axes: SampleAxes
) -> Candidate:
    """Return the first whose passes keep samples apart."""
    errors = []
    for candidate in served if target.may_choose else served[:1]:
        try:
            samples.require_independent(target, axes, candidate.mode)
        except SampleMixingError as error:
            errors.append(error)
        else:
            return candidate
    raise errors[0]
