"""What is known of a value: how it depends on the tangents, and what it is without any.

Numbers are tracked where an array holds the same one everywhere, and where every way to
compute it gives that number: floating-point arithmetic that rounds is not looked at.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple

Number = bool | int | float | complex


class Degree(IntEnum):
    """How a value depends on the tangents."""

    FREE = 0  # not at all
    LINEAR = 1  # linear over the reals
    UNPROVEN = 2


class Value(NamedTuple):
    """One value of the program.

    Attributes:
        degree: How it depends on the tangents.
        at_zero: The number that all of its elements are where all tangents are zero;
            None where that is not known, as of a linear one that NaN may fill.
    """

    degree: Degree
    at_zero: Number | None = None

    @property
    def is_free(self) -> bool:
        """Whether it does not depend on the tangents."""
        return self.degree == Degree.FREE

    @property
    def is_neutral(self) -> bool:
        """Whether it may stand beside a tangent in a sum: zeros, and NaN fills."""
        is_nan = self.at_zero != self.at_zero
        return self.is_free and (self.at_zero == 0 or is_nan)


UNKNOWN = Value(Degree.FREE)
LINEAR = Value(Degree.LINEAR, 0)


def summed(values: Sequence[Value]) -> Degree:
    """Return the degree of a sum: a free value beside a tangent is a constant added."""
    degree = max((v.degree for v in values), default=Degree.FREE)
    adds_constant = any(v.is_free and not v.is_neutral for v in values)
    return Degree.UNPROVEN if degree == Degree.LINEAR and adds_constant else degree


def product(values: Sequence[Value]) -> Degree:
    """Return the degree of a product: linear in one factor, where others are free."""
    moving = [v.degree for v in values if not v.is_free]
    if len(moving) > 1:
        return Degree.UNPROVEN
    return moving[0] if moving else Degree.FREE


def join(values: Sequence[Value]) -> Value:
    """Return what holds for whichever of the values is taken."""
    first = values[0]
    if all(v == first for v in values):
        return first
    degree = summed(values)
    if degree == Degree.LINEAR:  # beside it may stand zeros, and NaN
        return Value(degree, 0 if all(v.at_zero == 0 for v in values) else None)
    numbers = {v.at_zero for v in values}
    return Value(degree, first.at_zero if len(numbers) == 1 else None)


def fixpoint(
    step: Callable[[Sequence[Value]], Sequence[Value]], start: Sequence[Value]
) -> list[Value]:
    """Join a carry with what a step makes of it, until nothing changes.

    It ends: a degree only grows, and a number is only lost.
    """
    carry = list(start)
    while True:
        joined = [join(pair) for pair in zip(carry, step(carry), strict=True)]
        if joined == carry:
            return carry
        carry = joined
