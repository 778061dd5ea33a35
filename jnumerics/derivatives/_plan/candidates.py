"""The candidates for a derivative: each mode, counted.

Forward and reverse mode are counted on one of their passes (`passes`), the others on
the program that they would run. `trace_passes` makes that of the one that is taken.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax

from jnumerics.derivatives._dependence.samples import SampleAxes
from jnumerics.derivatives._modes import compressed, cut
from jnumerics.derivatives._modes.compressed import Compressed
from jnumerics.derivatives._modes.ends import Forward, Problem, Reverse, Strategy
from jnumerics.derivatives._modes.jacobian import finish
from jnumerics.derivatives._plan import cost as _cost
from jnumerics.derivatives._plan import passes
from jnumerics.derivatives._plan.cost import Cost
from jnumerics.derivatives._plan.result import Candidate
from jnumerics.derivatives._program.jaxpr import Equation
from jnumerics.derivatives._program.linearity.directions import one_way, reach
from jnumerics.derivatives._program.trace import Target

ENDS = ("forward", "reverse")  # the modes that need no proof
MODES = (*ENDS, "cut", "compressed")
MODES_OF_HESSIANS = (*MODES, "star")
NEARLY_EQUAL = 0.9  # forward must be below this share of reverse to be preferred
_REFUSALS = (NotImplementedError, TypeError, ValueError)  # what JAX raises


def find_candidates(
    target: Target,
    problem: Problem,
    kind: str,
    mode: str,
    axes: SampleAxes | None,
    needs_proof: bool,
    asymmetry: Callable[[], str] | None = None,
) -> list[Candidate]:
    """Count both ends, and the others where they are asked for."""
    _, m, n = problem.sizes.shape
    one = one_way(
        problem.linear.equations, reach(problem.linear.equations, problem.linear.inputs)
    )
    reverse = _end(problem, kind, Reverse(m), _obstacle(one.forward))
    forward = _end(problem, kind, Forward(n), _obstacle(one.reverse))
    candidates = [reverse, forward]
    end = better(reverse, forward)
    if mode in ("auto", "cut"):
        strategy, note = (None, "samples are not proven independent")
        if needs_proof:
            strategy, note = cut.find(target, problem, axes)
        candidates.append(_or_end(problem, kind, "cut", strategy, end, note))
    if mode in ("auto", "compressed", "star"):
        strategy, note = (None, "samples share passes already")
        if axes is None:
            serves = {
                "forward": forward.strategy is not None,
                "reverse": reverse.strategy is not None,
            }
            strategy, note = compressed.find(target, problem, kind, **serves)
        candidates.append(_or_end(problem, kind, "compressed", strategy, end, note))
    if asymmetry is not None and mode in ("auto", "star"):
        candidates.append(_star(target, problem, kind, candidates, asymmetry))
    return candidates


def _star(
    target: Target,
    problem: Problem,
    kind: str,
    counted_before: Sequence[Candidate],
    asymmetry: Callable[[], str],
) -> Candidate:
    """Count the star mode; with no fewer passes it comes down to the compressed one."""
    by_mode = {c.mode: c for c in counted_before}
    forward, columns = by_mode["forward"], by_mode["compressed"]
    if [o.size for o in target.out_avals] != [i.size for i in target.in_avals]:
        return Candidate("star", None, Cost(), "`fun` must return one real number")
    known = columns.strategy if isinstance(columns.strategy, Compressed) else None
    if forward.strategy is None:
        strategy, note = None, forward.note
    else:
        strategy, note = compressed.find_star(target, problem, known)
    if strategy is None:
        same = columns.same_as or columns.mode
        return replace(columns, mode="star", note=f"{note}: as {same}", same_as=same)
    lack = asymmetry()
    if lack:
        return Candidate("star", None, Cost(), lack)
    candidate = counted(problem, kind, strategy)
    return candidate if candidate.strategy is None else replace(candidate, note=note)


def _end(
    problem: Problem, kind: str, strategy: Forward | Reverse, note: str
) -> Candidate:
    """Count the passes of forward or reverse mode; a note says that it cannot run."""
    if note:
        return Candidate(strategy.mode, None, Cost(), note)
    try:
        cost = passes.of_end(problem, kind, strategy)
    except _REFUSALS as error:
        return Candidate(strategy.mode, None, Cost(), refusal(error))
    return Candidate(strategy.mode, strategy, cost, problem=problem)


def counted(problem: Problem, kind: str, strategy: Strategy) -> Candidate:
    """Count the program that a strategy would run."""
    try:
        jaxpr = passes_jaxpr(problem, kind, strategy, None)
    except _REFUSALS as error:
        return Candidate(strategy.mode, None, Cost(), refusal(error))
    cost = _cost.count(jaxpr)
    return Candidate(strategy.mode, strategy, cost, problem=problem, passed=jaxpr)


def trace_passes(
    candidates: Sequence[Candidate], kind: str, one: Candidate
) -> list[Candidate]:
    """Trace the passes of one that is counted; what JAX refuses is not served.

    Its cost stays that of one pass, as it was compared.
    """
    assert isinstance(one.strategy, Strategy)
    assert one.problem is not None
    try:
        jaxpr = passes_jaxpr(one.problem, kind, one.strategy, None)
    except _REFUSALS as error:
        return _without(candidates, one.same_as or one.mode, refusal(error))
    is_one = [c.strategy is one.strategy for c in candidates]
    pairs = zip(candidates, is_one, strict=True)
    return [replace(c, passed=jaxpr) if same else c for c, same in pairs]


def _without(candidates: Sequence[Candidate], end: str, note: str) -> list[Candidate]:
    """Refuse an end: what came down to it comes down to the other one."""
    refused = Candidate(end, None, Cost(), note)
    by_mode = {c.mode: refused if c.mode == end else c for c in candidates}
    other = better(by_mode["reverse"], by_mode["forward"])
    return [
        _as_end(other, c.mode, c.note.removesuffix(f": as {end}"))
        if c.same_as == end
        else c
        for c in by_mode.values()
    ]


def refusal(error: Exception) -> str:
    """Say that JAX refuses, and why."""
    reason = str(error).split("\n", maxsplit=1)[0]
    return f"JAX refuses: {reason}"


def passes_jaxpr(
    problem: Problem, kind: str, strategy: Strategy, chunk: int | None
) -> Any:
    env = {v: v.aval for v in problem.linear.residuals}  # no strategy reads others

    def run(values: list[Any]) -> list[Any]:
        return finish(
            strategy, problem, kind, dict(zip(env, values, strict=True)), chunk
        )

    return jax.make_jaxpr(run)(list(env.values()))


def _obstacle(equations: Sequence[Equation]) -> str:
    """Name the first equation that a mode cannot run through."""
    return next((f"not through {e.name} at {e.line}" for e in equations), "")


def better(reverse: Candidate, forward: Candidate) -> Candidate:
    """Return the better end; near ties go to reverse, whose rows are contiguous."""
    if reverse.strategy is None or forward.strategy is None:
        return forward if reverse.strategy is None else reverse
    if forward.cost.seconds < NEARLY_EQUAL * reverse.cost.seconds:
        return forward
    return reverse


def _or_end(
    problem: Problem,
    kind: str,
    mode: str,
    strategy: Strategy | None,
    end: Candidate,
    note: str,
) -> Candidate:
    """Count a strategy; without one, the mode comes down to the better end."""
    if strategy is None:
        return _as_end(end, mode, note)
    return replace(counted(problem, kind, strategy), note=note)


def _as_end(end: Candidate, mode: str, note: str) -> Candidate:
    return replace(end, mode=mode, note=f"{note}: as {end.mode}", same_as=end.mode)
