"""A small descent, for devices and processes to share."""

from typing import Any

import numpy as np
import optax

from jnumerics import descent, mlp

STEPS, SAMPLES = 6, 16
OPTIMIZER = optax.sgd(0.1, momentum=0.9)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(STEPS, SAMPLES, 3)).astype(np.float32)
BATCHES = X, np.sin(X[..., :2]).astype(np.float32)
# of NumPy: before processes have joined, JAX may compute nothing
WEIGHTS: Any = [
    RANDOM.normal(size=size).astype(np.float32) for size in ((3, 5), (5, 2))
]
PARAMS = tuple(mlp.Layer(weight / 2, 0 * weight[0]) for weight in WEIGHTS)


def loss(params, batch):
    x, y = batch
    return ((mlp.apply(params, x) - y) ** 2).mean()


def descend(params, batches, *, state=None):
    """As many updates as there are batches."""
    return descent.minimize(
        loss,
        params,
        optimizer=OPTIMIZER,
        steps=len(batches[0]),
        state=state,
        batches=batches,
    )
