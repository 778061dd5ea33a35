"""The plan of a derivative: each mode counted, the choice, and the reason for it."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Never

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics import _table
from jnumerics.derivatives._modes.ends import (
    Problem,
    Strategy,
    size,
    zeros,
)
from jnumerics.derivatives._modes.jacobian import entries, finish, indices
from jnumerics.derivatives._plan.cost import Cost
from jnumerics.derivatives._program.jaxpr import evaluate
from jnumerics.derivatives._program.layout import Env, as_varying


@dataclass(frozen=True)
class Pickled:
    """What is left of a strategy that was pickled: its figures; it cannot be run."""

    passes: int
    mode: str

    def terms(self, *_: Any, **__: Any) -> Never:
        """Refuse."""
        msg = "a plan must be made where it is run, got one that was pickled"
        raise ValueError(msg)


class Answer(NamedTuple):
    """What a strategy of second order makes.

    Attributes:
        values: The leaves of the result, if they are wanted.
        gradient: The leaves of a scalar's gradient, if it is wanted.
        laplacians: For each leaf of the result, the sum of its second derivatives.
    """

    values: list[Array]
    gradient: list[Array]
    laplacians: list[Array]


@dataclass(frozen=True)
class SecondOrder:
    """How a mode of second order runs.

    Attributes:
        mode: "nested", "collapsed" or "narrow".
        passes: The directions of its sweeps, or its passes over the gradient.
        run: Evaluates it at the traced arguments.
    """

    mode: str
    passes: int
    run: Callable[[], Answer]


@dataclass(frozen=True)
class Candidate:
    """One mode, counted. Pickled, it can be read and not run: programs stay behind.

    Attributes:
        mode: Its name.
        strategy: How it runs; None where it does not serve the function.
        cost: Operations, bytes and predicted seconds.
        note: Where it cuts, how many colors it needs, or why it is not served.
        same_as: The mode whose program it comes down to, or None.
        problem: What it runs on.
        passed: Its passes as a program, None until they are traced (`plan.traced`):
            from what they read, the residuals that `problem.linear` lists, to all
            blocks, or diagonals, one after another.
    """

    mode: str
    strategy: Strategy | SecondOrder | None = field(repr=False)
    cost: Cost
    note: str = ""
    same_as: str | None = None
    problem: Problem | None = field(default=None, repr=False)
    passed: Any = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: figures and words; of the strategy, its passes."""
        words = ("mode", "cost", "note", "same_as")
        strategy = self.strategy and Pickled(self.strategy.passes, self.strategy.mode)
        return {**{name: getattr(self, name) for name in words}, "strategy": strategy}

    @property
    def passes(self) -> int | None:
        """Number of passes."""
        return None if self.strategy is None else self.strategy.passes


@dataclass(frozen=True)
class Plan:
    """The candidates for a derivative, and the choice among them.

    `print` it. Pickled, it can be read and no longer run.

    Attributes:
        target: "jacobian", "batch", "diagonal", or of second order "hessian",
            "hessian_diagonal" or "laplacian".
        samples: Number of samples; 1 unless `target` is "batch".
        n_outputs: Components of (one sample of) the result.
        n_inputs: Components of (one sample of) the differentiated arguments.
        candidates: Each mode with its cost.
        mode: The chosen one.
        reason: Why.
        chunk: Passes at a time, where memory is bounded; else None.
        joined: Operations that no rule of dependence serves, with the user's lines:
            their results were taken to depend on all that enters them.
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
    def strategy(self) -> Strategy:
        """How the choice runs."""
        strategy = self.choice.strategy
        if strategy is None or isinstance(strategy, SecondOrder):
            msg = f"the plan's mode {self.mode!r} is not served"
            raise ValueError(msg)
        return strategy

    @property
    def problem(self) -> Problem:
        """What the choice runs on."""
        problem = self.choice.problem
        if problem is None:
            msg = f"the plan's mode {self.mode!r} is not served"
            raise ValueError(msg)
        return problem

    @property
    def passed(self) -> Any:
        """The passes of the choice as a program, or None."""
        return self.choice.passed

    def run(self, env: Env) -> list[Any]:
        """Run the choice: blocks, or diagonals, for each output that has any."""
        if size(self.problem) == 0:
            return zeros(self.problem, self.target)
        if self.chunk is None and self.passed is not None:
            return self._as_traced(env)
        return finish(self.strategy, self.problem, self.target, env, self.chunk)

    def _as_traced(self, env: Env) -> list[Any]:
        """Run the program that was traced: to trace the passes again takes longer."""
        variables = self.problem.linear.residuals
        values = [as_varying(env[v], v.aval) for v in variables]
        results = evaluate(self.passed, *values)
        if self.target == "diagonal":
            return results
        n = len(self.problem.inputs)
        return [results[k : k + n] for k in range(0, len(results), n)]

    def run_entries(self, env: Env) -> tuple[np.ndarray, np.ndarray, Array]:
        """Run the choice to rows, columns and values of single entries."""
        if size(self.problem) == 0:
            none = np.zeros(0, int)
            return none, none, jnp.zeros(0)
        terms = self.strategy.terms(self.problem, env, self.chunk)
        values = entries(terms, self.problem.sizes)
        return *indices(terms, self.problem.sizes), values

    def run_second(self) -> Answer:
        """Run the choice of second order."""
        strategy = self.choice.strategy
        assert isinstance(strategy, SecondOrder)
        return strategy.run()

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
        lines = _table.html_lines(f"{self.mode}: {self.reason}", *self._limits())
        title = _table.html_lines(self._title())
        return f"{title}{_table.html(*self._table())}{lines}"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        header = ["mode", "passes", "operations", "bytes", "predicted", "note"]
        return header, [self._row(c) for c in self.candidates]

    def _row(self, c: Candidate) -> list[str]:
        name = f"{c.mode} *" if c.mode == self.mode else c.mode
        if c.strategy is None:
            return [name, "-", "-", "-", "-", c.note]
        figures = [
            str(c.passes),
            _table.count(c.cost.operations),
            _table.memory(c.cost.bytes),
            _table.seconds(c.cost.seconds),
        ]
        return [name, *figures, c.note]
