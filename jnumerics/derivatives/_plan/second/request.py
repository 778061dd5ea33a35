"""What is asked of a function's second order, and a way to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Array

from jnumerics.derivatives._modes.collapsed.sweep import Swept
from jnumerics.derivatives._plan.second import nested
from jnumerics.derivatives._plan.second.nested import NestedScalar
from jnumerics.derivatives._program.trace import Target


@dataclass(frozen=True, eq=False)
class Request:
    """What is asked of a function's second order.

    Attributes:
        target: The function's first derivative.
        directions: Along what, stacked for each differentiated leaf; None is all basis
            vectors.
        vouched: Whether the user vouches that derivatives are linear.
        max_bytes: Bound of the temporary memory.
        wants_first: Whether value and gradient are wanted too.
    """

    target: Target
    directions: Sequence[Array] | None
    vouched: bool
    max_bytes: int | None
    wants_first: bool = False

    @property
    def point(self) -> list[Array]:
        """The differentiated leaves."""
        return [self.target.leaves[k] for k in self.target.active]

    @property
    def is_scalar(self) -> bool:
        """Whether the result is one number."""
        return [aval.shape for aval in self.target.out_avals] == [()]

    def restricted(self, *xs: Array) -> list[Array]:
        """Evaluate the function at other values of the differentiated leaves."""
        leaves = list(self.target.leaves)
        for k, x in zip(self.target.active, xs, strict=True):
            leaves[k] = x
        return self.target.fun(leaves)[0]

    def scalar(self, *xs: Array) -> Array:
        """Evaluate it where the result is one number."""
        return self.restricted(*xs)[0]

    def value_and_gradient(self, *xs: Array) -> tuple[Array, list[Array]]:
        """Evaluate it with its gradient, by one reverse pass."""
        return nested.value_and_gradient(self.scalar, xs, vouched=self.vouched)

    def nested(self) -> NestedScalar:
        """Plan the passes over the gradient of a scalar."""
        return nested.of_scalar(
            self.scalar,
            self.point,
            self.directions,
            vouched=self.vouched,
            max_bytes=self.max_bytes,
        )


@dataclass(frozen=True)
class Way:
    """A way to the second order.

    Attributes:
        mode: "nested" or "collapsed".
        seconds: The predicted cost.
        run: Returns the leaves of the result's values, of a scalar's gradient if that
            is wanted, and of the Laplacian.
    """

    mode: str
    seconds: float
    run: Callable[[], Swept]
