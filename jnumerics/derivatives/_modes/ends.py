"""Forward and reverse mode: passes from one end of a tangent program to the other.

A strategy evaluates its passes and gives the Jacobian as a sum of terms, from which
`jacobian` makes dense blocks, a diagonal, or single entries. The other strategies have
modules of their own: `cut` and `compressed`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array

from jnumerics.derivatives._dependence.samples import SampleAxes
from jnumerics.derivatives._modes import passes as _passes
from jnumerics.derivatives._modes.terms import (
    Dense,
    Sizes,
    Term,
)
from jnumerics.derivatives._program.layout import Env, Layout, common_dtype
from jnumerics.derivatives._program.tangent import LinearPart, Program, part
from jnumerics.derivatives._program.trace import Target


@dataclass(frozen=True)
class Problem:
    """A tangent program with the layouts of its ends.

    Attributes:
        program: The program whose values the passes read.
        linear: What the passes run: from the inputs' tangents to those of the outputs;
            in reverse mode without a proof of linearity, from cotangents to cotangents.
        inputs: How the inputs' elements are counted.
        outputs: How the outputs' elements are counted.
    """

    program: Program
    linear: LinearPart
    inputs: list[Layout]
    outputs: list[Layout]

    @property
    def sizes(self) -> Sizes:
        """Rows and columns of the Jacobian."""
        ends = (*self.inputs, *self.outputs)
        return Sizes(
            samples=ends[0].samples if ends else 1,
            rows=[layout.count for layout in self.outputs],
            columns=[layout.count for layout in self.inputs],
        )


@runtime_checkable
class Strategy(Protocol):
    """How the Jacobian of a problem is evaluated."""

    @property
    def mode(self) -> str:
        """Its name."""
        ...

    @property
    def passes(self) -> int:
        """How many passes it takes."""
        ...

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Evaluate the passes, at most `chunk` of them at a time."""
        ...


@dataclass(frozen=True)
class Forward:
    """One pass for each component of the inputs."""

    passes: int
    mode: str = "forward"

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Push every direction of the inputs forward."""
        ends = problem.inputs, problem.outputs
        return [Dense(_passes.columns(problem.linear, env, *ends, chunk))]

    def own_entries(
        self, problem: Problem, env: Env, position: int
    ) -> Callable[[Any], list[Array]]:
        """Return a function that makes entry k of a leaf's diagonal."""
        linear, output = problem.linear, problem.outputs[position]
        push = linear.towards(linear.outputs[position]).forward(env)

        def apply(k: Any) -> list[Array]:
            (result,) = push(*_passes.basis_vector(problem.inputs, position, k))
            return [output.flat(result)[:, k]]

        return apply


@dataclass(frozen=True)
class Reverse:
    """One pass for each component of the outputs."""

    passes: int
    mode: str = "reverse"

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Pull every direction of the outputs back."""
        ends = problem.inputs, problem.outputs
        return [Dense(_passes.rows(problem.linear, env, *ends, chunk))]

    def own_entries(
        self, problem: Problem, env: Env, position: int
    ) -> Callable[[Any], list[Array]]:
        """Return a function that makes entry k of a leaf's diagonal."""
        linear, start = problem.linear, problem.outputs[position]
        back = linear.towards(linear.outputs[position]).reverse(env)

        def apply(k: Any) -> list[Array]:
            result = back(start.one_hot(k))[position]
            return [problem.inputs[position].flat(result)[:, k]]

        return apply


@dataclass(frozen=True)
class OneByOne:
    """A pass for each component of one end, without relying on linearity.

    In each pass all other components are zero, as in `jax.jacfwd` and `jax.jacrev`.
    """

    mode: str
    passes: int

    def terms(self, problem: Problem, env: Env, chunk: int | None) -> list[Term]:
        """Push every direction of the inputs forward, or pull the outputs' back."""
        linear, inputs, outputs = problem.linear, problem.inputs, problem.outputs
        if self.mode == "reverse":
            return [Dense(_passes.one_by_one(linear, env, outputs, inputs, 1, chunk))]
        columns = _passes.one_by_one(linear, env, inputs, outputs, 2, chunk)
        return [Dense([list(row) for row in zip(*columns, strict=True)])]

    def own_entries(
        self, problem: Problem, env: Env, position: int
    ) -> Callable[[Any], list[Array]]:
        """Return a function that makes entry k of a leaf's diagonal."""
        starts, ends = problem.inputs, problem.outputs
        if self.mode == "reverse":
            starts, ends = ends, starts
        push = problem.linear.forward(env)

        def apply(k: Any) -> list[Array]:
            results = push(*_passes.basis_vector(starts, position, k))
            return [ends[position].flat(results[position])[:, k]]

        return apply


FromEnd = Forward | Reverse | OneByOne


def zeros(problem: Problem, kind: str) -> list[Any]:
    """Return the answer for a derivative that is zero everywhere."""
    pairs = [
        [(o, i, common_dtype(o.dtype, i.dtype)) for i in problem.inputs]
        for o in problem.outputs
    ]
    if kind == "diagonal":
        own = [row[k] for k, row in enumerate(pairs)]
        return [jnp.zeros((o.samples, o.count), dtype) for o, _, dtype in own]
    return [[o.zero_block(i) for o, i, _ in row] for row in pairs]


def size(problem: Problem) -> int:
    """Number of entries of the Jacobian."""
    return math.prod(problem.sizes.shape)


def make_problem(
    target: Target, axes: SampleAxes | None = None, kind: str = "jacobian"
) -> Problem:
    """Lay out a target's inputs, and those of its outputs that depend on any.

    For a diagonal, an input whose output depends on nothing is left out.
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
        inputs=[Layout.from_var(*pair) for pair in inputs],
        outputs=[Layout.from_var(*pair) for pair in present],
    )
