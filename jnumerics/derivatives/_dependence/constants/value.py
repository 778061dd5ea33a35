"""A known value, the bounds of its rounding, and the table of evaluators."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives._program.jaxpr import JaxprEqn

FLOATS = ("bfloat16", "float16", "float32", "float64")


class Bounds(NamedTuple):
    """How far a compiled program's float may be from the value found here.

    A compiler fuses, widens and reorders: `(x + a) + b` may become `x + (a + b)`, with
    a rounding that no step of the program shows. So the bounds follow from the history.

    Attributes:
        error: Bound of the absolute error, in any order; 0 where nothing can round.
        unit: A power of two that divides all numbers that entered; infinite for zeros.
        reach: Bound of the sum of the magnitudes of all numbers that entered.
        steps: Number of operations that may have rounded.
        zeros: Whether elements that are 0 are 0 in any order of the operations.
    """

    error: float
    unit: float
    reach: float
    steps: int = 0
    zeros: bool = True

    @classmethod
    def from_numbers(cls, array: np.ndarray) -> "Bounds":
        """Return the bounds of exact numbers: constants, or unrounded results."""
        numbers = np.abs(np.asarray(array, np.float64)).ravel()
        numbers = numbers[(numbers > 0) & np.isfinite(numbers)]
        mantissa, exponent = np.frexp(numbers)
        digits = (mantissa * 2.0**53).astype(np.int64)
        unit = np.ldexp((digits & -digits).astype(float), exponent - 53)
        return cls(0.0, unit.min(initial=math.inf), numbers.max(initial=0.0))

    def is_exact(self, dtype: Any) -> bool:
        """Whether every sum of what entered is a float of this dtype."""
        digits = jnp.finfo(dtype).nmant + 1
        holds = math.ldexp(self.reach, -digits) <= self.unit
        return bool(self.error == 0 and holds)

    @property
    def is_finite(self) -> bool:
        """Whether they bound anything."""
        return math.isfinite(self.error) and math.isfinite(self.reach)


@dataclass(frozen=True)
class Value:
    """A known value.

    Attributes:
        array: The value, of length 1 along axes where it does not change.
        shape: Its true shape.
        bounds: How far a float may be from it; None for what is exact: integers,
            booleans and constants.
    """

    array: np.ndarray
    shape: tuple[int, ...]
    bounds: Bounds | None = None

    @property
    def full(self) -> np.ndarray:
        """The value in its true shape, a view."""
        return np.broadcast_to(self.array, self.shape)

    @property
    def error(self) -> float:
        """Bound of the absolute error; 0 where nothing was rounded."""
        return 0.0 if self.bounds is None else self.bounds.error

    @property
    def history(self) -> Bounds:
        """The bounds; those of an exact value follow from its numbers."""
        return Bounds.from_numbers(self.array) if self.bounds is None else self.bounds


def joined(values: Sequence[Value]) -> Bounds | None:
    """Return bounds that hold for the elements of all values."""
    if all(x.bounds is None for x in values):
        return None
    histories = [x.history for x in values]
    errors, units, reaches, steps, zeros = zip(*histories, strict=True)
    return Bounds(max(errors), min(units), max(reaches), max(steps), all(zeros))


Evaluator = Callable[[JaxprEqn, Sequence[Value]], "Sequence[Value] | None"]


EVALUATORS: dict[str, Evaluator] = {}


def evaluator(*names: str) -> Callable[[Evaluator], Evaluator]:
    """Register the evaluator of some primitives."""

    def register(fun: Evaluator) -> Evaluator:
        EVALUATORS.update(dict.fromkeys(names, fun))
        return fun

    return register


def constant_value(array: np.ndarray) -> Value | None:
    """Wrap a constant; None where platforms may read it differently.

    Subnormal numbers may be flushed to zero, and comparisons with NaN differ.
    """
    if not is_plain(array.dtype):
        return None
    if is_float(array.dtype):
        numbers = np.abs(array)
        if not ((numbers >= jnp.finfo(array.dtype).tiny) | (numbers == 0)).all():
            return None
    return Value(array, array.shape)


def one(eqn: JaxprEqn, array: Any, bounds: Bounds | None = None) -> list[Value]:
    """Wrap the value of an equation's only result, of full rank."""
    aval: Any = eqn.outvars[0].aval
    array = np.asarray(array).astype(aval.dtype)
    missing = len(aval.shape) - array.ndim
    return [Value(array.reshape((1,) * missing + array.shape), aval.shape, bounds)]


def is_float(dtype: Any) -> bool:
    """Whether a dtype is real or complex."""
    return jnp.issubdtype(dtype, jnp.inexact)


def is_plain(dtype: Any) -> bool:
    """Whether NumPy computes with a dtype as JAX does: not complex, not narrow."""
    return np.dtype(dtype).kind in "biu" or np.dtype(dtype).name in FLOATS
