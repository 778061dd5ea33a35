"""The plan of the second order: collapsed or nested, and why.

Collapsed Taylor mode needs a first derivative that is proven linear and a program that
jets can pass; what lacks either is nested. So few directions as `FEW` go in one sweep,
which alone is counted there, unless a plan is asked for. Where colors of the Hessian's
graph let inputs share a direction (`colors`), it takes fewer of them; where all goes
through a narrow place, two sweeps take fewer behind it (`place`). Of a scalar of more
than a few inputs all modes are counted: a narrow place in the gradient may leave the
nested one fewer passes.
"""

from collections.abc import Sequence
from dataclasses import replace

from jnumerics import _table
from jnumerics.derivatives._modes.collapsed.sweep import Directions
from jnumerics.derivatives._plan.cost import Cost
from jnumerics.derivatives._plan.plan import TICK, traced
from jnumerics.derivatives._plan.result import Answer, Candidate, Plan, SecondOrder
from jnumerics.derivatives._plan.second import colors, nested
from jnumerics.derivatives._plan.second.collapsed import Collapsed, collapsed
from jnumerics.derivatives._plan.second.nested import NestedScalar
from jnumerics.derivatives._plan.second.request import Request

MODES = ("nested", "collapsed", "narrow")
FEW = 8  # directions, up to which to count others would slow the first call for little
WORTH_IT = 0.9  # of what is simpler: the most that the other may cost


def choose(request: Request, mode: str, *, counts_all: bool = False) -> Plan:
    """Count the modes, and choose.

    Args:
        request: What is asked.
        mode: "auto", or the mode to take.
        counts_all: Whether all are counted even where the choice needs one.

    Raises:
        ValueError: If the mode does not serve the function, or the bound is too small.
    """
    if mode == "nested":
        return _plan(request, [_nested(request)], "asked for")
    if request.target.ends is not None:
        refusal = _refused("collapsed", request.target.ends.reason)
        return _without_sweep(request, mode, [refusal])
    are_many = request.directions.count > FEW
    other, nested_one = None, None
    if request.is_scalar and (are_many or counts_all):
        other, nested_one = _alternative(request, traces=counts_all)
    may_share = are_many and request.stacks is None
    swept = collapsed(request, shared(request, other) if may_share else None)
    if isinstance(swept, str):
        refusal = _refused("collapsed", swept)
        return _without_sweep(request, mode, [refusal], nested_one)
    counts_narrow = are_many or counts_all
    sweeps, bounds = _sweeps(swept, mode, counts_narrow=counts_narrow)
    served = [c for c in sweeps if c.strategy is not None]
    if not served and bounds and (mode != "auto" or not request.is_scalar):
        raise ValueError(bounds[0])
    if not served:
        return _without_sweep(request, mode, sweeps, nested_one)
    if mode != "auto":
        return _plan(request, served, "asked for")
    if counts_all and not request.is_scalar:
        nested_one = _nested(request)
    first = _simplest(served) if are_many else served[0]  # as without `counts_all`
    others = [c for c in (*sweeps, nested_one) if c is not None and c is not first]
    return _cheaper(request, first, others, may_nest=are_many and request.is_scalar)


def _sweeps(
    swept: Collapsed, mode: str, *, counts_narrow: bool
) -> tuple[list[Candidate], list[str]]:
    """Count the modes that sweep; beside them, what says that a bound is too small."""
    modes = (
        (mode,) if mode != "auto" else MODES[1:] if counts_narrow else ("collapsed",)
    )
    at_most = 1.0 if mode == "narrow" else WORTH_IT
    outcomes = [_sweep(swept, m, at_most) for m in modes]
    return [one for one, _ in outcomes], [error for _, error in outcomes if error]


def _sweep(swept: Collapsed, mode: str, at_most: float) -> tuple[Candidate, str]:
    """Count the collapsed mode, in one sweep or through a narrow place.

    The place is to bring all operations to a share of those of one sweep, `at_most`.

    Where the bound of memory is too small, its error's words are beside it.
    """
    sweep = swept.narrowed(at_most) if mode == "narrow" else swept
    if isinstance(sweep, str):
        return _refused(mode, sweep), ""
    counted = sweep.candidate(swept.request.max_bytes)
    if isinstance(counted, str):
        return _refused(mode, "it takes more memory than `max_bytes`"), counted
    return counted, ""


def _refused(mode: str, reason: str) -> Candidate:
    return Candidate(mode, None, Cost(), reason)


def _simplest(served: Sequence[Candidate]) -> Candidate:
    """Return one sweep, unless two are predicted to take clearly less."""
    one, *two = served
    if two and two[0].cost.seconds < WORTH_IT * one.cost.seconds:
        return two[0]
    return one


def _without_sweep(
    request: Request,
    mode: str,
    sweeps: Sequence[Candidate],
    counted: Candidate | None = None,
) -> Plan:
    reason = sweeps[0].note
    if mode != "auto":
        msg = f"`mode` must be one that serves `fun`, got {mode!r}: {reason}"
        raise ValueError(msg)
    if counted is None or counted.strategy is None:
        counted = _nested(request)  # or its refusal
    return _plan(request, [counted, *sweeps], f"collapsed is not served: {reason}")


def _cheaper(
    request: Request, first: Candidate, others: Sequence[Candidate], *, may_nest: bool
) -> Plan:
    """Choose between a sweep and the nested mode, if that is counted."""
    sweep = (
        f"{_table.plural(first.passes or 0, 'direction', 'directions')} in "
        f"{'two sweeps' if first.mode == 'narrow' else 'one sweep'}"
    )
    passed = "" if may_nest else _passed_over(request, first, others)
    second = next((c for c in others if c.mode == "nested"), None)
    if second is None or second.strategy is None:
        return _plan(request, [first, *others], sweep + passed)
    ratio = second.cost.seconds / max(first.cost.seconds, TICK)
    if may_nest and ratio < WORTH_IT:
        faster = f"{1 / max(ratio, TICK):.1f} times faster than {first.mode}"
        rest = [c for c in others if c is not second]
        return _plan(request, [second, first, *rest], f"predicted {faster}")
    faster = f", predicted {ratio:.1f} times faster than nested" if ratio >= 1 else ""
    return _plan(request, [first, *others], sweep + faster + passed)


def _passed_over(
    request: Request, first: Candidate, others: Sequence[Candidate]
) -> str:
    """Name the fastest of what was counted for the plan, and not for the choice."""
    rest = [c for c in others if c.strategy is not None]
    best = min(rest, key=lambda c: c.cost.seconds, default=first)
    ratio = best.cost.seconds / max(first.cost.seconds, TICK)
    if ratio >= WORTH_IT:
        return ""
    are_few = request.directions.count <= FEW
    where = f"up to {FEW} directions" if are_few else "a result of several entries"
    faster = f"predicted {1 / max(ratio, TICK):.1f} times faster"
    return f"; {best.mode}, {faster}, is not counted for {where}: name it by `mode`"


def _alternative(
    request: Request, *, traces: bool
) -> tuple[NestedScalar | None, Candidate]:
    """Return the nested mode of a scalar, counted; or the reason why there is none."""
    try:
        scalar = request.nested()
        scalar = _traced(scalar) if traces else scalar
    except Exception as error:  # whatever JAX's reason: no reverse mode; or the bound
        return None, _refused("nested", str(error).split("\n", maxsplit=1)[0])
    return scalar, _of_scalar(scalar)


def _traced(scalar: NestedScalar) -> NestedScalar:
    """Trace its passes, so that what JAX refuses is known."""
    return replace(scalar, plan=traced(scalar.plan))


def shared(request: Request, other: NestedScalar | None) -> Directions | None:
    """Return few directions, of inputs that are proven to share them."""
    if other is not None:
        return colors.of_plan(other.plan, request.point)
    fun, point = request.restricted(request.target.leaves), request.point
    avals = request.target.out_avals
    try:
        target = colors.gradient(fun, point, avals, vouched=request.vouched)
    except Exception:  # whatever JAX's reason: no reverse mode
        return None
    return colors.of_gradient(target, point)


def _nested(request: Request) -> Candidate:
    if request.is_scalar:
        return _of_scalar(_traced(request.nested()))
    return nested.of_field(
        request.restricted,
        request.target,
        request.stacks,
        request.directions,
        vouched=request.vouched,
        max_bytes=request.max_bytes,
    )


def _of_scalar(scalar: NestedScalar) -> Candidate:
    def run() -> Answer:
        value, gradient, laplacian = scalar.run()
        return Answer([value], gradient, [laplacian])

    choice = scalar.plan.choice
    note = "; ".join(filter(None, [f"{choice.mode} over the gradient", choice.note]))
    strategy = SecondOrder("nested", scalar.plan.passes, run)
    return Candidate("nested", strategy, scalar.cost, note)


def _plan(request: Request, candidates: Sequence[Candidate], reason: str) -> Plan:
    """Return the plan that takes the first candidate."""
    target = request.target
    m, n = (
        sum(aval.size for aval in avals)
        for avals in (target.out_avals, target.in_avals)
    )
    ordered = sorted(candidates, key=lambda c: MODES.index(c.mode))
    return Plan("laplacian", 1, m, n, tuple(ordered), candidates[0].mode, reason)
