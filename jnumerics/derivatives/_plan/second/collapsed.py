"""The collapsed mode of a request: its directions, how many at a time, its cost.

In one sweep, or in two around a narrow place (`place`).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import Array

from jnumerics.derivatives._modes.collapsed.narrow import Narrow
from jnumerics.derivatives._modes.collapsed.operation import NotServedError
from jnumerics.derivatives._modes.collapsed.sweep import Directions, Sweep, Swept
from jnumerics.derivatives._plan import cost as _cost
from jnumerics.derivatives._plan.candidates import refusal
from jnumerics.derivatives._plan.cost import Cost
from jnumerics.derivatives._plan.result import Answer, Candidate, SecondOrder
from jnumerics.derivatives._plan.second.place import narrowed
from jnumerics.derivatives._plan.second.request import Request
from jnumerics.derivatives._plan.second.traced import Traced, within
from jnumerics.derivatives._program import effects
from jnumerics.derivatives._program.trace import Target


@dataclass(frozen=True)
class Collapsed:
    """The collapsed mode, before it is known how many directions go at a time.

    Attributes:
        request: What is asked.
        sweep: How all directions go through: in one sweep, or in two.
        whole: Its program with all of them at once.
    """

    request: Request
    sweep: Sweep | Narrow
    whole: Traced

    @property
    def count(self) -> int:
        """How many directions."""
        return self.sweep.directions.count

    @property
    def has_pass(self) -> bool:
        """Whether the gradient takes a reverse pass beside the sweep."""
        return self.request.wants_first and not self.sweep.keeps_jacs

    @functools.cached_property
    def _gradient_cost(self) -> Cost:
        if not self.has_pass:
            return Cost()
        request = self.request
        return _cost.count(jax.make_jaxpr(request.value_and_gradient)(*request.point))

    @property
    def cost(self) -> Cost:
        """The predicted cost, of all directions at once."""
        return self.whole.cost + self._gradient_cost

    def narrowed(self, at_most: float) -> "Collapsed | str":
        """Return the same through a narrow place, or why there is none."""
        assert isinstance(self.sweep, Sweep)
        sweep = narrowed(self.sweep, at_most)
        if isinstance(sweep, str):
            return sweep
        return _served(self.request, lambda: sweep)

    def candidate(self, max_bytes: int | None) -> Candidate | str:
        """Return the mode, counted, with few enough directions at a time for a bound.

        Where the bound is too small for one, it is the error's words.
        """
        leaves = self.request.target.leaves
        bounded = within(
            self.whole,
            lambda chunk: _traced(self.request, self.sweep, chunk),
            self.count,
            max_bytes,
        )
        if isinstance(bounded, str):
            return bounded
        program, chunk = bounded

        def run() -> Answer:
            swept = program.run(leaves)
            return Answer(swept.values, self._gradient(swept), swept.laps)

        mode, cost = self.sweep.mode, program.cost + self._gradient_cost
        at_a_time = "" if chunk is None else f"{chunk} at a time"
        notes = [self._place(), self._sharing(), at_a_time]
        strategy = SecondOrder(mode, self.sweep.passes, run)
        return Candidate(mode, strategy, cost, "; ".join(filter(None, notes)))

    def _place(self) -> str:
        if isinstance(self.sweep, Sweep):
            return ""
        return f"{self.sweep.width} wide at {self.sweep.where}"

    def _sharing(self) -> str:
        inputs = sum(x.size for x in self.request.point)
        is_basis = self.request.stacks is None
        return f"{inputs} inputs share them" if is_basis and self.count < inputs else ""

    def _gradient(self, swept: Swept) -> list[Array]:
        """Return a scalar's gradient: the sweep's own rows, or by one reverse pass."""
        if not self.request.wants_first:
            return []
        if self.has_pass:
            return self.request.value_and_gradient(*self.request.point)[1]
        parts, before = [], 0
        for x in self.request.point:
            parts.append(swept.jacs[0][before : before + x.size].reshape(x.shape))
            before += x.size
        return parts


def collapsed(request: Request, fewer: Directions | None) -> Collapsed | str:
    """Return the collapsed mode, or why it does not serve.

    Args:
        request: What is asked.
        fewer: Directions that inputs share: no sweep along fewer costs more. But a
            gradient that is wanted then takes a reverse pass, and what is predicted to
            be cheaper is taken.
    """

    def along(directions: Directions, *, is_basis: bool) -> Collapsed | str:
        def sweep() -> Sweep:
            return _sweep(
                request, _primal(request.target), directions, is_basis=is_basis
            )

        return _served(request, sweep)

    whole, is_basis = request.directions, request.stacks is None
    if fewer is None:
        return along(whole, is_basis=is_basis)
    shared = along(fewer, is_basis=False)
    if isinstance(shared, str) or not request.wants_first:
        return shared
    one_each = along(whole, is_basis=is_basis)
    if isinstance(one_each, str):
        return one_each
    return shared if shared.cost.seconds <= one_each.cost.seconds else one_each


def _served(request: Request, make: Callable[[], Sweep | Narrow]) -> Collapsed | str:
    """Return the mode with its program traced, or why it does not serve."""
    try:
        sweep = make()
        return Collapsed(request, sweep, _traced(request, sweep))
    except NotServedError as reason:
        return f"not through {reason}"
    except (NotImplementedError, TypeError, ValueError) as error:
        return refusal(error)


def _primal(target: Target) -> Any:
    avals = [jax.typeof(x) for x in target.leaves]
    with effects.tracing():
        return jax.make_jaxpr(lambda leaves: target.fun(leaves)[0])(avals)


def _sweep(
    request: Request, jaxpr: Any, directions: Directions, *, is_basis: bool
) -> Sweep:
    """Lay out a sweep; its rows are the gradient where they are those of the basis.

    Else a reverse pass makes the gradient, and effects happen there.
    """
    has_pass = request.wants_first and not is_basis
    return Sweep(
        jaxpr,
        request.target.active,
        directions,
        keeps_jacs=request.wants_first and is_basis,
        effects=not has_pass,
        vouched=request.vouched,
    )


def _traced(
    request: Request, sweep: Sweep | Narrow, chunk: int | None = None
) -> Traced:
    return Traced(lambda leaves: sweep(leaves, chunk), request.target.leaves)
