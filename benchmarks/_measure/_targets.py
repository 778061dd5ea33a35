"""Figures, and targets that are met or not."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jnumerics import _table


class Spread(NamedTuple):
    """A figure with its quartiles."""

    median: float
    q1: float
    q3: float

    @classmethod
    def from_values(cls, values: Any) -> "Spread":
        """Summarize values."""
        q1, median, q3 = (float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
        return cls(median, q1, q3)

    @classmethod
    def exactly(cls, value: float) -> "Spread":
        """Take a figure that has no spread."""
        return cls(float(value), float(value), float(value))


@dataclass(frozen=True)
class Target:
    """A bound of a figure.

    Attributes:
        bound: The least or the most that it may be.
        is_floor: Whether it is the least.
        unit: "" for ratios, "s" for seconds, "%" for shares.
    """

    bound: float
    is_floor: bool
    unit: str = ""

    def is_met(self, value: float) -> bool:
        """Whether a figure keeps the bound."""
        return value >= self.bound if self.is_floor else value <= self.bound

    def __str__(self) -> str:
        """Return the bound with its direction."""
        return f"{'≥' if self.is_floor else '≤'} {self.write(self.bound)}"

    def write(self, value: float) -> str:
        """Return a figure as text, with its unit, and on its side of the bound."""
        if self.unit == "s":
            return _table.seconds(value)
        rounded = float(f"{value:.3g}")
        digits = 3 if self.is_met(rounded) == self.is_met(value) else 5
        large = abs(value) >= 1000 and digits == 3
        text = f"{value:,.0f}" if large else _table.number(value, digits)
        return f"{text} {self.unit}".rstrip()


def at_least(bound: float, unit: str = "") -> Target:
    """Require a figure to be at least the bound."""
    return Target(bound, is_floor=True, unit=unit)


def at_most(bound: float, unit: str = "") -> Target:
    """Require a figure to be at most the bound."""
    return Target(bound, is_floor=False, unit=unit)


@dataclass(frozen=True)
class Line:
    """One line of the table: a promise, and what was measured.

    Attributes:
        what: What is measured.
        target: Its bound; None where none was promised.
        value: The figure; None where it could not be measured.
        note: Why not, or what else is to be known.
    """

    what: str
    target: Target | None
    value: Spread | None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None where nothing was measured or promised."""
        if self.value is None or self.target is None:
            return None
        return self.target.is_met(self.value.median)

    @property
    def measured(self) -> str:
        """The figure, with its quartiles where it has a spread."""
        if self.value is None:
            return self.note or "not measured"
        write = (self.target or at_least(0)).write
        middle, low, high = (write(v) for v in self.value)
        return middle if low == high else f"{middle} ({low} - {high})"

    @property
    def verdict(self) -> str:
        """The words "met", "missed" or "-"."""
        return {None: "-", True: "met", False: "missed"}[self.is_met]
