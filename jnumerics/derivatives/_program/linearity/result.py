"""What is proven of a program: whether it is linear, else where that was lost."""

from dataclasses import dataclass
from typing import NamedTuple

from jnumerics.derivatives._program.jaxpr import (
    UNKNOWN_LINE,
)


class Loss(NamedTuple):
    """Where linearity was lost.

    Attributes:
        operation: The primitive.
        line: The user's file and line.
    """

    operation: str
    line: str = UNKNOWN_LINE

    def __str__(self) -> str:
        """Name the operation, and its line where there is one."""
        has_line = self.line != UNKNOWN_LINE
        return f"{self.operation} at {self.line}" if has_line else self.operation

    @property
    def is_solver(self) -> bool:
        """Whether it is a linear solver, which may not have solved exactly."""
        return self.operation == "custom_linear_solve"


@dataclass(frozen=True)
class Linearity:
    """What is proven of a program.

    Attributes:
        losses: Where linearity was lost; the proof is that there are none.
        is_zero_at_zero: For each answer, whether it is zero where all tangents are.
    """

    losses: tuple[Loss, ...]
    is_zero_at_zero: tuple[bool, ...]

    @property
    def is_proven(self) -> bool:
        """Whether every answer is linear in the tangents."""
        return not self.losses

    @property
    def is_for_solvers(self) -> bool:
        """Whether nothing but linear solvers is unproven."""
        return all(loss.is_solver for loss in self.losses)

    @property
    def reason(self) -> str:
        """The first loss, a rule's before a solver's, for people."""
        first = min(self.losses, key=lambda loss: loss.is_solver)
        return f"{first} is not proven linear"
