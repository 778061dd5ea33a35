"""The plan: which way to a Jacobian is predicted to be the cheapest, and why.

Every candidate is counted on the program that would run. Nearly equal ends go to
reverse mode, whose rows are contiguous; a cut or a compression is taken only where it is
predicted well below the better end. The choice needs shapes alone.
"""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics import _check, _table
from jnumerics.derivatives._dependence import joined
from jnumerics.derivatives._dependence.constants.fold import known_values
from jnumerics.derivatives._dependence.samples import (
    SampleAxes,
    require_independent,
    sample_axes,
)
from jnumerics.derivatives._modes import ends as _ways
from jnumerics.derivatives._modes.ends import Problem, Reverse, Way
from jnumerics.derivatives._plan import unproven
from jnumerics.derivatives._plan.candidates import (
    Candidate,
    better,
    find_candidates,
    finish,
    make_problem,
    passes_jaxpr,
)
from jnumerics.derivatives._plan.cost import Cost, size_bytes
from jnumerics.derivatives._plan.memory import temporary_bytes
from jnumerics.derivatives._program import trace
from jnumerics.derivatives._program.arguments import ArgNums
from jnumerics.derivatives._program.layout import Env, Layout
from jnumerics.derivatives._program.trace import Target, require_square

MODES = ("forward", "reverse", "cut", "compressed")
TICK = 1e-9  # seconds; less is nothing
SPARE, FIXED = (
    1.5,
    1024,
)  # a compiler's memory over what is estimated: times, bytes more
WORTH_IT = 0.9  # of the better end: the most a cut or a compression may cost


@dataclass(frozen=True)
class Plan:
    """The candidates for a derivative, and the choice among them.

    `print` it. Pickled, it can be read and no longer run.

    Attributes:
        target: "jacobian", "batch" or "diagonal".
        samples: Number of samples; 1 unless `target` is "batch".
        n_outputs: Components of (one sample of) the result.
        n_inputs: Components of (one sample of) the differentiated arguments.
        candidates: Each mode with its cost.
        mode: The chosen one.
        reason: Why.
        chunk: Passes at a time, where memory is bounded; else None.
        joined: Operations that no rule of dependence serves, with the user's lines: their
            results were taken to depend on all that enters them.
    """

    target: str
    samples: int
    n_outputs: int
    n_inputs: int
    candidates: tuple[Candidate, ...]
    mode: str
    reason: str
    chunk: int | None = None
    joined: tuple[tuple[str, str], ...] = ()

    @property
    def choice(self) -> Candidate:
        """The chosen candidate."""
        return next(c for c in self.candidates if c.mode == self.mode)

    @property
    def way(self) -> Way:
        """How the choice runs."""
        way = self.choice.way
        if way is None:
            msg = f"the plan's mode {self.mode!r} is not served"
            raise ValueError(msg)
        return way

    @property
    def problem(self) -> Problem:
        """What the choice runs on."""
        problem = self.choice.problem
        if problem is None:
            msg = f"the plan's mode {self.mode!r} is not served"
            raise ValueError(msg)
        return problem

    @property
    def passes(self) -> int:
        """Passes of the choice."""
        return self.choice.passes or 0

    def __repr__(self) -> str:
        """Return the choice in one line."""
        passes = _table.plural(self.passes, "pass", "passes")
        return f"<Plan for {self._title()}; {self.mode}, {passes}>"

    def _title(self) -> str:
        samples = _table.plural(self.samples, "sample", "samples")
        each = f" for each of {samples}" if self.target == "batch" else ""
        outputs = _table.plural(self.n_outputs, "output", "outputs")
        inputs = _table.plural(self.n_inputs, "input", "inputs")
        return f"{self.target}: {outputs} by {inputs}{each}"

    def __str__(self) -> str:
        """Return the candidates as a table, and the reason for the choice."""
        table = _table.text(*self._table())
        lines = [f"{self.mode}: {self.reason}", *self._limits()]
        wrapped = (textwrap.fill(line, 100) for line in lines)
        return "\n\n".join([self._title(), table, *wrapped])

    def _limits(self) -> list[str]:
        """Say which operations were joined for want of a rule."""
        places = ", ".join(f"{name} at {line}" for name, line in self.joined)
        return [f"joined for want of a rule: {places}"] if places else []

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
    fun: Callable,
    *args: Any,
    argnums: ArgNums = 0,
    target: str = "jacobian",
    **kwargs: Any,
) -> Plan:
    """Plan the cheapest way to a derivative, without evaluating it.

    The tangent program of `fun` is traced from the arguments' shapes; each mode is
    counted on the program that would run. Cost: tracing, and an analysis of each equation.

    Args:
        fun: A traceable function of arrays or pytrees.
        *args: Its arguments; only shapes and dtypes are read, so that each leaf may be a
            `jax.ShapeDtypeStruct`.
        argnums: Which of them to differentiate with respect to.
        target: "jacobian", "batch" (blocks for each sample along axis 0) or "diagonal".
        **kwargs: Its named arguments; names of ours, `argnums` and `target`, are ours.

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
    traced = trace.make(fun, args, kwargs, argnums=argnums)
    if target == "diagonal":
        require_square(traced)
    if target != "batch":
        return build(traced, target)
    axes = sample_axes(traced, 0, 0)
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
        is_proven: Whether samples are to be proven not to mix; a cut needs the proof.
    """
    problem = make_problem(target, axes, kind)
    if _ways.size(problem) == 0:
        end = Candidate("reverse", Reverse(0), Cost(), problem=problem)
        reason = "nothing depends on the inputs"
        return Plan(kind, *_counts(target, axes), (end,), "reverse", reason)
    if target.ends is None:
        if axes is not None and is_proven:
            require_independent(target, axes, mode)
        candidates = find_candidates(target, problem, kind, mode, axes, is_proven)
        chosen, reason = _choose(candidates, mode)
    else:
        candidates, chosen, reason = unproven.choose(
            target, kind, mode, axes, is_batch_proven=is_proven
        )
    found = Plan(
        kind,
        *_counts(target, axes),
        candidates=tuple(candidates),
        mode=chosen.mode,
        reason=reason,
        joined=tuple(joined(known_values(target.program))),
    )
    if max_bytes is None:
        return found
    others = _others(found) if mode == "auto" and target.may_choose else []
    return _bounded([found, *others], max_bytes)


def _others(found: Plan) -> list[Plan]:
    """Return the same plan with each mode that was not chosen, the cheapest first."""
    served = [
        c
        for c in found.candidates
        if c.way is not None and c.same_as is None and c.mode != found.mode
    ]
    reason = f"{found.mode} takes more memory than `max_bytes`"
    return [
        replace(found, mode=c.mode, reason=reason)
        for c in sorted(served, key=lambda c: c.cost.seconds)
    ]


def _bounded(plans: Sequence[Plan], max_bytes: int) -> Plan:
    """Return the first plan whose passes keep below the bound, some at a time."""
    least = {}
    for found in plans:
        least[found.mode], chunk = _chunk(found, max_bytes)
        if least[found.mode] <= max_bytes:
            return replace(found, chunk=chunk)
    mode = min(least, key=lambda mode: least[mode])
    msg = (
        f"`max_bytes` must be at least {least[mode]} for one {mode} pass, "
        f"got {max_bytes}"
    )
    raise ValueError(msg)


def _counts(target: Target, axes: SampleAxes | None) -> tuple[int, int, int]:
    """Count samples, and the components of one sample of the result and the inputs."""
    samples = 1 if axes is None else axes.samples
    out_axes = [None] * target.n_outputs if axes is None else axes.outputs
    in_axes = [None] * len(target.in_avals) if axes is None else axes.inputs
    ends = (target.out_avals, out_axes), (target.in_avals, in_axes)
    m, n = (
        sum(
            Layout(tuple(a.shape), a.dtype, axis).count
            for a, axis in zip(avals, of, strict=True)
        )
        for avals, of in ends
    )
    return samples, m, n


def run(found: Plan, env: Env) -> list[Any]:
    """Run the choice of a plan: blocks, or diagonals, for each output that has any."""
    if _ways.size(found.problem) == 0:
        return _ways.zeros(found.problem, found.target)
    return finish(found.way, found.problem, found.target, env, found.chunk)


def run_scattered(found: Plan, env: Env) -> tuple[np.ndarray, np.ndarray, Array]:
    """Run the choice of a plan to rows, columns and values of single entries."""
    if _ways.size(found.problem) == 0:
        none = np.zeros(0, int)
        return none, none, jnp.zeros(0)
    terms = found.way.terms(found.problem, env, found.chunk)
    values = _ways.entries(terms, found.problem.sizes)
    return *_ways.indices(terms, found.problem.sizes), values


def _choose(candidates: Sequence[Candidate], mode: str) -> tuple[Candidate, str]:
    """Choose the mode asked for, or the cheapest."""
    if mode != "auto":
        chosen = next(c for c in candidates if c.mode == mode)
        if chosen.way is None:
            msg = f"`mode` must be one that serves `fun`, got {mode!r}: {chosen.note}"
            raise ValueError(msg)
        return chosen, "asked for"
    reverse, forward, *others = candidates
    end = better(reverse, forward)
    if end.way is None:
        reasons = f"reverse: {reverse.note}; forward: {forward.note}"
        msg = f"`fun` must be differentiable by JAX, got one that is not: {reasons}"
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
    passes = _table.plural(end.passes or 0, "pass", "passes")
    ratio = other.cost.seconds / max(end.cost.seconds, TICK)
    if ratio < 1.05:
        return end, f"{passes}, predicted as fast as {other.mode}"
    return end, f"{passes}, predicted {ratio:.1f} times faster than {other.mode}"


def _chunk(found: Plan, max_bytes: int) -> tuple[int, int | None]:
    """Return the bytes of one pass, and how many passes at a time keep to the bound."""
    way, problem = found.way, found.problem
    program = problem.program
    held = sum(
        size_bytes(v.aval)
        for v in problem.linear.residuals
        if v not in program.consts and v not in program.inputs
    )

    def needed(chunk: int) -> int:
        jaxpr = passes_jaxpr(problem, found.target, way, chunk)
        several = len(problem.inputs) * len(problem.outputs) > 1
        parted = found.target == "sparse" and several  # entries, before they are
        results = sum(size_bytes(v.aval) for v in jaxpr.jaxpr.outvars) if parted else 0
        return FIXED + int(SPARE * (held + temporary_bytes(jaxpr) + results))

    values = FIXED + int(SPARE * (held + temporary_bytes(program.primal_jaxpr())))
    one = needed(1)
    least = max(one, values)
    if least > max_bytes or found.passes < 2:
        return least, None
    slope = max(needed(2) - one, 1)
    return least, min(1 + (max_bytes - one) // slope, found.passes)
