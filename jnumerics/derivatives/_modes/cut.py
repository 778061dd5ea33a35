"""The cut mode: J = J_after J_before, from passes that start at a narrow place.

A cut is a set of variables that every path from the inputs to the outputs crosses. If
it has d elements, d reverse passes from it to the inputs give the rows of J_before, and
d forward passes from it to the outputs give the columns of J_after, each through a part
of the program only. `find` looks for the narrowest cut (`flow`), and splits skip
connections off (`skip`) where that makes it narrower.

Reference:
    Griewank & Walther (2008), Evaluating Derivatives, chapter 10 (Jacobian
    accumulation).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives._dependence.constants.fold import constants_of
from jnumerics.derivatives._dependence.propagate import propagate
from jnumerics.derivatives._dependence.samples import SampleAxes, batch_seeds
from jnumerics.derivatives._modes import passes as _passes
from jnumerics.derivatives._modes.ends import Problem
from jnumerics.derivatives._modes.flow import Cut, batch_capacity, narrowest
from jnumerics.derivatives._modes.skip import Split, split_skips
from jnumerics.derivatives._modes.terms import (
    Product,
    Pure,
    Term,
    concatenate,
)
from jnumerics.derivatives._program.jaxpr import Var
from jnumerics.derivatives._program.layout import Env, Layout
from jnumerics.derivatives._program.linearity.directions import communicates
from jnumerics.derivatives._program.tangent import part
from jnumerics.derivatives._program.trace import Target


@dataclass(frozen=True)
class Through:
    """Reverse passes from a cut to the inputs, forward passes from it to the outputs.

    Where skip connections were split off, `split` holds the outputs' pure parts: their
    Jacobian has at most one entry in a row, so one pass with ones gives all of it.

    Attributes:
        cut: The cut, or None where all outputs are pure.
        axes: Each cut variable's axis of samples, and its elements of one sample along
            that axis; None for a single sample.
        split: The split program, if there is one.
    """

    cut: Cut | None
    axes: Sequence[tuple[int, int] | None] = ()
    split: Split | None = None
    mode: str = "cut"

    @property
    def width(self) -> int:
        """Number of directions that cross the cut."""
        return 0 if self.cut is None else self.cut.width

    @property
    def passes(self) -> int:
        """Passes of both parts, and one for the pure outputs."""
        return 2 * self.width + (self.split is not None)

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Evaluate the pure outputs, and both factors of the cut."""
        terms: list[Term] = []
        if self.split is not None:
            terms.append(_pure(self.split, problem, env))
        if self.cut is not None:
            ends = self.split.mixed if self.split else problem.linear.outputs
            terms.append(self._product(self.cut, ends, problem, env, chunk))
        return terms

    def _product(
        self,
        cut: Cut,
        ends: Sequence[Var | None],
        problem: Problem,
        env: Env,
        chunk: int | None,
    ) -> Product:
        pairs = zip(cut.variables, self.axes, strict=True)
        middle = [Layout.from_var(v, *(axis or ())) for v, axis in pairs]
        before = _passes.rows(cut.before, env, problem.inputs, middle, chunk)
        reached = set(cut.after.outputs)
        live = {k: v for k, v in enumerate(ends) if v is not None and v in reached}
        after = part(cut.after.equations, cut.variables, list(live.values()))
        outputs = [problem.outputs[k] for k in live]
        blocks = _passes.columns(after, env, middle, outputs, chunk)
        rows = dict(zip(live, (concatenate(row, 2) for row in blocks), strict=True))
        width = sum(layout.count for layout in middle)
        full = [
            rows.get(k, jnp.zeros((o.samples, o.count, width), o.dtype))
            for k, o in enumerate(problem.outputs)
        ]
        below = concatenate([concatenate(row, 2) for row in before], 1)
        return Product(concatenate(full, 1), below)


def _pure(split: Split, problem: Problem, env: Env) -> Pure:
    present = [v for v in split.pure if v is not None]
    push = part(split.equations, problem.linear.inputs, present).forward(env)
    results = iter(push(*(i.ones() for i in problem.inputs)))
    values, columns = [], []
    for v, where, o in zip(split.pure, split.columns, problem.outputs, strict=True):
        none = v is None or where is None
        values.append(o.flat(o.zeros() if none else next(results)))
        columns.append(o.flat(np.full(o.shape, -1) if none else where))
    return Pure(concatenate(values, 1), np.concatenate(columns, 1))


def find(
    target: Target, problem: Problem, axes: SampleAxes | None
) -> tuple[Through | None, str]:
    """Find the narrowest cut, with skip connections split off where that helps."""
    _, m, n = problem.sizes.shape
    if min(m, n) < 2:
        return None, "one pass is enough"
    talks = next(filter(communicates, problem.linear.equations), None)
    if talks is not None:
        return None, f"{talks.name} at {talks.line} lets devices communicate"
    starts, ends = problem.linear.inputs, problem.linear.outputs
    program = replace(target.program, tangents=starts, outputs=ends)
    in_axes = None if axes is None else [i.axis or 0 for i in problem.inputs]
    split = split_skips(program, constants_of(target.program), in_axes)
    attempts = [_cut_of(target, problem, axes, None)]
    if split is not None:
        attempts.append(_cut_of(target, problem, axes, split))
    strategies = [
        strategy
        for strategy, _ in attempts
        if strategy is not None and _ends(strategy) < min(m, n)
    ]
    if not strategies:
        reasons = [note for strategy, note in attempts if strategy is None]
        return None, reasons[0] if reasons else "nothing is narrower than the ends"
    best = min(strategies, key=lambda strategy: strategy.passes)
    return best, _describe(best)


def _ends(strategy: Through) -> int:
    """Return about how many passes through the whole program would take as long."""
    return strategy.width + (strategy.split is not None)


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
            constants_of(target.program),
        )
        capacity, where = batch_capacity(boxes, axes.samples)
    below = min(problem.sizes.shape[1:])
    cut = narrowest(equations, starts, mixed, capacity=capacity, below=below)
    if isinstance(cut, str):
        return None, cut
    return Through(cut, [where.get(v) for v in cut.variables], split), ""


def _describe(strategy: Through) -> str:
    parts = []
    if strategy.cut is not None:
        parts.append(
            f"{strategy.width} wide at {strategy.cut.operation}, {strategy.cut.line}"
        )
    if strategy.split is not None:
        parts.append("skip connections apart")
    return "; ".join(parts)
