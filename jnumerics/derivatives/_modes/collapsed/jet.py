"""Jets: a value, its derivatives along directions, and a sum of second ones."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jnumerics import _check

Expand = Callable[[Array], Array]
"""From the derivatives along what is carried to those along all directions."""


class Jet(NamedTuple):
    """A value of the primal program, and what moves it.

    Attributes:
        value: The value.
        jac: Its derivatives along c directions, `(c, *shape)`; None where it is still.
        lap: The sum of its second derivatives along them, of the value's shape; None
            where that is zero. What is still has none.
    """

    value: Any
    jac: Any = None
    lap: Any = None

    @property
    def order(self) -> int:
        """Which derivatives there are: 0 none, 1 the first, 2 both."""
        return 0 if self.jac is None else 1 if self.lap is None else 2

    def raised(self, order: int, count: int) -> "Jet":
        """Fill in zeros up to an order, for `count` directions."""
        value, jac, lap = self
        if order <= self.order:
            return self
        shape, dtype = jnp.shape(value), jnp.result_type(value)
        if jac is None:
            jac = jnp.zeros((count, *shape), dtype)
        if order > 1 and lap is None:
            lap = jnp.zeros(shape, dtype)
        return Jet(value, jac, lap)


def itself(jac: Array) -> Array:
    """Carry all directions."""
    return jac


def combined(rows: Array) -> Expand:
    """Carry d unit vectors, of which each direction is a combination, `rows` (c, d)."""

    def expand(jac: Array) -> Array:
        return jnp.tensordot(rows.astype(jac.dtype), jac, 1, precision="highest")

    return expand


class Factored(NamedTuple):
    """All directions by a triangular factor of their combinations: fewer of them.

    What only sums over directions is the same along the rows of R, where J = QR: their
    products are those of J's. QR rounds each column of J alone, as J itself is rounded.
    Derivatives are those along J: a factor has none where J is singular.

    Attributes:
        rows: The combinations J, as in `combined`.
        factor: Their R.
    """

    rows: Array
    factor: Array

    @classmethod
    def from_rows(cls, rows: Array) -> "Factored":
        """Factor more combinations than there are unit vectors.

        They are real, of 32 bits and more: `place` takes no other.
        """
        if is_known([rows], rows.size):
            factor = np.linalg.qr(np.asarray(rows).astype(np.float64), mode="r")
            return cls(rows, known(factor, rows.dtype))
        return cls(rows, jnp.linalg.qr(lax.stop_gradient(rows), mode="r"))

    def __call__(self, jac: Array) -> Array:
        """Return the derivatives along the rows of the factor."""
        return combined(self.factor)(jac)

    def through(
        self, push: Callable[[Sequence[Jet], Expand], list[Jet]], jets: Sequence[Jet]
    ) -> list[Jet]:
        """Push jets through an operation, whose derivative goes along J itself."""

        @jax.custom_jvp
        def run(rows: Array, factor: Array, jets: Sequence[Jet]) -> list[Jet]:
            del rows
            return push(jets, combined(factor))

        @run.defjvp
        def along(primals: Any, tangents: Any) -> Any:
            (rows, _, jets), (moved, _, bent) = primals, tangents

            def plain(rows: Array, jets: Sequence[Jet]) -> list[Jet]:
                return push(jets, combined(rows))

            return jax.jvp(plain, (rows, jets), (moved, bent))

        del along
        return run(self.rows, self.factor, jets)

    def carried(self, sweep: Callable[[Any, Array | None, Expand], Any], x: Any) -> Any:
        """Sweep from `x` along the factor's rows; its derivative goes along J itself.

        Args:
            sweep: Takes `x`, the directions (None: unit vectors) and how to expand.
            x: What the sweep reads that is traced.
        """

        @jax.custom_jvp
        def run(rows: Array, factor: Array, x: Any) -> Any:
            del rows
            return sweep(x, factor, itself)

        @run.defjvp
        def along(primals: Any, tangents: Any) -> Any:
            (rows, _, x), (moved, _, bent) = primals, tangents

            def plain(rows: Array, x: Any) -> Any:
                return sweep(x, None, combined(rows))

            return jax.jvp(plain, (rows, x), (moved, bent))

        del along
        return run(self.rows, self.factor, x)


# Entries of derivatives that stay known while JAX traces: what NumPy makes of them is a
# constant of the program, and costs a call nothing.
MOST_KNOWN = 1 << 18
# Entries of known derivatives that the compiler may see, and fold. Its interpreter is
# a hundred to a thousand times slower than a program: windows and scattered updates.
MOST_FOLDED = 1 << 14


def is_known(inputs: Sequence[Any], size: int) -> bool:
    """Whether what is made of some inputs, of `size` entries, is made while tracing."""
    if size > MOST_KNOWN or not _check.is_concrete(*inputs):
        return False
    # what the user's function holds may lie on other processes' devices
    return all(getattr(x, "is_fully_addressable", True) for x in inputs)


def known(x: Any, dtype: Any) -> Array:
    """Return what is known as an array that stays so in a trace."""
    with np.errstate(all="ignore"):
        array = np.asarray(x).astype(dtype)  # by JAX, it would be compiled
    with jax.ensure_compile_time_eval():
        return jax.device_put(array)


def hidden(jac: Array) -> Array:
    """Keep the compiler from folding what is made of many known derivatives."""
    if jac.size <= MOST_FOLDED or not _check.is_concrete(jac):
        return jac
    return lax.optimization_barrier(jac)


def summed(*factors: Array) -> Array:
    """Sum a product of derivatives, of one dtype, over directions; early if known."""
    dtype = factors[0].dtype
    if not is_known(factors, math.prod(np.broadcast_shapes(*map(np.shape, factors)))):
        return jnp.sum(math.prod(factors[1:], start=factors[0]), 0)
    wide = np.complex128 if jnp.iscomplexobj(factors[0]) else np.float64
    with np.errstate(all="ignore"):
        product = math.prod(np.asarray(x).astype(wide) for x in factors)
        return known(np.sum(product, 0), dtype)


def held(jac: Array, bend: Array) -> Array:
    """Hide from the compiler which derivatives are constants.

    It would multiply these with each other first, out of range. What it cannot know is
    whether `bend`, the second derivative beside them, is NaN, as then the sum is, too.
    """
    return jnp.where(jnp.isnan(bend), bend, jac)


def has_units(jac: Any) -> bool:
    """Whether derivatives are known to be ones and zeros, so that they are squares."""
    return _check.is_concrete(jac) and bool(np.isin(np.asarray(jac), (0, 1)).all())


def moving(jets: list[Jet]) -> list[int]:
    """Return the positions of the jets that move."""
    return [k for k, jet in enumerate(jets) if jet.jac is not None]


def count_of(jets: list[Jet]) -> int:
    """Return the number of directions."""
    return next(jet.jac.shape[0] for jet in jets if jet.jac is not None)


def total(*terms: Any) -> Any:
    """Sum what is not None; None where nothing is."""
    present = [term for term in terms if term is not None]
    return sum(present[1:], present[0]) if present else None
