"""The plan: which way to a Jacobian is predicted to be the cheapest, and why.

Every candidate is counted on the program that would run. Nearly equal ends go to
reverse mode, whose rows are contiguous; a cut or a compression is taken only where it is
predicted well below the better end. The choice needs shapes alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics import _check, _table
from jnumerics.derivatives import _cost, _target, _ways
from jnumerics.derivatives._coloring import compress, transposed
from jnumerics.derivatives._cost import Cost
from jnumerics.derivatives._cut import (
    batch_capacity,
    forwardable,
    narrowest,
    transposable,
)
from jnumerics.derivatives._dependence import propagate
from jnumerics.derivatives._passes import Env, Layout
from jnumerics.derivatives._residual import Split, split_residual
from jnumerics.derivatives._samples import (
    SampleAxes,
    batch_seeds,
    require_independent,
    sample_axes,
)
from jnumerics.derivatives._tangent import part
from jnumerics.derivatives._target import ArgNums, Target, require_square
from jnumerics.derivatives._ways import (
    Compressed,
    Forward,
    Problem,
    Reverse,
    Through,
    Way,
)

MODES = ("forward", "reverse", "cut", "compressed")
NEARLY_EQUAL = 0.9  # forward must be below this share of reverse to be preferred
TICK = 1e-9  # seconds; less is nothing
FEW = 4  # colors of inputs that make a search for colors of outputs pointless
WORTH_IT = 0.9  # and a cut or a compression below this share of the better end


@dataclass(frozen=True)
class Candidate:
    """One mode, counted.

    Attributes:
        mode: Its name.
        way: How it runs; None where the function cannot be differentiated that way.
        cost: Operations, bytes and predicted seconds.
        note: Where it cuts, how many colors it needs, or why it is not served.
        same_as: The mode whose program it comes down to, or None.
    """

    mode: str
    way: Way | None
    cost: Cost
    note: str = ""
    same_as: str | None = None

    @property
    def passes(self) -> int | None:
        """Number of passes."""
        return None if self.way is None else self.way.passes


@dataclass(frozen=True)
class Plan:
    """The candidates for a derivative, and the choice among them.

    Attributes:
        target: "jacobian", "batch" or "diagonal".
        samples: Number of samples; 1 unless `target` is "batch".
        n_outputs: Components of (one sample of) the result.
        n_inputs: Components of (one sample of) the differentiated arguments.
        candidates: Each mode with its cost.
        mode: The chosen one.
        reason: Why.
        chunk: Passes at a time, where memory is bounded; else None.
    """

    target: str
    samples: int
    n_outputs: int
    n_inputs: int
    candidates: tuple[Candidate, ...]
    mode: str
    reason: str
    chunk: int | None = None

    @property
    def choice(self) -> Candidate:
        """The chosen candidate."""
        return next(c for c in self.candidates if c.mode == self.mode)

    @property
    def passes(self) -> int:
        """Passes of the choice."""
        return self.choice.passes or 0

    def __str__(self) -> str:
        """Return the candidates as a table, and the reason for the choice."""
        each = f" for each of {self.samples} samples" if self.target == "batch" else ""
        title = (
            f"{self.target}: {self.n_outputs} outputs by {self.n_inputs} inputs{each}"
        )
        table = _table.text(*self._table())
        return f"{title}\n\n{table}\n\n{self.mode}: {self.reason}"

    def _repr_html_(self) -> str:
        return _table.html(*self._table()) + f"<p>{self.mode}: {self.reason}</p>"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        header = ["mode", "passes", "operations", "bytes", "predicted", "note"]
        return header, [self._row(c) for c in self.candidates]

    def _row(self, c: Candidate) -> list[str]:
        name = f"{c.mode} *" if c.mode == self.mode else c.mode
        if c.way is None:
            return [name, "-", "-", "-", "-", c.note]
        figures = [
            str(c.passes),
            _table.count(c.cost.operations),
            _table.memory(c.cost.bytes),
            _table.seconds(c.cost.seconds),
        ]
        return [name, *figures, c.note]


def plan(
    fun: Callable, *args: Any, argnums: ArgNums = 0, target: str = "jacobian"
) -> Plan:
    """Plan the cheapest way to a derivative, without evaluating it.

    The tangent program of `fun` is traced from the arguments' shapes; each mode is
    counted on the program that would run. Cost: tracing, and analysis of some
    milliseconds for each equation family.

    Args:
        fun: A traceable function of arrays or pytrees.
        *args: Its arguments; only shapes and dtypes are read.
        argnums: Which of them to differentiate with respect to.
        target: "jacobian", "batch" (blocks for each sample along axis 0) or "diagonal".

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
    """
    _check.function("fun", fun)
    _check.option("target", target, ("jacobian", "batch", "diagonal"))
    traced = _target.make(fun, args, argnums=argnums)
    if target == "diagonal":
        require_square(traced)
    if target != "batch":
        return build(traced, target)
    axes = sample_axes(traced, 0, 0)
    require_independent(traced, axes)
    return build(traced, target, axes=axes)


def build(
    target: Target,
    kind: str = "jacobian",
    *,
    mode: str = "auto",
    axes: SampleAxes | None = None,
    max_bytes: int | None = None,
    is_proven: bool = True,
) -> Plan:
    """Count the candidates for a traced function, and choose.

    Args:
        target: The function.
        kind: "jacobian", "sparse" for its entries, "batch" or "diagonal".
        mode: "auto", or the mode to take.
        axes: The axis of samples of each input and output leaf, for "batch".
        max_bytes: Bound of the temporary memory.
        is_proven: Whether samples are proven not to mix; a cut needs the proof.
    """
    problem = make_problem(target, axes, kind)
    if _ways.size(problem) == 0:
        return _empty(problem, kind)
    sizes = problem.sizes
    candidates = _candidates(target, problem, kind, mode, axes, is_proven)
    chosen, reason = _choose(candidates, mode)
    found = Plan(
        target=kind,
        samples=sizes.samples,
        n_outputs=sizes.shape[1],
        n_inputs=sizes.shape[2],
        candidates=tuple(candidates),
        mode=chosen.mode,
        reason=reason,
    )
    if max_bytes is None:
        return found
    return replace(found, chunk=_chunk(target, problem, found, max_bytes))


def _empty(problem: Problem, kind: str) -> Plan:
    """Plan for a function whose derivative has no entries, or only zeros."""
    samples, m, n = problem.sizes.shape
    end = Candidate("reverse", Reverse(0), Cost())
    reason = "nothing depends on the inputs"
    return Plan(kind, samples, m, n, (end,), "reverse", reason)


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


def run(found: Plan, problem: Problem, env: Env) -> list[Any]:
    """Run the choice of a plan: blocks, or diagonals, for each output that has any."""
    if _ways.size(problem) == 0:
        return _ways.zeros(problem, found.target)
    way = found.choice.way
    return finish(way, problem, found.target, env, found.chunk)


def run_scattered(
    found: Plan, problem: Problem, env: Env
) -> tuple[np.ndarray, np.ndarray, Array]:
    """Run the choice of a plan to rows, columns and values of single entries."""
    if _ways.size(problem) == 0:
        none = np.zeros(0, int)
        return none, none, jnp.zeros(0)
    terms = found.choice.way.terms(problem, env, found.chunk)
    values = _ways.entries(terms, problem.sizes)
    return *_ways.indices(terms, problem.sizes), values


def _candidates(
    target: Target,
    problem: Problem,
    kind: str,
    mode: str,
    axes: SampleAxes | None,
    is_proven: bool,
) -> list[Candidate]:
    """Count both ends, and the cut and the compression where they are asked for."""
    _, m, n = problem.sizes.shape
    reverse = _counted(problem, kind, Reverse(m), _obstacle(problem, transposable))
    forward = _counted(problem, kind, Forward(n), _obstacle(problem, forwardable))
    found = [reverse, forward]
    end = _better(reverse, forward)
    if mode in ("auto", "cut"):
        way, note = (None, "samples are not proven independent")
        if is_proven:
            way, note = _cut(target, problem, axes)
        found.append(_or_end(problem, kind, "cut", way, end, note))
    if mode in ("auto", "compressed"):
        way, note = (None, "samples share passes already")
        if axes is None:
            way, note = _compress(target, problem)
        found.append(_or_end(problem, kind, "compressed", way, end, note))
    return found


def _counted(problem: Problem, kind: str, way: Way, note: str) -> Candidate:
    """Count the program that a way would run; a note says that it cannot."""
    if note:
        return Candidate(way.mode, None, Cost(), note)
    try:
        jaxpr = _passes_jaxpr(problem, kind, way, None)
    except (NotImplementedError, TypeError, ValueError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        return Candidate(way.mode, None, Cost(), f"JAX refuses: {reason}")
    return Candidate(way.mode, way, _cost.count(jaxpr))


def _passes_jaxpr(problem: Problem, kind: str, way: Way, chunk: int | None) -> Any:
    env = {v: v.aval for v in _read(problem, way)}

    def run(values: list[Any]) -> list[Any]:
        return finish(way, problem, kind, dict(zip(env, values, strict=True)), chunk)

    return jax.make_jaxpr(run)(list(env.values()))


def _read(problem: Problem, way: Way) -> list[Any]:
    """Return all residuals that a way may read."""
    parts = [problem.linear]
    if isinstance(way, Compressed):
        parts.append(way.linear)
    if isinstance(way, Through) and way.cut is not None:
        parts += [way.cut.before, way.cut.after]
    return list(dict.fromkeys(v for p in parts for v in p.residuals))


def _obstacle(problem: Problem, passes: Callable[[Any], bool]) -> str:
    """Name the first equation that a mode cannot run through."""
    for equation in problem.linear.equations:
        if not passes(equation):
            return f"not through {equation.name} at {equation.line}"
    return ""


def _better(reverse: Candidate, forward: Candidate) -> Candidate:
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
    return replace(_counted(problem, kind, way, ""), note=note)


def _cut(
    target: Target, problem: Problem, axes: SampleAxes | None
) -> tuple[Through | None, str]:
    """Find the narrowest cut, with residual connections split off where that helps."""
    starts, ends = problem.linear.inputs, problem.linear.outputs
    program = replace(target.program, tangents=starts, outputs=ends)
    in_axes = None if axes is None else [i.axis or 0 for i in problem.inputs]
    split = split_residual(program, target.known, in_axes)
    found = [_cut_of(target, problem, axes, None)]
    if split is not None:
        found.append(_cut_of(target, problem, axes, split))
    _, m, n = problem.sizes.shape
    ways = [way for way, _ in found if way is not None and way.width < min(m, n)]
    if not ways:
        reasons = [note for way, note in found if way is None]
        return None, reasons[0] if reasons else "nothing is narrower than the ends"
    best = min(ways, key=lambda way: way.passes)
    return best, _describe(best)


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
        boxes = propagate(equations, batch_seeds(target, axes), target.known)
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


def _compress(target: Target, problem: Problem) -> tuple[Way | None, str]:
    """Find a coloring of the inputs, or of the outputs where that takes fewer passes."""
    _, m, n = problem.sizes.shape
    most = min(m, n)
    if most < 2:
        return None, "one pass is enough"
    best = compress(problem.linear, target.known, most=most)
    way = None if best is None else Compressed(problem.linear, best)
    if way is None or way.passes > FEW:
        linear = transposed(problem.linear)
        most = most if way is None else way.passes
        rows = compress(linear, target.known, most=most)
        way = way if rows is None else Compressed(linear, rows, is_transposed=True)
    if way is None:
        return None, "no inputs or outputs share a pass"
    shared = "outputs" if way.is_transposed else "inputs"
    return way, f"{way.compression.n_colors} colors of {shared}"


def _choose(candidates: Sequence[Candidate], mode: str) -> tuple[Candidate, str]:
    """Choose the mode asked for, or the cheapest."""
    if mode != "auto":
        chosen = next(c for c in candidates if c.mode == mode)
        if chosen.way is None:
            msg = f"`mode` must be one that serves `fun`, got {mode!r}: {chosen.note}"
            raise ValueError(msg)
        return chosen, "asked for"
    reverse, forward, *others = candidates
    end = _better(reverse, forward)
    if end.way is None:
        msg = f"`fun` must be differentiable by JAX, got {end.note}"
        raise ValueError(msg)
    served = [c for c in others if c.way is not None and c.same_as is None]
    cheapest = min(served, key=lambda c: c.cost.seconds, default=end)
    if cheapest.cost.seconds < WORTH_IT * end.cost.seconds:
        ratio = end.cost.seconds / max(cheapest.cost.seconds, TICK)
        reason = f"predicted {ratio:.1f} times faster than {end.mode}; {cheapest.note}"
        return cheapest, reason
    other = forward if end is reverse else reverse
    if other.way is None:
        return end, f"{other.mode} is not served: {other.note}"
    ratio = other.cost.seconds / max(end.cost.seconds, TICK)
    return (
        end,
        f"{end.passes} passes, predicted {ratio:.1f} times faster than {other.mode}",
    )


def _chunk(target: Target, problem: Problem, found: Plan, max_bytes: int) -> int | None:
    """Return how many passes at a time keep temporary memory below the bound."""
    way = found.choice.way
    if way is None or found.passes < 2:
        return None

    def peak(chunk: int) -> int:
        jaxpr = _passes_jaxpr(problem, found.target, way, chunk)
        answer = sum(_cost.size_bytes(v.aval) for v in jaxpr.jaxpr.outvars)
        return _cost.peak_bytes(jaxpr) - answer

    held = sum(
        _cost.size_bytes(v.aval)
        for v in _read(problem, way)
        if v not in target.program.consts and v not in target.program.inputs
    )
    one, two = peak(1), peak(2)
    if held + one > max_bytes:
        msg = (
            f"`max_bytes` must be at least {held + one} for one {found.mode} pass, "
            f"got {max_bytes}"
        )
        raise ValueError(msg)
    return min(1 + (max_bytes - held - one) // max(two - one, 1), found.passes)
