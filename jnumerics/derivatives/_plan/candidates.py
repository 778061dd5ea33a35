"""The candidates for a derivative: each mode's way, counted on the program it would run."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Never

import jax

from jnumerics import _table
from jnumerics.derivatives._dependence import propagate
from jnumerics.derivatives._dependence.constants.fold import known_values
from jnumerics.derivatives._dependence.samples import SampleAxes, batch_seeds
from jnumerics.derivatives._modes import ends as _ways
from jnumerics.derivatives._modes.coloring.compress import compress, transposed
from jnumerics.derivatives._modes.cut import batch_capacity, narrowest
from jnumerics.derivatives._modes.ends import (
    Compressed,
    Forward,
    Problem,
    Reverse,
    Through,
    Way,
)
from jnumerics.derivatives._modes.skip import Split, split_residual
from jnumerics.derivatives._plan import cost as _cost
from jnumerics.derivatives._plan.cost import Cost
from jnumerics.derivatives._program.jaxpr import Equation
from jnumerics.derivatives._program.layout import Env, Layout
from jnumerics.derivatives._program.linearity.directions import one_way, reach
from jnumerics.derivatives._program.tangent import part
from jnumerics.derivatives._program.trace import Target

FEW = 4  # colors of inputs that make a search for colors of outputs pointless
NEARLY_EQUAL = 0.9  # forward must be below this share of reverse to be preferred


@dataclass(frozen=True)
class Pickled:
    """What is left of a way that was pickled: its figures; it cannot be run."""

    passes: int
    mode: str

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> Never:  # noqa: ARG002
        """Refuse."""
        msg = "a plan must be made where it is run, got one that was pickled"
        raise ValueError(msg)


@dataclass(frozen=True)
class Candidate:
    """One mode, counted. Pickled, it can be read and not run: programs stay behind.

    Attributes:
        mode: Its name.
        way: How it runs; None where the function cannot be differentiated that way.
        cost: Operations, bytes and predicted seconds.
        note: Where it cuts, how many colors it needs, or why it is not served.
        same_as: The mode whose program it comes down to, or None.
        problem: What it runs on.
    """

    mode: str
    way: Way | None = field(repr=False)
    cost: Cost
    note: str = ""
    same_as: str | None = None
    problem: Problem | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: figures and words; of the way, its passes."""
        words = ("mode", "cost", "note", "same_as")
        way = self.way and Pickled(self.way.passes, self.way.mode)
        return {**{name: getattr(self, name) for name in words}, "way": way}

    @property
    def passes(self) -> int | None:
        """Number of passes."""
        return None if self.way is None else self.way.passes


def make_problem(
    target: Target, axes: SampleAxes | None = None, kind: str = "jacobian"
) -> Problem:
    """Lay out a target's inputs, and those of its outputs that depend on any.

    For a diagonal, an input whose output depends on nothing takes no part.
    """
    program = target.program
    in_axes = axes.inputs if axes else [None] * len(program.tangents)
    out_axes = axes.outputs if axes else [None] * target.n_outputs
    inputs = list(zip(program.tangents, in_axes, strict=True))
    outputs = list(zip(program.outputs, out_axes, strict=True))
    if kind == "diagonal":
        inputs = [i for i, (v, _) in zip(inputs, outputs, strict=True) if v is not None]
    present = [(v, axis) for v, axis in outputs if v is not None]
    starts, ends = [v for v, _ in inputs], [v for v, _ in present]
    return Problem(
        program=program,
        linear=part(program.linear, starts, ends),
        inputs=[Layout.of(*pair) for pair in inputs],
        outputs=[Layout.of(*pair) for pair in present],
    )


def finish(
    way: Way, problem: Problem, kind: str, env: Env, chunk: int | None
) -> list[Any]:
    """Run a way to what the kind asks for: blocks, diagonals, or single entries."""
    if kind == "diagonal":
        return _ways.diagonal(way, problem, env, chunk)
    if kind == "sparse":
        return [_ways.entries(way.terms(problem, env, chunk), problem.sizes)]
    return _ways.dense(way.terms(problem, env, chunk), problem.sizes)


def find_candidates(
    target: Target,
    problem: Problem,
    kind: str,
    mode: str,
    axes: SampleAxes | None,
    is_proven: bool,
) -> list[Candidate]:
    """Count both ends, and the cut and the compression where they are asked for."""
    _, m, n = problem.sizes.shape
    one = one_way(
        problem.linear.equations, reach(problem.linear.equations, problem.linear.inputs)
    )
    reverse = counted(problem, kind, Reverse(m), _obstacle(one.forward))
    forward = counted(problem, kind, Forward(n), _obstacle(one.reverse))
    found = [reverse, forward]
    end = better(reverse, forward)
    if mode in ("auto", "cut"):
        way, note = (None, "samples are not proven independent")
        if is_proven:
            way, note = _cut(target, problem, axes)
        found.append(_or_end(problem, kind, "cut", way, end, note))
    if mode in ("auto", "compressed"):
        way, note = (None, "samples share passes already")
        if axes is None:
            way, note = _compress(target, problem, reverse, forward)
        found.append(_or_end(problem, kind, "compressed", way, end, note))
    return found


def counted(problem: Problem, kind: str, way: Way, note: str) -> Candidate:
    """Count the program that a way would run; a note says that it cannot."""
    if note:
        return Candidate(way.mode, None, Cost(), note)
    try:
        jaxpr = passes_jaxpr(problem, kind, way, None)
    except (NotImplementedError, TypeError, ValueError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        return Candidate(way.mode, None, Cost(), f"JAX refuses: {reason}")
    return Candidate(way.mode, way, _cost.count(jaxpr), problem=problem)


def passes_jaxpr(problem: Problem, kind: str, way: Way, chunk: int | None) -> Any:
    env = {v: v.aval for v in problem.linear.residuals}  # no way reads others

    def run(values: list[Any]) -> list[Any]:
        return finish(way, problem, kind, dict(zip(env, values, strict=True)), chunk)

    return jax.make_jaxpr(run)(list(env.values()))


def _obstacle(equations: Sequence[Equation]) -> str:
    """Name the first equation that a mode cannot run through."""
    return next((f"not through {e.name} at {e.line}" for e in equations), "")


def better(reverse: Candidate, forward: Candidate) -> Candidate:
    """Return the better end; nearly equal goes to reverse, whose rows are contiguous."""
    if reverse.way is None or forward.way is None:
        return forward if reverse.way is None else reverse
    if forward.cost.seconds < NEARLY_EQUAL * reverse.cost.seconds:
        return forward
    return reverse


def _or_end(
    problem: Problem, kind: str, mode: str, way: Way | None, end: Candidate, note: str
) -> Candidate:
    """Count a way; without one, the mode comes down to the better end."""
    if way is None:
        return replace(end, mode=mode, note=f"{note}: as {end.mode}", same_as=end.mode)
    return replace(counted(problem, kind, way, ""), note=note)


def _cut(
    target: Target, problem: Problem, axes: SampleAxes | None
) -> tuple[Through | None, str]:
    """Find the narrowest cut, with residual connections split off where that helps."""
    starts, ends = problem.linear.inputs, problem.linear.outputs
    program = replace(target.program, tangents=starts, outputs=ends)
    in_axes = None if axes is None else [i.axis or 0 for i in problem.inputs]
    split = split_residual(program, known_values(target.program), in_axes)
    found = [_cut_of(target, problem, axes, None)]
    if split is not None:
        found.append(_cut_of(target, problem, axes, split))
    _, m, n = problem.sizes.shape
    ways = [way for way, _ in found if way is not None and _ends(way) < min(m, n)]
    if not ways:
        reasons = [note for way, note in found if way is None]
        return None, reasons[0] if reasons else "nothing is narrower than the ends"
    best = min(ways, key=lambda way: way.passes)
    return best, _describe(best)


def _ends(way: Through) -> int:
    """Return the passes through the whole program that it takes as long as, about."""
    return way.width + (way.split is not None)


def _cut_of(
    target: Target, problem: Problem, axes: SampleAxes | None, split: Split | None
) -> tuple[Through | None, str]:
    starts, ends = problem.linear.inputs, problem.linear.outputs
    equations = target.program.linear if split is None else split.equations
    mixed = ends if split is None else split.mixed
    if all(v is None for v in mixed):
        return Through(None, (), split), ""
    capacity, where = None, {}
    if axes is not None:
        boxes = propagate(
            equations,
            batch_seeds(target.program.tangents, axes.inputs),
            known_values(target.program),
        )
        capacity, where = batch_capacity(boxes, axes.samples)
    cut = narrowest(equations, starts, mixed, capacity=capacity)
    if isinstance(cut, str):
        return None, cut
    return Through(cut, [where.get(v) for v in cut.variables], split), ""


def _describe(way: Through) -> str:
    parts = []
    if way.cut is not None:
        parts.append(f"{way.width} wide at {way.cut.operation}, {way.cut.line}")
    if way.split is not None:
        parts.append("residual connections apart")
    return "; ".join(parts)


def _compress(
    target: Target, problem: Problem, reverse: Candidate, forward: Candidate
) -> tuple[Way | None, str]:
    """Find a coloring of the inputs, or of the outputs where that takes fewer passes."""
    _, m, n = problem.sizes.shape
    most = min(m, n)
    if most < 2:
        return None, "one pass is enough"
    way = None
    if forward.way is not None:
        found = compress(problem.linear, known_values(target.program), most=most)
        if found is not None and not (len(found.unproven) and reverse.way is None):
            way = Compressed(problem.linear, found)
    if reverse.way is not None and (way is None or way.passes > FEW):
        linear = transposed(problem.linear)
        most = most if way is None else way.passes
        found = compress(linear, known_values(target.program), most=most)
        if found is not None and not (len(found.unproven) and forward.way is None):
            way = Compressed(linear, found, is_transposed=True)
    if way is None:
        return None, "no inputs or outputs share a pass"
    shared = "outputs" if way.is_transposed else "inputs"
    colors = _table.plural(way.compression.n_colors, "color", "colors")
    return way, f"{colors} of {shared}"
