"""The errors that `perceptron` promises."""

from typing import Any

import jax
import jax.numpy as jnp

from tests.package._promises.arguments import (
    KEY,
    ROWS,
    THETA,
    X3,
    Y,
    no_array_of_real_numbers,
    perceptron,
)


def fit(**changes: Any):
    options = {"weights": THETA, "X": ROWS, "y": Y, "steps": 2}
    return lambda: perceptron.fit(**options | changes)


PROMISES = {
    ("perceptron.init", TypeError): {
        "`key` is not a random key": [lambda: perceptron.init(3, 2)],
        "`n_in` not an integer": [lambda: perceptron.init(KEY, 2.0)],
        "`dtype` not a real floating-point type": [
            lambda: perceptron.init(KEY, 2, dtype=int),
            lambda: perceptron.init(KEY, 2, dtype=complex),
        ],
    },
    ("perceptron.init", ValueError): {
        "`key` is not one key": [lambda: perceptron.init(jax.random.split(KEY), 2)],
        "`n_in` is out of its range": [lambda: perceptron.init(KEY, -1)],
        "`dtype` is double without x64": [
            lambda: perceptron.init(KEY, 2, dtype="float64")
        ],
    },
    ("perceptron.apply", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda weights: perceptron.apply(weights, ROWS), THETA),
            (lambda X: perceptron.apply(THETA, X), ROWS),
        )
    },
    ("perceptron.apply", ValueError): {
        "`weights` does not have rank 1": [lambda: perceptron.apply(ROWS, ROWS)],
        "the last axis of `X` has another size": [
            lambda: perceptron.apply(THETA, jnp.ones((4, 2)))
        ],
    },
    ("perceptron.loss", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda weights: perceptron.loss(weights, ROWS, Y), THETA),
            (lambda X: perceptron.loss(THETA, X, Y), ROWS),
            (lambda y: perceptron.loss(THETA, ROWS, y), Y),
        )
    },
    ("perceptron.loss", ValueError): {
        "a rank is wrong": [
            lambda: perceptron.loss(ROWS, ROWS, Y),
            lambda: perceptron.loss(THETA, X3, Y),
        ],
        "`X` does not match `weights`": [
            lambda: perceptron.loss(THETA, jnp.ones((4, 2)), Y)
        ],
        "`y` has another shape, which would broadcast": [
            lambda: perceptron.loss(THETA, ROWS, jnp.ones((1, 4)))
        ],
    },
    ("perceptron.fit", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda weights: fit(weights=weights)(), THETA),
            (lambda X: fit(X=X)(), ROWS),
            (lambda y: fit(y=y)(), Y),
        ),
        "`steps` not an integer": [fit(steps=2.0)],
    },
    ("perceptron.fit", ValueError): {
        "a rank is wrong": [fit(weights=ROWS), fit(X=X3)],
        "`X` does not match `weights`": [fit(X=jnp.ones((4, 2)))],
        "`y` has another shape, which would broadcast": [fit(y=jnp.ones((1, 4)))],
        "`steps` is out of its range": [fit(steps=-1), fit(steps=2**31)],
    },
}
