"""What an array's replacement has to do to a derivative that was compiled."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives import jacobian_diagonal

X = jnp.array([1.0, 2.0, 3.0])


def check_a_change_is_seen(make: Callable[[], tuple[Any, Callable[[], None]]]) -> None:
    """Compare the diagonal of a function, x^2, before and after it was doubled."""
    fun, change = make()
    derivative = jacobian_diagonal(fun)
    before = derivative(X)
    np.testing.assert_allclose(before, 2 * X, rtol=1e-6)
    change()
    np.testing.assert_allclose(derivative(X), 2 * before, rtol=1e-6)
