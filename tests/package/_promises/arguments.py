"""Arguments, right and wrong, that several of the promises take."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jnumerics

ours: Any = jnumerics  # without types: the calls are wrong on purpose
conv, descent, mlp, softmax = ours.conv, ours.descent, ours.mlp, ours.softmax
perceptron, polynomial = ours.perceptron, ours.polynomial
derivatives, linear_regression = ours.derivatives, ours.linear_regression
KEY = jax.random.key(0)
X3 = jnp.ones(3)
ROWS = jnp.ones((4, 3))
THETA = jnp.ones(3)
Y = jnp.ones(4)


def mixing(X):
    return X - X.mean(0, keepdims=True)


def needs_values(x):
    return x if x[0] > 0 else -x


def noisy(x):
    """An effect in a loop that tangents pass."""

    def double(y):
        jax.debug.print("{}", y)
        return y * 2

    return jax.lax.while_loop(lambda y: jnp.sum(y) < 1e3, double, x)


def no_array_of_real_numbers(*calls):
    """Calls with what is no array, and with complex numbers in place of right ones."""
    return [
        lambda call=call, bad=bad: call(bad)
        for call, valid in calls
        for bad in ("text", None, [1.0], 1j * np.asarray(valid))
    ]
