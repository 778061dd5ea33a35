"""What the library would run, without compiling it: the only module that knows it inside.

`_target.make` traces, `_plan.build` counts every candidate on the program that it would
run. That program is kept here, as traced, for the interpreter: dense and sparse from the
same passes.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from jnumerics.derivatives import (
    _candidates,
    _diagonal,
    _jacobian,
    _plan,
    _samples,
    _sparse,
    _target,
)
from jnumerics.derivatives._dependence._blocks import Blocks
from jnumerics.derivatives._rules import _boxes
from jnumerics.derivatives._samples import SampleMixingError
from tests.fuzz.interpret import Interpreter
from tests.fuzz.interpret.core import as_numpy

REFUSALS = (TypeError, ValueError, NotImplementedError)
__all__ = ["REFUSALS", "SampleMixingError", "Traced", "recorded_rules"]


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
    interpreter: Interpreter
    patterns: list[tuple[np.ndarray, tuple[int, ...]]]
    n_blocks: int

    def __call__(self, env: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Evaluate blocks, and sparse entries written out."""
        found = self.interpreter(*env)
        blocks, values = found[: self.n_blocks], found[self.n_blocks :]
        pairs = zip(values, self.patterns, strict=True)
        return blocks, [_written_out(v, *pattern) for v, pattern in pairs]


def _written_out(values: Any, indices: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Add entries up in a dense array; what is beyond the shape is padding."""
    found = np.zeros(shape, values.dtype)
    if not shape:
        return found + values.sum()
    inside = (indices < shape).all(1)
    np.add.at(found, tuple(indices[inside].T), values.reshape(-1)[inside])
    return found


class Traced:
    """A function's derivative, traced once.

    Args:
        fun: The function.
        args: Its arguments; the first is differentiated.

    Raises:
        TypeError: As the library's functions, as ValueError.
    """

    def __init__(self, fun: Callable[..., Any], args: Sequence[Any]) -> None:
        self.fun = fun
        args, _ = _target.as_arrays(args, {})
        self.target = _target.make(fun, args)
        program = self.target.program
        self._known = list(program.consts)
        self._given = [as_numpy(x, v.aval) for v, x in program.consts.items()]
        self._primal = Interpreter(program.primal_jaxpr())
        self._env = [*self._known, *program.inputs, *program.residuals]

    def environment(self, leaves: Sequence[Any]) -> list[Any]:
        """Evaluate the primal program at a point: all that passes may read."""
        given = [*self._given, *leaves]
        found = self._primal(*given)
        return [*given, *found[len(self.target.program.values) :]]

    def boxes(self) -> list[tuple[int, int, Any, Any, Any]]:
        """Return output leaf, input leaf, lower, upper and depends of every block."""
        blocks = Blocks(self.target)
        pairs = [(k, leaf) for k, leaf, _ in blocks]
        return [(k, leaf, *blocks.bounds(k, leaf)) for k, leaf in pairs]

    def independent_along(self, axis: int) -> bool:
        """Return what `Dependence.independent_along` says."""
        return Blocks(self.target).stray_along(axis) is None

    def jacobians(self, chunk: int | None = None) -> tuple[str, dict[str, Run | str]]:
        """Return the choice, and each mode's passes, or why it is not served."""
        target, found = self.target, {}

        def run(plan: Any, env: dict) -> tuple[list[Any], list[Any]]:
            dense = [b for row in _jacobian._dense(target, plan, env) for b in row]
            sparse = [b for row in _sparse.blocks(target, plan, env) for b in row]
            return dense, sparse

        plan = _plan.build(target, "jacobian")
        for c in plan.candidates:
            if c.way is None:
                found[c.mode] = c.note
            elif c.same_as is None:
                chosen = replace(plan, mode=c.mode, chunk=_chunk(c, chunk))
                found[c.mode] = self._run(_remembered(chosen), run)
        return plan.mode, found

    def batch(self, in_axis: int, out_axis: int) -> dict[str, Run | str]:
        """Return the passes of per-sample blocks, once samples are proven independent.

        Raises:
            SampleMixingError: If they are not.
        """
        target = self.target
        axes = _samples.sample_axes(target, in_axis, out_axis)
        _samples.require_independent(target, axes)
        from jnumerics.derivatives import _batch

        plan, found = _plan.build(target, "batch", axes=axes), {}
        for c in plan.candidates:
            if c.way is None or c.same_as is not None:
                continue

            def run(_: Any, env: dict, mode: str = c.mode) -> tuple[list[Any], list[Any]]:
                chosen = replace(plan, mode=mode)
                with _instead(_plan, "build", lambda *_, **__: chosen), _instead(
                    type(target), "evaluate", lambda _: (None, None, env)
                ):
                    nested = _batch._blocks(target, axes, mode, None, is_proven=True)
                return jax.tree.leaves(nested), []

            found[c.mode] = self._run(plan, run, mode=c.mode)
        return found

    def diagonal(self) -> Run:
        """Return the passes of the diagonal, in the mode that is chosen."""
        target = self.target
        plan = _plan.build(target, "diagonal")

        def run(plan: Any, env: dict) -> tuple[list[Any], list[Any]]:
            with _instead(_plan, "build", lambda *_, **__: plan), _instead(
                type(target), "evaluate", lambda _: (None, None, env)
            ):
                return _diagonal._diagonals(target), []

        return self._run(plan, run)

    def is_square(self) -> bool:
        """Whether the function has a diagonal."""
        try:
            _target.require_square(self.target)
        except REFUSALS:
            return False
        return True

    def _run(self, plan: Any, run: Callable[..., Any], mode: str = "") -> Run:
        """Trace passes, from the environment to blocks and entries."""
        patterns, n_blocks = [], 0
        zeros = {v: np.zeros(v.aval.shape, v.aval.dtype) for v in self.target.program.tangents}  # fmt: skip

        def traced(values: list[Any]) -> tuple[list[Any], list[Any]]:
            nonlocal n_blocks
            env = dict(zip(self._env, values, strict=True)) | zeros
            blocks, sparse = run(plan, env)
            n_blocks = len(blocks)
            patterns.extend((b.pattern.indices, b.pattern.shape) for b in sparse)
            return blocks, [b.values for b in sparse]

        jaxpr = jax.make_jaxpr(traced)([v.aval for v in self._env])
        return Run(plan.target, mode or plan.mode, Interpreter(jaxpr), patterns, n_blocks)


def _chunk(candidate: Any, chunk: int | None) -> int | None:
    passes = candidate.passes or 0
    return None if chunk is None or passes < 2 else min(chunk, passes)


class _Remembered:
    """A way whose terms are evaluated once, for dense and sparse alike."""

    def __init__(self, way: Any) -> None:
        self._way, self._terms = way, None
        self.mode, self.passes = way.mode, way.passes

    def terms(self, problem: Any, env: Any, chunk: int | None) -> Any:
        if self._terms is None:
            self._terms = self._way.terms(problem, env, chunk)
        return self._terms


def _remembered(plan: Any) -> Any:
    candidates = tuple(
        replace(c, way=_Remembered(c.way)) if c.mode == plan.mode else c
        for c in plan.candidates
    )
    return replace(plan, candidates=candidates)


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
        found = apply_rule(context, eqn, boxes)
        record(eqn, found is not None)
        return found

    with _instead(_boxes, "apply_rule", recorded):
        yield


del _candidates
