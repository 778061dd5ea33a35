"""One sweep through a program: directions in, values and both derivatives out.

The second derivative is a sum over directions, so that they may go in chunks, whose
sums add. Basis vectors are constants where they are few, else made on the fly; all but
the last chunk run in a loop.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jnumerics.derivatives._modes.collapsed.interpret import interpret
from jnumerics.derivatives._modes.collapsed.jet import Jet, is_known, known


class Swept(NamedTuple):
    """What a sweep makes, for each leaf of the result.

    Attributes:
        values: Its value.
        jacs: Its derivatives along the directions, `(c, *shape)`; none if unwanted.
        laps: The sum of its second derivatives along them.
    """

    values: list[Array]
    jacs: list[Array]
    laps: list[Array]


@dataclass(frozen=True)
class Directions:
    """The directions of a sweep.

    Attributes:
        count: How many.
        make: From the first one's number and their number (an int) to the derivatives
            of each moving input along them, `(number, *shape)`.
    """

    count: int
    make: Callable[[Any, int], list[Array]]


def basis(avals: Sequence[Any]) -> Directions:
    """Return the basis vectors of all inputs together."""
    sizes = [math.prod(aval.shape) for aval in avals]
    numbers = np.arange(sum(sizes), dtype=np.int32)
    return classes(np.split(numbers, np.cumsum(sizes)[:-1]), avals)


def classes(labels: Sequence[np.ndarray], avals: Sequence[Any]) -> Directions:
    """Return, for each class of inputs, the sum of their basis vectors.

    Args:
        labels: For each leaf, the classes of its elements, numbered from zero.
        avals: Shapes and dtypes of the leaves.
    """
    count = 1 + max((int(leaf.max(initial=-1)) for leaf in labels), default=-1)

    def make(start: Any, number: int) -> list[Array]:
        if is_known([start], number * sum(map(np.size, labels))):
            which = np.arange(start, start + number, dtype=np.int32)
            parts = [np.equal.outer(which, leaf) for leaf in labels]
            return [
                known(part.reshape(number, *aval.shape), aval.dtype)
                for part, aval in zip(parts, avals, strict=True)
            ]
        which = jnp.asarray(start, jnp.int32) + lax.iota(jnp.int32, number)
        return [
            (which[:, None] == jnp.asarray(leaf)[None])
            .astype(aval.dtype)
            .reshape(number, *aval.shape)
            for leaf, aval in zip(labels, avals, strict=True)
        ]

    return Directions(count, make)


def stacked(stacks: Sequence[Array]) -> Directions:
    """Return the user's directions, stacked along the first axis of each leaf."""

    def make(start: Any, number: int) -> list[Array]:
        return [lax.dynamic_slice_in_dim(s, start, number) for s in stacks]

    return Directions(stacks[0].shape[0], make)


def in_chunks(
    part: Callable[[Any, int, bool], Any],
    add: Callable[[Any, Any, Any], Any],
    count: int,
    chunk: int,
) -> Any:
    """Sum what `part(start, number, is_last)` makes of at most `chunk` directions.

    Args:
        part: Makes it; `is_last` tells the last of the calls.
        add: From (sum, part, start) to the sum; the first sum is None.
        count: How many directions.
        chunk: How many at a time, fewer than there are.
    """

    def body(k: Any, sums: Any) -> Any:
        return add(sums, part(k * chunk, chunk, False), k * chunk)

    n = -(-count // chunk) - 1
    sums = add(None, part(0, chunk, False), 0)
    sums = lax.fori_loop(1, n, body, sums) if n > 1 else sums
    return add(sums, part(n * chunk, count - n * chunk, True), n * chunk)


@dataclass(frozen=True)
class Sweep:
    """The collapsed mode of a program along directions.

    Attributes:
        jaxpr: The primal program, closed.
        active: Which of its inputs move.
        directions: Along what.
        keeps_jacs: Whether the first derivatives are wanted too.
        effects: Whether effects of the program happen.
        vouched: Whether the user vouches for rules, as in `interpret`.
    """

    jaxpr: Any
    active: Sequence[int]
    directions: Directions
    keeps_jacs: bool = False
    effects: bool = True
    vouched: bool = False
    mode: ClassVar[str] = "collapsed"

    @property
    def passes(self) -> int:
        """How many directions go through the program."""
        return self.directions.count

    def __call__(self, leaves: Sequence[Any], chunk: int | None = None) -> Swept:
        """Sweep through, at most `chunk` directions at a time."""
        count = self.directions.count

        def part(start: Any, number: int, is_last: bool) -> Swept:
            return self._part(leaves, start, number, self.effects and is_last)

        def add(sums: Swept | None, more: Swept, start: Any) -> Swept:
            if sums is None:
                rows = [jnp.zeros((count, *j.shape[1:]), j.dtype) for j in more.jacs]
                sums = Swept(more.values, rows, [jnp.zeros_like(s) for s in more.laps])
            pairs = zip(sums.jacs, more.jacs, strict=True)
            jacs = [lax.dynamic_update_slice_in_dim(f, j, start, 0) for f, j in pairs]
            laps = [a + b for a, b in zip(sums.laps, more.laps, strict=True)]
            return Swept(more.values, jacs, laps)

        if chunk is None or chunk >= count:
            return part(0, count, True)
        return in_chunks(part, add, count, chunk)

    def _part(
        self, leaves: Sequence[Any], start: Any, number: int, effects: bool
    ) -> Swept:
        jets = [Jet(leaf) for leaf in leaves]
        jacs = self.directions.make(start, number)
        for k, jac in zip(self.active, jacs, strict=True):
            jets[k] = Jet(leaves[k], jac)
        results = interpret(self.jaxpr, jets, effects=effects, vouched=self.vouched)
        results = [jet.raised(2, number) for jet in results]
        jacs = [jet.jac for jet in results] if self.keeps_jacs else []
        return Swept([jet.value for jet in results], jacs, [jet.lap for jet in results])
