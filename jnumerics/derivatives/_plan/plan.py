"""The plan: which mode is predicted to be the cheapest, and why.

Every candidate is counted (`candidates`), and the one that is taken is traced. Nearly
equal ends go to reverse mode, whose rows are contiguous; a cut or a compression is
taken only where it is predicted well below the better end. The choice needs shapes
alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from jnumerics import _table
from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._dependence.propagate import joined
from jnumerics.derivatives._dependence.samples import SampleAxes, require_independent
from jnumerics.derivatives._modes.ends import Reverse, make_problem, size
from jnumerics.derivatives._plan import unproven
from jnumerics.derivatives._plan.candidates import (
    MODES,
    MODES_OF_HESSIANS,
    better,
    find_candidates,
    trace_passes,
)
from jnumerics.derivatives._plan.cost import Cost
from jnumerics.derivatives._plan.memory import others, within
from jnumerics.derivatives._plan.result import Candidate, Plan
from jnumerics.derivatives._program.layout import Layout
from jnumerics.derivatives._program.trace import Target

Traces = Literal["choice", "all", "none"]

TICK = 1e-9  # seconds; less is nothing
WORTH_IT = 0.9  # of the better end: the most a cut or a compression may cost


def choose(
    target: Target,
    kind: str = "jacobian",
    *,
    mode: str = "auto",
    axes: SampleAxes | None = None,
    max_bytes: int | None = None,
    needs_proof: bool = True,
    asymmetry: Callable[[], str] | None = None,
    is_gradient: bool = False,
    traces: Traces = "choice",
) -> Plan:
    """Count the candidates for a traced function, and choose.

    Args:
        target: The function.
        kind: "jacobian", "sparse" for its entries, "batch" or "diagonal".
        mode: "auto", or the mode to take.
        axes: The axis of samples of each input and output leaf, for "batch".
        max_bytes: Bound of the temporary memory.
        needs_proof: Whether samples are to be proven not to mix; a cut needs the proof.
        asymmetry: Of a Hessian, says what may make it asymmetric, "" if nothing may.
        is_gradient: Whether it is a gradient that is differentiated once more: as in
            `jax.hessian` it is reverse mode's where it is not proven linear.
        traces: Whose passes are traced, so that what JAX refuses is known: those of the
            choice, of all candidates, or none's, which `traced` may do later. Where
            memory is bounded, it may take any of them.
    """
    problem = make_problem(target, axes, kind)
    modes = MODES if asymmetry is None else MODES_OF_HESSIANS
    if size(problem) == 0:
        end = Candidate("reverse", Reverse(0), Cost(), problem=problem)
        reason = "nothing depends on the inputs"
        return Plan(kind, *_counts(target, axes), (end,), "reverse", reason)
    if target.ends is None:
        if axes is not None and needs_proof:
            require_independent(target, axes, mode)
        candidates = find_candidates(
            target, problem, kind, mode, axes, needs_proof, asymmetry
        )
        chosen, reason = _preferred(candidates, mode)
    else:
        candidates, chosen, reason = unproven.choose(
            target,
            kind,
            mode,
            axes,
            needs_proof=needs_proof,
            modes=modes,
            is_gradient=is_gradient,
        )
    result = Plan(
        kind,
        *_counts(target, axes),
        candidates=tuple(candidates),
        mode=chosen.mode,
        reason=reason,
        joined=tuple(joined(constants_of(target.program))),
    )
    every = traces == "all" or max_bytes is not None
    if every or traces == "choice":
        result = traced(result, mode, every=every)
    if max_bytes is None:
        return result
    rest = others(result) if mode == "auto" and target.may_choose else []
    return within([result, *rest], max_bytes)


def traced(plan: Plan, mode: str = "auto", *, every: bool = False) -> Plan:
    """Trace the passes of the choice, or of every candidate, that are only counted.

    Where JAX refuses any, the choice is made again. Those of a derivative that is not
    proven linear are traced as they are counted (`unproven`): none is left for here.
    """
    while True:
        asked = plan.candidates if every else [plan.choice]
        counted = [c for c in asked if c.strategy is not None and c.passed is None]
        if not counted or not size(plan.problem):
            return plan
        candidates = trace_passes(plan.candidates, plan.target, counted[0])
        before = [c.strategy for c in plan.candidates]
        plan = replace(plan, candidates=tuple(candidates))
        if any(c.strategy is not s for c, s in zip(candidates, before, strict=True)):
            chosen, reason = _preferred(candidates, mode)
            plan = replace(plan, mode=chosen.mode, reason=reason)


def _counts(target: Target, axes: SampleAxes | None) -> tuple[int, int, int]:
    """Count samples, and the components of one sample of the result and the inputs."""
    samples = 1 if axes is None else axes.samples
    out_axes = [None] * target.n_outputs if axes is None else axes.outputs
    in_axes = [None] * len(target.in_avals) if axes is None else axes.inputs
    ends = (target.out_avals, out_axes), (target.in_avals, in_axes)
    m, n = (
        sum(
            Layout(tuple(a.shape), a.dtype, axis).count
            for a, axis in zip(avals, leaf_axes, strict=True)
        )
        for avals, leaf_axes in ends
    )
    return samples, m, n


def _preferred(candidates: Sequence[Candidate], mode: str) -> tuple[Candidate, str]:
    """Choose the mode asked for, or the cheapest."""
    if mode != "auto":
        chosen = next(c for c in candidates if c.mode == mode)
        if chosen.strategy is None:
            msg = f"`mode` must be one that serves `fun`, got {mode!r}: {chosen.note}"
            raise ValueError(msg)
        return chosen, "asked for"
    reverse, forward, *others = candidates
    end = better(reverse, forward)
    served = [c for c in others if c.strategy is not None and c.same_as is None]
    cheapest = min(served, key=lambda c: c.cost.seconds, default=end)
    if end.strategy is None:
        reasons = f"reverse: {reverse.note}; forward: {forward.note}"
        if cheapest.strategy is not None:
            return cheapest, f"neither end is served: {reasons}"
        msg = f"`fun` must be differentiable by JAX, got one that is not: {reasons}"
        raise ValueError(msg)
    if cheapest.cost.seconds < WORTH_IT * end.cost.seconds:
        ratio = end.cost.seconds / max(cheapest.cost.seconds, TICK)
        reason = f"predicted {ratio:.1f} times faster than {end.mode}; {cheapest.note}"
        return cheapest, reason
    other = forward if end is reverse else reverse
    if other.strategy is None:
        return end, f"{other.mode} is not served: {other.note}"
    passes = _table.plural(end.passes or 0, "pass", "passes")
    ratio = other.cost.seconds / max(end.cost.seconds, TICK)
    if ratio < 1.05:
        return end, f"{passes}, predicted as fast as {other.mode}"
    return end, f"{passes}, predicted {ratio:.1f} times faster than {other.mode}"
