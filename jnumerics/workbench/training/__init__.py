"""Gradient descent that runs for long: batches, reports, checkpoints, stopping.

`train` runs `descent.minimize` in compiled chunks. What a run is depends on its
arguments alone: the order of the data is drawn from the key and the step, and chunks of
any length are the same updates. So the same run twice is the same, bit for bit on CPU,
and so is a run that was killed at any moment and resumed.

    train(loss, params, optimizer=optax.adam(1e-3), steps=10**6, data=(X, y),
          batch_size=64, key=jax.random.key(0), checkpoint="run", resume=True)

Not offered: accumulated gradients (`optax.MultiSteps` is an optimizer that does it),
several losses in turn, data that an iterator gives (it could not be resumed).
"""

from jnumerics.workbench.training._finite import NonFiniteError
from jnumerics.workbench.training._saved import FolderError
from jnumerics.workbench.training._train import Training, train

__all__ = ["FolderError", "NonFiniteError", "Training", "train"]
