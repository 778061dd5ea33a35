"""The errors that `softmax` promises."""

import jax.numpy as jnp
import numpy as np

from tests.package._promises.arguments import (
    ROWS,
    X3,
    no_array_of_real_numbers,
    softmax,
)

PROMISES = {
    ("softmax.softmax", TypeError): {
        "`x` is not an array of real numbers": no_array_of_real_numbers(
            (softmax.softmax, X3)
        ),
        "`axis` not an integer": [lambda: softmax.softmax(X3, axis=0.5)],
    },
    ("softmax.softmax", ValueError): {
        "`x` has rank 0": [lambda: softmax.softmax(1.0)],
        "no such axis": [lambda: softmax.softmax(X3, axis=1)],
    },
    ("softmax.log_softmax", TypeError): {
        "`x` is not an array of real numbers": no_array_of_real_numbers(
            (softmax.log_softmax, X3)
        ),
        "`axis` not an integer": [lambda: softmax.log_softmax(X3, axis=0.5)],
    },
    ("softmax.log_softmax", ValueError): {
        "`x` has rank 0": [lambda: softmax.log_softmax(1.0)],
        "no such axis": [lambda: softmax.log_softmax(X3, axis=-2)],
    },
    ("softmax.jacobian", TypeError): {
        "`x` is not an array of real numbers": no_array_of_real_numbers(
            (softmax.jacobian, X3)
        )
    },
    ("softmax.jacobian", ValueError): {
        "`x` has rank 0": [lambda: softmax.jacobian(1.0)]
    },
    ("softmax.jvp", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda x: softmax.jvp(x, X3), X3), (lambda t: softmax.jvp(X3, t), X3)
        )
    },
    ("softmax.jvp", ValueError): {
        "`x` has rank 0": [lambda: softmax.jvp(1.0, 1.0)],
        "the shapes differ": [lambda: softmax.jvp(X3, jnp.ones(2))],
    },
    ("softmax.vjp", TypeError): {
        "an argument is not an array of real numbers": no_array_of_real_numbers(
            (lambda x: softmax.vjp(x, X3), X3), (lambda g: softmax.vjp(X3, g), X3)
        )
    },
    ("softmax.vjp", ValueError): {
        "`x` has rank 0": [lambda: softmax.vjp(1.0, 1.0)],
        "the shapes differ": [lambda: softmax.vjp(X3, jnp.ones((1, 3)))],
    },
    ("softmax.cross_entropy", TypeError): {
        "`logits` is not an array of real numbers": no_array_of_real_numbers(
            (lambda x: softmax.cross_entropy(x, np.array([0])), ROWS[:1])
        ),
        "`labels` not one of integers or real numbers": no_array_of_real_numbers(
            (lambda labels: softmax.cross_entropy(ROWS, labels), ROWS)
        ),
        "; booleans are neither classes nor probabilities": [
            lambda: softmax.cross_entropy(ROWS, np.ones(4, bool))
        ],
    },
    ("softmax.cross_entropy", ValueError): {
        "the shapes do not match": [
            lambda: softmax.cross_entropy(ROWS, np.array([0, 1])),
            lambda: softmax.cross_entropy(ROWS, np.ones((3, 3))),
        ],
        "there is no row": [
            lambda: softmax.cross_entropy(np.ones((0, 3)), np.ones(0, int))
        ],
        "no class": [lambda: softmax.cross_entropy(np.ones((3, 0)), np.ones(3, int))],
    },
}
