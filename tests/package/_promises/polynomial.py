"""The errors that `polynomial` promises."""

import jax.numpy as jnp
import numpy as np

from tests.package._promises.arguments import X3, polynomial

NODES = {
    "there is no node": [lambda: polynomial.fit(jnp.ones(0), jnp.ones(0))],
    "if one is not finite": [
        lambda: polynomial.fit(np.array([1.0, np.nan]), np.ones(2))
    ],
    "two are equal in the common precision": [
        lambda: polynomial.fit(np.array([1.0, 1.0]), np.ones(2))
    ],
    "if `values` does not have $n$ entries along its first axis": [
        lambda: polynomial.fit(np.array([1.0, 2.0]), np.ones(3))
    ],
}
INTERPOLATED_NODES = {
    "there is no node": [lambda: polynomial.interpolate(jnp.ones(0), jnp.ones(0), 1.0)],
    "if one is not finite": [
        lambda: polynomial.interpolate(np.array([1.0, np.inf]), np.ones(2), 1.0)
    ],
    "two are equal in the common precision": [
        lambda: polynomial.interpolate(np.array([1.0, 1.0]), np.ones(2), 1.0)
    ],
    "if `values` does not have $n$ entries along its first axis": [
        lambda: polynomial.interpolate(np.array([1.0, 2.0]), np.ones(3), 1.0)
    ],
}
PROMISES = {
    ("polynomial.fit", TypeError): {
        "an argument is not an array of numbers": [
            lambda: polynomial.fit("text", X3),
            lambda: polynomial.fit(np.arange(3.0), None),
        ]
    },
    ("polynomial.fit", ValueError): NODES,
    ("polynomial.interpolate", TypeError): {
        "an argument is not an array of numbers": [
            lambda: polynomial.interpolate("text", X3, 1.0),
            lambda: polynomial.interpolate(np.arange(3.0), None, 1.0),
            lambda: polynomial.interpolate(np.arange(3.0), X3, "1"),
        ]
    },
    ("polynomial.interpolate", ValueError): INTERPOLATED_NODES,
    ("polynomial.evaluate", TypeError): {
        "an argument is not an array of numbers": [
            lambda: polynomial.evaluate("text", 1.0),
            lambda: polynomial.evaluate(X3, None),
        ]
    },
    ("polynomial.evaluate", ValueError): {
        "there is no coefficient": [lambda: polynomial.evaluate(jnp.ones(0), 1.0)]
    },
}
