"""What the library would run, not compiled: the only module that knows it inside.

`trace` traces, `choose` counts every candidate on the program that it would run. That
program is kept here, as traced, for the interpreter: dense and sparse from one.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jnumerics.derivatives import _batch, _jacobian
from jnumerics.derivatives._dependence import boxes as _boxes
from jnumerics.derivatives._dependence import samples
from jnumerics.derivatives._dependence.blocks import BlockBoxes
from jnumerics.derivatives._dependence.samples import SampleMixingError
from jnumerics.derivatives._modes import sparse as _sparse
from jnumerics.derivatives._modes.jacobian import diagonals
from jnumerics.derivatives._plan import candidates
from jnumerics.derivatives._plan import plan as _plan
from jnumerics.derivatives._plan.result import Plan
from jnumerics.derivatives._program import trace
from jnumerics.derivatives._program.linearity.symmetry import asymmetry_of
from tests.fuzz.compare import REFUSALS
from tests.fuzz.interpret import Interpreter
from tests.fuzz.interpret.core import as_numpy
from tests.fuzz.programs.values import Scrambled, Values

# What the public functions do with a plan, once they are traced.
_dense, _sparse_blocks = vars(_jacobian)["_dense"], vars(_jacobian)["_sparse"]
_batch_blocks = vars(_batch)["_blocks"]
__all__ = ["Run", "SampleMixingError", "Traced", "recorded_rules"]


@dataclass(frozen=True)
class Run:
    """A derivative's passes.

    Attributes:
        kind: "jacobian", "batch" or "diagonal".
        mode: The candidate's mode.
        interpreter: From the residuals to `blocks`, then to `values` of entries.
        patterns: Rows and columns of the entries, for each pair of leaves, or None.
        shapes: The shape of each block.
    """

    kind: str
    mode: str
    program: Any
    interpreter: Interpreter
    patterns: list[tuple[np.ndarray, tuple[int, ...]]]
    n_blocks: int

    def __call__(self, values: Values | Scrambled) -> tuple[list[Any], list[Any]]:
        """Evaluate blocks, and sparse entries written out."""
        outputs = self.interpreter(*values.residuals(self.program))
        blocks, entries = outputs[: self.n_blocks], outputs[self.n_blocks :]
        pairs = zip(entries, self.patterns, strict=True)
        return blocks, [_written_out(v, *pattern) for v, pattern in pairs]


def _written_out(values: Any, indices: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Add entries up in a dense array; what is beyond the shape is padding."""
    dense = np.zeros(shape, values.dtype)
    if not shape:
        return dense + values.sum()
    inside = (indices < shape).all(1)
    np.add.at(dense, tuple(indices[inside].T), values.reshape(-1)[inside])
    return dense


class Traced:
    """A function's derivative, traced once.

    Args:
        fun: The function.
        args: Its arguments; the first is differentiated.
        scalar: For a Hessian, the function whose gradient `fun` is.

    Raises:
        TypeError: As the library's functions, as ValueError.
    """

    def __init__(self, fun: Callable, args: Sequence[Any], scalar: Any = None) -> None:
        self.fun = fun
        self.target = trace.trace(fun, args)
        self._asymmetry = scalar and asymmetry_of(scalar, args, {})
        self._primal: dict[int, Interpreter] = {}

    def at(self, leaves: Sequence[Any]) -> "Values":
        """Return what passes may read at a point."""
        return Values(self, leaves)

    @property
    def is_proven(self) -> bool:
        """Whether the derivative's program is proven linear."""
        return self.target.ends is None

    @property
    def is_symmetric(self) -> bool:
        """Whether it is a Hessian that is proven symmetric."""
        return bool(self._asymmetry) and self.is_proven and not self._asymmetry()

    def variables(self, program: Any) -> list[Any]:
        """Return what the passes of a program may read."""
        return [*program.consts, *program.inputs, *program.residuals]

    def evaluated(self, program: Any, leaves: Sequence[Any]) -> list[Any]:
        """Evaluate a primal program."""
        if id(program) not in self._primal:
            self._primal[id(program)] = Interpreter(program.primal_jaxpr())
        consts = [as_numpy(x, v.aval) for v, x in program.consts.items()]
        operands = [*consts, *leaves]
        results = self._primal[id(program)](*operands)
        return [*operands, *results[len(program.values) :]]

    def boxes(self) -> list[tuple[int, int, Any, Any, Any]]:
        """Return output leaf, input leaf, lower, upper and depends of every block."""
        blocks = BlockBoxes(self.target)
        pairs = [(k, leaf) for k, leaf, _ in blocks]
        return [(k, leaf, *blocks.bounds(k, leaf)) for k, leaf in pairs]

    def independent_along(self, axis: int) -> bool:
        """Return what `Dependence.independent_along` says."""
        return BlockBoxes(self.target).stray_along(axis) is None

    def jacobians(self, chunk: int | None = None) -> tuple[str, dict[str, Run | str]]:
        """Return the choice, and each mode's passes, or why it is not served.

        Args:
            chunk: How many passes run at a time.
        """

        def made(plan: Any, env: dict) -> tuple[list[Any], list[Any]]:
            target = self.target
            dense, sparse = (f(target, plan, env) for f in (_dense, _sparse_blocks))
            is_block = lambda b: isinstance(b, _sparse.SparseBlock)
            return jax.tree.leaves(dense), jax.tree.leaves(sparse, is_leaf=is_block)

        return self._planned("jacobian", made, chunk=chunk)

    def batch(self, in_axis: int, out_axis: int) -> dict[str, Run | str]:
        """Return the passes of per-sample blocks, once samples are proven independent.

        Raises:
            SampleMixingError: If they are not.
        """
        target = self.target
        axes = samples.sample_axes(target, in_axis, out_axis)

        def made(plan: Any, env: dict) -> tuple[list[Any], list[Any]]:
            return jax.tree.leaves(_batch_blocks(target, axes, plan, env)), []

        mode, runs = self._planned("batch", made, axes=axes)
        return runs if self.is_proven else {mode: runs[mode]}

    def diagonal(self) -> tuple[str, dict[str, Run | str]]:
        """Return the choice, and each mode's passes to the diagonal."""

        def made(plan: Any, env: dict) -> tuple[list[Any], list[Any]]:
            return diagonals(self.target, plan.run(env)), []

        return self._planned("diagonal", made)

    def _planned(
        self,
        kind: str,
        made: Callable[..., Any],
        *,
        chunk: int | None = None,
        axes: Any = None,
    ) -> tuple[str, dict[str, Run | str]]:
        """Plan; keep each candidate's whole program where its passes are counted."""
        by_strategy: dict[int, Run] = {}

        def counted(problem: Any, _: str, strategy: Any, __: Any) -> Any:
            is_whole = chunk is None or strategy.passes < 2
            some = None if is_whole else min(chunk, strategy.passes)
            memory = strategy if kind == "diagonal" else _Remembered(strategy)
            plan = _Chosen(kind, strategy.mode, memory, some, problem)
            jaxpr, by_strategy[id(strategy)] = self._run(plan, made)
            return jaxpr

        with _instead(candidates, "passes_jaxpr", counted):
            asymmetry = self._asymmetry if kind == "jacobian" else None
            plan = _plan.choose(
                self.target, kind, axes=axes, asymmetry=asymmetry, traces="all"
            )
        runs: dict[str, Run | str] = {}
        for c in plan.candidates:
            if c.strategy is None:
                runs[c.mode] = c.note
            elif c.same_as is None:
                runs[c.mode] = (
                    by_strategy[id(c.strategy)]
                    if id(c.strategy) in by_strategy
                    else self._run(plan, made)[1]
                )
        return plan.mode, runs

    def is_square(self) -> bool:
        """Whether the function has a diagonal."""
        try:
            trace.require_square(self.target)
        except REFUSALS:
            return False
        return True

    def _run(self, plan: Any, made: Callable[..., Any]) -> tuple[Any, Run]:
        """Trace passes, from the environment to blocks and entries."""
        patterns, n_blocks, program = [], 0, plan.problem.program
        variables = self.variables(program)
        zeros = {v: np.zeros(v.aval.shape, v.aval.dtype) for v in program.tangents}

        def traced(values: list[Any]) -> tuple[list[Any], list[Any]]:
            nonlocal n_blocks
            env = dict(zip(variables, values, strict=True)) | zeros
            blocks, sparse = made(plan, env)
            n_blocks = len(blocks)
            patterns.extend((b.pattern.indices, b.pattern.shape) for b in sparse)
            return blocks, [b.values for b in sparse]

        jaxpr = jax.make_jaxpr(traced)([v.aval for v in variables])
        passes = Interpreter(jaxpr)
        return jaxpr, Run(plan.target, plan.mode, program, passes, patterns, n_blocks)


class _Chosen(NamedTuple):
    """What the library reads of a plan to run it."""

    target: str
    mode: str
    strategy: Any
    chunk: int | None
    problem: Any
    passed: Any = None  # they are traced here, and counted by nobody

    run = Plan.run
    run_entries = Plan.run_entries


class _Remembered:
    """A way whose terms are evaluated once, for dense and sparse alike."""

    def __init__(self, strategy: Any) -> None:
        self._way, self._terms = strategy, None
        self.mode, self.passes = strategy.mode, strategy.passes

    def terms(self, problem: Any, env: Any, chunk: int | None) -> Any:
        self._terms = self._terms or self._way.terms(problem, env, chunk)
        return self._terms


@contextlib.contextmanager
def _instead(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def recorded_rules(record: Callable[[Any, bool], None]) -> Iterator[None]:
    """Tell of every equation that boxes pass, and whether a rule served it."""
    apply_rule = _boxes.apply_rule

    def recorded(context: Any, eqn: Any, boxes: Any) -> Any:
        joined = apply_rule(context, eqn, boxes)
        record(eqn, joined is not None)
        return joined

    with _instead(_boxes, "apply_rule", recorded):
        yield
