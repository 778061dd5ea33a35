"""The errors that `linear_regression` promises."""

from typing import Any

import jax.numpy as jnp

from tests.package._promises.arguments import (
    ROWS,
    THETA,
    X3,
    Y,
    linear_regression,
    no_array_of_real_numbers,
)


def descend(**changes: Any):
    options = {"X": ROWS, "y": Y, "theta": THETA, "learning_rate": 0.1, "steps": 2}
    return lambda: linear_regression.gradient_descent(**options | changes)


PROMISES = {
    ("linear_regression.cost", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda theta: linear_regression.cost(theta, ROWS, Y), THETA),
            (lambda X: linear_regression.cost(THETA, X, Y), ROWS),
            (lambda y: linear_regression.cost(THETA, ROWS, y), Y),
        )
    },
    ("linear_regression.cost", ValueError): {
        "a rank is wrong": [
            lambda: linear_regression.cost(ROWS, ROWS, Y),
            lambda: linear_regression.cost(THETA, X3, Y),
        ],
        "`X` has no row": [
            lambda: linear_regression.cost(THETA, ROWS[:0], jnp.ones(0))
        ],
        "does not match `theta`": [
            lambda: linear_regression.cost(jnp.ones(2), ROWS, Y)
        ],
        "`y` has another shape, which would broadcast": [
            lambda: linear_regression.cost(THETA, ROWS, jnp.ones((1, 4)))
        ],
    },
    ("linear_regression.gradient_descent", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda X: descend(X=X)(), ROWS),
            (lambda y: descend(y=y)(), Y),
            (lambda theta: descend(theta=theta)(), THETA),
            (lambda rate: descend(learning_rate=rate)(), 0.1),
        ),
        "`steps` is not an integer": [descend(steps=2.0)],
    },
    ("linear_regression.gradient_descent", ValueError): {
        "a rank is wrong": [descend(theta=ROWS), descend(X=X3)],
        "`X` has no row": [descend(X=ROWS[:0], y=jnp.ones(0))],
        "does not match `theta`": [descend(theta=jnp.ones(2))],
        "`y` has another shape, which would broadcast": [descend(y=jnp.ones((1, 4)))],
        "`steps` is out of its range": [descend(steps=-1), descend(steps=2**31)],
    },
    ("linear_regression.solve", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda X: linear_regression.solve(X, Y), ROWS),
            (lambda y: linear_regression.solve(ROWS, y), Y),
        )
    },
    ("linear_regression.solve", ValueError): {
        "a rank is wrong": [
            lambda: linear_regression.solve(X3, X3),
            lambda: linear_regression.solve(ROWS, jnp.ones((4, 1, 1))),
        ],
        "`X` has no row": [lambda: linear_regression.solve(ROWS[:0], jnp.ones(0))],
        "fewer rows than columns": [lambda: linear_regression.solve(ROWS[:2], Y[:2])],
        "`y` has another number of rows": [
            lambda: linear_regression.solve(ROWS, jnp.ones(3))
        ],
    },
}
