"""The errors that `mlp` promises."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.package._promises.arguments import KEY, X3, mlp

LAYERS = mlp.init(KEY, [3, 5, 2])
PROMISES = {
    ("mlp.init", TypeError): {
        "`key` is not a random key": [lambda: mlp.init(3, [1, 2])],
        "`sizes` not a sequence of integers": [
            lambda: mlp.init(KEY, 3),
            lambda: mlp.init(KEY, [1, 2.5]),
        ],
        "`dtype` not a floating-point type": [
            lambda: mlp.init(KEY, [1, 2], dtype=int),
            lambda: mlp.init(KEY, [1, 2], dtype="text"),
        ],
    },
    ("mlp.init", ValueError): {
        "`key` is not one key": [lambda: mlp.init(jax.random.split(KEY), [1, 2])],
        "`sizes` has fewer than two entries": [lambda: mlp.init(KEY, [1])],
        "one of them is out of its range": [lambda: mlp.init(KEY, [1, 0])],
        "`dtype` is double without x64": [
            lambda: mlp.init(KEY, [1, 2], dtype="float64")
        ],
    },
    ("mlp.apply", TypeError): {
        "`params` is not a sequence of pairs of arrays": [
            lambda: mlp.apply(3, X3),
            lambda: mlp.apply([(jnp.ones((3, 2)),)], X3),
            lambda: mlp.apply([("w", "b")], X3),
        ],
        "`x` not an array of numbers": [lambda: mlp.apply(LAYERS, "text")],
        "`activation` not a function that can be hashed and returns an array": [
            lambda: mlp.apply(LAYERS, X3, activation="tanh"),
            lambda: mlp.apply(LAYERS, X3, activation=lambda _: None),
        ],
        "; those of NumPy and `math` cannot be traced": [
            lambda: mlp.apply(LAYERS, X3, activation=np.tanh)
        ],
    },
    ("mlp.apply", ValueError): {
        "`params` is empty": [lambda: mlp.apply([], X3)],
        "ranks or sizes of neighboring layers, a weight and its bias, or `x` and the"
        " first layer do not match": [
            lambda: mlp.apply([(X3, X3)], X3),
            lambda: mlp.apply([LAYERS[0], LAYERS[0]], X3),
            lambda: mlp.apply([(jnp.ones((3, 2)), X3)], X3),
            lambda: mlp.apply(LAYERS, jnp.ones(4)),
        ],
        "`precision` is unknown": [lambda: mlp.apply(LAYERS, X3, precision="most")],
        "`activation` changes a shape": [
            lambda: mlp.apply(LAYERS, X3, activation=jnp.sum)
        ],
    },
}
