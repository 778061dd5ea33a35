"""What is asked of a function's second order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Array

from jnumerics.derivatives._modes.collapsed.sweep import Directions, basis, stacked
from jnumerics.derivatives._plan.second import nested
from jnumerics.derivatives._plan.second.nested import NestedScalar
from jnumerics.derivatives._program.trace import Target


@dataclass(frozen=True, eq=False)
class Request:
    """What is asked of a function's second order.

    Attributes:
        target: The function's first derivative.
        stacks: Directions, stacked for each differentiated leaf; None is all basis
            vectors.
        vouched: Whether the user vouches that derivatives are linear.
        max_bytes: Bound of the temporary memory.
        wants_first: Whether value and gradient are wanted too.
    """

    target: Target
    stacks: Sequence[Array] | None
    vouched: bool
    max_bytes: int | None
    wants_first: bool = False

    @property
    def point(self) -> list[Any]:
        """The differentiated leaves."""
        return [self.target.leaves[k] for k in self.target.active]

    @property
    def directions(self) -> Directions:
        """The directions whose second derivatives are summed."""
        return basis(self.point) if self.stacks is None else stacked(self.stacks)

    @property
    def is_scalar(self) -> bool:
        """Whether the result is one number."""
        return [aval.shape for aval in self.target.out_avals] == [()]

    def restricted(self, leaves: Sequence[Any]) -> Callable[..., list[Array]]:
        """Return the function of the differentiated leaves, the others as given."""

        def fun(*xs: Array) -> list[Array]:
            replaced = list(leaves)
            for k, x in zip(self.target.active, xs, strict=True):
                replaced[k] = x
            return self.target.fun(replaced)[0]

        return fun

    def scalar(self, *xs: Array) -> Array:
        """Evaluate it where the result is one number."""
        return self.restricted(self.target.leaves)(*xs)[0]

    def value_and_gradient(self, *xs: Array) -> tuple[Array, list[Array]]:
        """Evaluate it with its gradient, by one reverse pass."""
        return nested.value_and_gradient(self.scalar, xs, vouched=self.vouched)

    def nested(self) -> NestedScalar:
        """Plan the passes over the gradient of a scalar."""
        return nested.of_scalar(
            self.scalar,
            self.point,
            self.stacks,
            vouched=self.vouched,
            max_bytes=self.max_bytes,
        )


def require_real(target: Target) -> None:
    """Require a function with real results.

    Raises:
        TypeError: If one is complex.
    """
    if any(target.is_pair):
        msg = "`fun` must return real numbers, got complex ones"
        raise TypeError(msg)
