"""How many numbers cross each place of a tangent program, for those who look at it.

The equations are put in an order: first those before the narrowest cut, then those
after it. Between two of them, what was made and is still to be read crosses. Without a
cut narrower than the ends they keep their own order.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from jnumerics.derivatives._modes.cut import Through
from jnumerics.derivatives._plan.result import Pickled, Plan
from jnumerics.derivatives._program.jaxpr import Equation, Var, shape_of, variables


class Crossing(NamedTuple):
    """Numbers that cross, place after place.

    Attributes:
        widths: Before the first operation, and after each; of one sample in a batch.
        at: Which of them is the cut; None where nothing is narrower than the ends.
        title: What is narrowest, in a line.
    """

    widths: list[int]
    at: int | None
    title: str


def crossing(plan: Plan) -> Crossing:
    """Count what crosses each place of a plan's program.

    Raises:
        ValueError: If the plan has no program, being pickled or of a Laplacian.
    """
    is_pickled = isinstance(plan.choice.strategy, Pickled)
    if is_pickled:
        msg = "`plan` must be made where it is drawn, got one that was pickled"
        raise ValueError(msg)
    if plan.choice.problem is None:
        kind = f"{plan.mode!r} of target {plan.target!r}"
        msg = f"`plan` must have a program of first order, got {kind}"
        raise ValueError(msg)
    note, through = _cut_of(plan)
    if through is None or through.cut is None:
        linear = plan.choice.problem.linear
        widths = _widths(linear.equations, linear.inputs, linear.outputs, {}, plan)
        return Crossing(widths, None, note or "nothing is narrower than the ends")
    cut = through.cut
    middle = dict(zip(cut.variables, _counts(through), strict=True))
    before = _widths(
        cut.before.equations, cut.before.inputs, cut.variables, middle, plan
    )
    after = _widths(cut.after.equations, cut.variables, cut.after.outputs, middle, plan)
    return Crossing([*before, *after[1:]], len(before) - 1, note)


def _cut_of(plan: Plan) -> tuple[str, Through | None]:
    cuts = [c for c in plan.candidates if c.mode == "cut"]
    strategy = cuts[0].strategy if cuts else None
    note = cuts[0].note if cuts else ""
    return note, strategy if isinstance(strategy, Through) else None


def _counts(through: Through) -> Iterator[int]:
    """Yield the directions of each variable of the cut."""
    cut = through.cut
    assert cut is not None
    for v, axis in zip(cut.variables, through.axes, strict=True):
        size = math.prod(shape_of(v))
        yield size if axis is None else size * axis[1] // shape_of(v)[axis[0]]


def _widths(
    equations: Sequence[Equation],
    starts: Sequence[Var],
    ends: Sequence[Var | None],
    known: Mapping[Var, int],
    plan: Plan,
) -> list[int]:
    """Count before the first equation, and after each."""
    last: dict[Var, int] = {}
    for k, equation in enumerate(equations):
        last.update(dict.fromkeys(variables(equation), k))
    last.update({v: len(equations) for v in ends if v is not None})

    def width(v: Var) -> int:
        return known.get(v, -(-math.prod(shape_of(v)) // plan.samples))

    alive = {v for v in starts if v in last}
    widths = [sum(map(width, alive))]
    for k, equation in enumerate(equations):
        made = [v for v in equation.eqn.outvars if v in last]
        alive = {v for v in [*alive, *made] if last[v] > k}
        widths.append(sum(map(width, alive)))
    return widths
