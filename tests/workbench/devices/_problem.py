"""A small problem, for devices and processes to share."""

from typing import Any

import numpy as np
import optax

from jnumerics import descent, mlp
from jnumerics.workbench import devices, training

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


def train(mesh, steps, *, folder=None):
    """Train with batches that devices share; go on where there is a checkpoint."""
    samples, targets = (x.reshape(-1, x.shape[-1]) for x in BATCHES)

    def shared(params, batch):
        return loss(params, devices.shard(batch, mesh))

    return training.train(
        shared,
        devices.replicate(PARAMS, mesh),
        optimizer=OPTIMIZER,
        steps=steps,
        data=(samples, targets),
        batch_size=SAMPLES,
        checkpoint=folder,
        resume=folder is not None,
    )
