"""The checks of a first derivative: boxes, Jacobians, diagonal, samples."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from tests.fuzz.compare import (
    diagonals,
    differs,
    matrix,
    mixes,
    outside,
    own_blocks,
    tolerance_of,
)
from tests.fuzz.families.custom import NONLINEAR
from tests.fuzz.programs.program import Program
from tests.fuzz.programs.values import Scrambled
from tests.fuzz.truth import Blocks, Truth
from tests.fuzz.ways import Run, SampleMixingError, Traced

POINTS = 3


class Failure(NamedTuple):
    """A wrong answer.

    Attributes:
        check: What is wrong: "dependence", or a derivative with its mode and format.
        detail: How it differs.
    """

    check: str
    detail: str


@dataclass
class Outcome:
    """What the checks of a program found.

    Attributes:
        wrong: Wrong answers.
        refused: Why the library refused what JAX serves, or "".
        both_refuse: Whether JAX and the library refuse it.
        is_undefined: Whether the Jacobian was not finite at any point.
        independent: Whether samples were tried, and are independent at all points.
        needless: Whether independent samples were refused.
        choice: The mode that was chosen.
    """

    wrong: list[Failure] = field(default_factory=list)
    refused: str = ""
    both_refuse: bool = False
    is_undefined: bool = False
    independent: bool = False
    needless: bool = False
    choice: str = ""


class Expected:
    """The true Jacobian at a point, by each mode that JAX has.

    Args:
        truth: Where it is from.
        args: The point.
    """

    def __init__(self, truth: Truth, args: Any) -> None:
        self._truth, self._args = truth, args
        self.forward = truth.forward(args)

    @functools.cached_property
    def reverse(self) -> Blocks | None:
        """By reverse mode; evaluated where it is asked for."""
        return self._truth.reverse(self._args)

    def all(self) -> Iterator[Blocks]:
        """Yield what is true."""
        if self.forward is not None:
            yield self.forward
        if self.reverse is not None:
            yield self.reverse

    def is_finite(self, *, both: bool) -> bool:
        """Whether it may be compared with; `both`: in both modes."""
        known = self.all() if both or self.forward is None else iter([self.forward])
        return all(map(is_finite, known))


def expected_at(
    truth: Truth, points: list[Any], *, both: bool
) -> list[Expected | None]:
    """Return the true Jacobian at each point, None where it is not finite."""
    truths = [Expected(truth, args) for args in points]
    return [e if e.is_finite(both=both) else None for e in truths]


class Checks:
    """The checks of first derivatives.

    Args:
        program: The program.
        traced: What the library made of it.
        points: The arguments.
        expected: The true Jacobian at each; None where it is not finite.
        truth: Where it is from.
        outcome: Where failures go.
    """

    def __init__(
        self,
        program: Program,
        traced: Traced,
        points: list[Any],
        expected: list[Expected | None],
        truth: Truth,
        outcome: Outcome,
    ) -> None:
        self._program, self._traced, self._truth = program, traced, truth
        self._outcome = outcome
        pairs = [(p, e) for p, e in zip(points, expected, strict=True) if e is not None]
        self._expected = [e for _, e in pairs]
        self._envs = [traced.at(jax.tree.leaves(p)) for p, _ in pairs]
        self._tolerance = tolerance_of(program)
        self._both = program.family in ("custom", "solver")
        self._runs: dict[str, Run] = {}

    @property
    def _served(self) -> bool:
        return self._truth.has_forward or self._truth.has_reverse

    def boxes(self) -> None:
        """Every true nonzero is in its box."""
        for k, leaf, lower, upper, depends in self._traced.boxes():
            for expected in self._expected:
                for blocks in self._known(expected):
                    entry = outside(
                        blocks[k][leaf], lower, upper, depends, 1e-3 * self._tolerance
                    )
                    if entry is not None:
                        where = f"output {k}{entry[0]} reads input {leaf}{entry[1]}"
                        self._wrong("dependence", where)
                        return

    def _known(self, expected: Expected) -> list[Blocks]:
        if self._both or expected.forward is None:
            return list(expected.all())
        return [expected.forward]

    def jacobians(self) -> None:
        """Every mode, dense and sparse, gives the Jacobian."""
        chunk = 2 if self._program.seed % 4 == 0 else None
        self._outcome.choice, runs = self._traced.jacobians(chunk)
        self._runs = {mode: run for mode, run in runs.items() if isinstance(run, Run)}
        if not self._served:
            self._outcome.both_refuse = True  # of JAX: nothing to compare with
            any_is_right = self._truth.has_complex or self._truth.is_empty
            if is_nonlinear(self._program) and not any_is_right:
                self._wrong("served", f"by {[*self._runs]}, and by neither mode of JAX")
            return
        for mode, run in self._runs.items():
            for env, expected in zip(self._envs, self._expected, strict=True):
                dense, sparse = run(env)
                for name, blocks in (("dense", dense), ("bcoo", sparse)):
                    self._compare(f"jacobian {mode} {name}", blocks, expected, _flat)

    def symmetry(self) -> None:
        """What is proven symmetric is, as JAX computes it."""
        for expected in self._expected:
            whole = matrix(expected.forward or [])
            difference = differs([whole], [whole.T], self._tolerance)
            if difference:
                self._wrong("symmetry", difference)

    def diagonal(self) -> None:
        """The diagonal is that of the Jacobian."""
        if not self._traced.is_square() or not self._served:
            return
        _, runs = self._traced.diagonal()
        for mode, run in runs.items():
            if isinstance(run, str):
                continue
            for env, expected in zip(self._envs, self._expected, strict=True):
                values, _ = run(env)
                self._compare(f"diagonal {mode}", values, expected, diagonals)

    def batch(self) -> None:
        """Samples are accepted only where no entry stands between them."""
        if self._program.batch is None or not self._expected or not self._served:
            return
        axes = self._program.batch
        mixed = any(
            self._mixed(blocks, axes)
            for expected in self._expected
            for blocks in self._known(expected)
        )
        self._outcome.independent = not mixed
        try:
            runs = self._traced.batch(*axes)
        except SampleMixingError:
            if self._outcome.independent:
                self._outcome.independent = self._outcome.needless = self._is_apart(
                    axes
                )
            return
        for run in runs.values():
            if isinstance(run, Run):
                if mixed and self._mixes_in(run.mode, axes):
                    self._wrong("batch", f"accepts samples that mix, axes {axes}")
                    return
                self._compare_samples(run, axes)

    def _mixed(self, blocks: Blocks, axes: tuple[int, int]) -> bool:
        return any(
            mixes(block, axes, rank, 1e-3 * self._tolerance)
            for row, rank in zip(blocks, self._truth.out_ranks, strict=True)
            for block in row
        )

    def _mixes_in(self, mode: str, axes: tuple[int, int]) -> bool:
        """Whether samples mix, in JAX's mode that a run stands for."""
        if self._traced.is_proven or len(list(self._expected[0].all())) == 1:
            return True
        which = 1 if mode == "reverse" else 0
        return any(self._mixed([*e.all()][which], axes) for e in self._expected)

    def _is_apart(self, axes: tuple[int, int]) -> bool:
        """Whether samples stay independent at more points, and at random residuals."""
        for point in range(POINTS, POINTS + 30):
            blocks = self._truth.forward(self._program.arguments(point))
            if blocks is None or self._mixed(blocks, axes):
                return False
        run = self._runs.get("forward", next(iter(self._runs.values()), None))
        if run is None:
            return False
        for seed in range(3):
            values, _ = run(Scrambled(self._envs[0], seed))
            width = len(values) // len(self._truth.out_ranks)
            rows = [values[n : n + width] for n in range(0, len(values), width)]
            if self._mixed(rows, axes):
                return False
        return True

    def _compare_samples(self, run: Run, axes: tuple[int, int]) -> None:
        def own(blocks: Blocks) -> list[Any]:
            return own_blocks(blocks, axes, self._truth.out_ranks)

        for env, expected in zip(self._envs, self._expected, strict=True):
            values, _ = run(env)
            self._compare(f"batch {run.mode}", values, expected, own)

    def _compare(
        self, name: str, actual: Sequence[Any], expected: Expected, select: Callable
    ) -> None:
        """Compare with one mode of JAX's, and where that differs with the other."""
        difference = ""
        for blocks in expected.all():
            if not is_finite(blocks):
                return  # JAX's reverse mode of equal extremes, on 0.10
            difference = differs(actual, select(blocks), self._tolerance)
            if not difference:
                return
        self._wrong(name, difference)

    def _wrong(self, check: str, detail: str) -> None:
        if all(f.check != check for f in self._outcome.wrong):
            self._outcome.wrong.append(Failure(check, detail))


def is_finite(blocks: Blocks) -> bool:
    """Whether all entries are finite."""
    return all(np.isfinite(b).all() for row in blocks for b in row)


def _flat(blocks: Blocks) -> list[Any]:
    return [b for row in blocks for b in row]


def is_nonlinear(program: Program) -> bool:
    """Whether a result reads a rule that is not linear, of an array with elements."""
    sizes = [int(np.prod(shape, dtype=int)) for shape, _ in program.leaves]
    return 0 not in sizes and NONLINEAR in program.body()
