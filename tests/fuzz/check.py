"""The checks of one program, at three points."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics import derivatives
from tests.fuzz import public
from tests.fuzz.compare import (
    REFUSALS,
    diagonals,
    differs,
    mixes,
    outside,
    own_blocks,
    tolerance_of,
)
from tests.fuzz.program import Program
from tests.fuzz.truth import Blocks, Truth
from tests.fuzz.ways import Run, SampleMixingError, Scrambled, Traced

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


def examine(
    program: Program, *, second: bool = False, compiled: bool = False
) -> Outcome:
    """Check a program.

    Args:
        program: The program.
        second: Whether second derivatives are checked too.
        compiled: Whether the compiled public functions are checked too.
    """
    outcome = Outcome()
    fun = program.function()
    points = [program.arguments(n) for n in range(POINTS)]
    with np.errstate(all="ignore"):
        _first_order(program, fun, points, outcome)
        served = not (outcome.refused or outcome.both_refuse or outcome.wrong)
        if second and served:
            _second_order(program, fun, points, outcome)
        if compiled and served and not is_stateful(program):
            _compiled(program, points, outcome)
    return outcome


def _first_order(
    program: Program, fun: Callable[..., Any], points: list[Any], outcome: Outcome
) -> None:
    truth = Truth(fun, points[0])
    traced = _trace(fun, points[0], truth, outcome)
    if traced is None:
        return
    expected = list(
        _expected(truth, points, both=program.family in ("custom", "solver"))
    )
    outcome.is_undefined = not any(e is not None for e in expected)
    checks = Checks(program, traced, points, expected, truth, outcome)
    for step in (checks.boxes, checks.jacobians, checks.diagonal, checks.batch):
        try:
            step()
        except REFUSALS as error:
            served = jax_serves(fun, points[0])
            outcome.refused, outcome.both_refuse = (
                _told(error) if served else "",
                not served,
            )
            return
        except Exception as error:
            outcome.wrong.append(Failure(step.__name__, f"raises {_told(error)}"))


def _trace(
    fun: Callable[..., Any], args: Any, truth: Truth, outcome: Outcome
) -> Traced | None:
    """Trace by the library; a refusal of what JAX refuses too is right."""
    try:
        return Traced(fun, args)
    except REFUSALS as error:
        served = truth.has_forward or truth.has_reverse
        outcome.refused, outcome.both_refuse = (
            _told(error) if served else "",
            not served,
        )
    except Exception as error:
        served = truth.has_forward or truth.has_reverse
        if served:
            outcome.wrong.append(Failure("trace", f"raises {_told(error)}"))
        outcome.both_refuse = not served
    return None


def _told(error: Exception) -> str:
    first = (str(error) or "?").split("\n", maxsplit=1)[0]
    return f"{type(error).__name__}: {first[:160]}"


def jax_serves(fun: Callable[..., Any], args: Any) -> bool:
    """Whether jax.jacfwd or jax.jacrev is traced."""
    for by in (jax.jacfwd, jax.jacrev):
        try:
            jax.make_jaxpr(by(fun))(*args)
        except Exception:
            continue
        return True
    return False


class Expected(NamedTuple):
    """The true Jacobian at a point, by each mode that JAX has."""

    forward: Blocks | None
    reverse: Callable[[], Blocks | None]

    def all(self) -> Iterator[Blocks]:
        """Yield what is true."""
        if self.forward is not None:
            yield self.forward
        found = self.reverse()
        if found is not None:
            yield found


def _expected(
    truth: Truth, points: list[Any], *, both: bool
) -> Iterator[Expected | None]:
    for args in points:
        forward = truth.forward(args)
        memory: list[Any] = []

        def reverse(args: Any = args, memory: list[Any] = memory) -> Blocks | None:
            if not memory:
                memory.append(truth.reverse(args))
            return memory[0]

        found = Expected(forward, reverse)
        known = found.all() if both or forward is None else iter([forward])
        finite = all(
            np.isfinite(b).all() for blocks in known for row in blocks for b in row
        )
        yield found if finite else None


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
                    found = outside(blocks[k][leaf], lower, upper, depends, 1e-3 * self._tolerance)  # fmt: skip
                    if found is not None:
                        where = f"output {k}{found[0]} reads input {leaf}{found[1]}"
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
            if is_nonlinear(self._program):
                self._wrong("served", f"by {[*self._runs]}, and by neither mode of JAX")
            return
        for mode, run in self._runs.items():
            for env, expected in zip(self._envs, self._expected, strict=True):
                dense, sparse = run(env)
                for name, blocks in (("dense", dense), ("bcoo", sparse)):
                    self._compare(f"jacobian {mode} {name}", blocks, expected, _flat)

    def diagonal(self) -> None:
        """The diagonal is that of the Jacobian."""
        if not self._traced.is_square() or not self._served:
            return
        _, runs = self._traced.diagonal()
        for mode, run in runs.items():
            if isinstance(run, str):
                continue
            for env, expected in zip(self._envs, self._expected, strict=True):
                found, _ = run(env)
                self._compare(f"diagonal {mode}", found, expected, diagonals)

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
        for point in range(POINTS, POINTS + 6):
            blocks = self._truth.forward(self._program.arguments(point))
            if blocks is None or self._mixed(blocks, axes):
                return False
        run = self._runs.get("forward", next(iter(self._runs.values()), None))
        if run is None:
            return False
        for seed in range(3):
            found, _ = run(Scrambled(self._envs, seed))
            width = len(found) // len(self._truth.out_ranks)
            rows = [found[n : n + width] for n in range(0, len(found), width)]
            if self._mixed(rows, axes):
                return False
        return True

    def _compare_samples(self, run: Run, axes: tuple[int, int]) -> None:
        def own(blocks: Blocks) -> list[Any]:
            return own_blocks(blocks, axes, self._truth.out_ranks)

        for env, expected in zip(self._envs, self._expected, strict=True):
            found, _ = run(env)
            self._compare(f"batch {run.mode}", found, expected, own)

    def _compare(
        self, name: str, found: Sequence[Any], expected: Expected, of: Callable
    ) -> None:
        """Compare with one mode of JAX's, and where that differs with the other."""
        difference = ""
        for blocks in expected.all():
            difference = differs(found, of(blocks), self._tolerance)
            if not difference:
                return
        self._wrong(name, difference)

    def _wrong(self, check: str, detail: str) -> None:
        if all(f.check != check for f in self._outcome.wrong):
            self._outcome.wrong.append(Failure(check, detail))


def _flat(blocks: Blocks) -> list[Any]:
    return [b for row in blocks for b in row]


def is_nonlinear(program: Program) -> bool:
    """Whether a rule of its own is surely not linear, in an array that is not empty."""
    sizes = [int(np.prod(shape, dtype=int)) for shape, _ in program.leaves]
    return 0 not in sizes and any(
        name.startswith("nonlinear") for name in program.labels
    )


def is_stateful(program: Program) -> bool:
    """Whether bits differ from one evaluation to the next."""
    return "rng_uniform" in program.body()


def _scalar(fun: Callable[..., Any]) -> Callable[..., Any]:
    def scalar(x: Any, k: Any) -> Any:
        leaves = jax.tree.leaves(fun(x, k))
        return sum(jnp.sum(jnp.sin(jnp.real(y))).astype(float) for y in leaves)

    return scalar


def _second_order(
    program: Program, fun: Callable[..., Any], points: list[Any], outcome: Outcome
) -> None:
    """Check the Hessian and the Laplacian of a scalar made of the results."""
    scalar = _scalar(fun)
    try:
        truth = Truth(jax.grad(scalar), points[0])
    except Exception:
        return  # JAX has no second derivative of it
    if not truth.has_forward:
        return
    first = Outcome()
    turns = [("hessian", derivatives.jacobian(scalar)), ("laplacian", jax.grad(scalar))]
    for name, gradient in turns[program.seed // 10 % 2 :][:1]:
        traced = _trace(gradient, points[0], truth, first)
        if traced is None:
            continue
        expected = list(_expected(truth, points, both=False))
        checks = Checks(program, traced, points, expected, truth, first)
        try:
            checks.jacobians() if name == "hessian" else checks.diagonal()
        except Exception as error:
            first.wrong.append(Failure("", f"raises {_told(error)}"))
        outcome.wrong += [Failure(f"{name} {f.check}", f.detail) for f in first.wrong]
        first.wrong.clear()


def _compiled(program: Program, points: list[Any], outcome: Outcome) -> None:
    """Check some of the public functions as they are called."""
    for check in public.chosen(program):
        name, difference = public.compared(program, check, points[0])
        if difference:
            outcome.wrong.append(Failure(f"compiled {name}", difference))
