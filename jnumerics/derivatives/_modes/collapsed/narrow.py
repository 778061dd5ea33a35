"""Two sweeps around a narrow place: behind it, as many directions as it is wide.

With f = g(h(x)), h(x) of d numbers, and J its derivatives along c directions v_c:

    sum_c f''[v_c, v_c] = g'(h) L_h + sum_c g''[J_c, J_c]

So a first sweep takes all directions to h, and a second one carries the d unit vectors
e_a from there. J_c is a combination of these, and so are its derivatives: only where
second derivatives arise they are combined, c from d by one product.

For f(x) = sin(h), h = x0 + 2 x1, both directions at once:

    h        x0 + 2 x1     J = (1, 2)      L = 0
    f        sin h         K = cos h       L = -sin h ((1 * 1)^2 + (2 * 1)^2)

With J = QR the d rows of R do in place of the c of J, since J'J = R'R: they are carried
themselves, and nothing is combined, unless the results' own derivatives are asked for.
That pays where J is the same for all x, as through a first layer: one factor serves
every sample (`Factored`). M = J'J itself, as sum_ab M_ab g''[e_a, e_b], squares what J
loses: in float32, a common mode of 1,000 that g takes off again leaves no digit.

What it rests on: that every path along which derivatives go from the inputs to the
results crosses the place, which the minimum cut that finds it sees to, and on what the
sweep rests on. A derivative of the place that is not finite spoils every result.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics import _check
from jnumerics.derivatives._modes.collapsed.interpret import interpret
from jnumerics.derivatives._modes.collapsed.jet import (
    Expand,
    Factored,
    Jet,
    combined,
    is_known,
    known,
)
from jnumerics.derivatives._modes.collapsed.sweep import (
    Directions,
    Sweep,
    Swept,
    basis,
    stacked,
)
from jnumerics.derivatives._program.jaxpr import constants, with_constants
from jnumerics.derivatives._program.layout import common_dtype


class _Point(NamedTuple):
    """What is known at a place.

    Attributes:
        leaves: The arguments.
        values: Of the place.
        laps: The sums of their second derivatives.
        traced: Of the constants behind the place those that are traced, by position.
    """

    leaves: list[Any]
    values: list[Array]
    laps: list[Array]
    traced: dict[int, Any]


@dataclass(frozen=True)
class Narrow:
    """The collapsed mode through a narrow place.

    Attributes:
        before: The sweep from the inputs to the place; keeps its first derivatives.
        after: The program from the inputs, which stand still there, and the place to
            the results, closed.
        width: How many numbers the place holds.
        where: Which operation makes the widest of them, and its line.
        keeps_jacs: Whether the first derivatives of the results are wanted too.
        is_factored: Whether the derivatives at the place are factored.
    """

    before: Sweep
    after: Any
    width: int
    where: str
    keeps_jacs: bool
    is_factored: bool = False
    mode: ClassVar[str] = "narrow"

    @property
    def directions(self) -> Directions:
        """The directions of the first sweep."""
        return self.before.directions

    @property
    def passes(self) -> int:
        """How many directions go through its two parts."""
        return self.before.passes + self.width

    def __call__(self, leaves: Sequence[Any], chunk: int | None = None) -> Swept:
        """Sweep to the place, at most `chunk` directions at a time, and on from it."""
        values, jacs, laps = self.before(leaves, chunk)
        rows, held = _side_by_side(jacs), enumerate(constants(self.after))
        traced = {k: x for k, x in held if not _check.is_concrete(x)}
        point = _Point([*leaves], values, laps, traced)
        if not self.is_factored:
            swept = self._behind(point, None, combined(rows))
        elif self.keeps_jacs:
            swept = self._behind(point, None, Factored.from_rows(rows))
        else:
            swept = Factored.from_rows(rows).carried(self._behind, point)
        return swept._replace(jacs=[combined(rows)(jac) for jac in swept.jacs])

    def _behind(self, point: _Point, carried: Array | None, expand: Expand) -> Swept:
        """Sweep on from the place along `carried`, or along unit vectors."""
        units = basis(point.values)
        start = units if carried is None else stacked(_apart(carried, point.values))
        held = enumerate(constants(self.after))
        consts = [point.traced.get(k, x) for k, x in held]
        jacs = start.make(0, self.width)
        jets = [*map(Jet, point.leaves), *map(Jet, point.values, jacs, point.laps)]
        after = with_constants(self.after, consts)
        results = interpret(after, jets, expand, vouched=self.before.vouched)
        results = [jet.raised(2, self.width) for jet in results]
        return Swept(
            [jet.value for jet in results],
            [jet.jac for jet in results] if self.keeps_jacs else [],
            [jet.lap for jet in results],
        )


def _side_by_side(jacs: Sequence[Array]) -> Array:
    """Return the derivatives of all numbers together: a row for each direction."""
    dtype = common_dtype(*(jac.dtype for jac in jacs))
    is_early = is_known(jacs, sum(jac.size for jac in jacs))
    rows = map(np.asarray, jacs) if is_early else jacs
    flat = [x.reshape(len(x), math.prod(x.shape[1:])).astype(dtype) for x in rows]
    return (
        known(np.concatenate(flat, 1), dtype) if is_early else jnp.concatenate(flat, 1)
    )


def _apart(rows: Array, values: Sequence[Array]) -> list[Array]:
    """Return the derivatives of each number again, of its shape and dtype."""
    ends = np.cumsum([value.size for value in values])[:-1]
    pairs = zip(jnp.split(rows, ends, 1), values, strict=True)
    return [part.reshape(-1, *x.shape).astype(x.dtype) for part, x in pairs]
