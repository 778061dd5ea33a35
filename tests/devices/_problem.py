"""A small descent, for devices and processes to share."""

import numpy as np
import optax

from jnumerics import descent, mlp

STEPS, SAMPLES = 6, 16
OPTIMIZER = optax.sgd(0.1, momentum=0.9)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(STEPS, SAMPLES, 3)).astype(np.float32)
BATCHES = X, np.sin(X[..., :2]).astype(np.float32)
PARAMS = tuple(
    mlp.Layer(
        RANDOM.normal(size=(m, n)).astype(np.float32) / 2, np.zeros(n, np.float32)
    )
    for m, n in ((3, 5), (5, 2))
)


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
