"""`python -m tests.endurance.files.victim FOLDER STEPS`: a run that is killed.

It prints "go" before it begins, and at its end a digest of all that it came to.
"""

import hashlib
import sys
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jnumerics import mlp
from jnumerics.workbench.training import train

BALLAST = 300_000  # numbers, so that the write of a checkpoint takes a while


def loss(params: Any, batch: Any) -> Any:
    (layers, ballast), (x, y) = params, batch
    outputs = mlp.apply(layers, x)[:, 0]
    return jnp.mean((outputs - y) ** 2) + jnp.mean(ballast**2)


def result(folder: str, steps: int) -> str:
    """Train with dropped samples, Adam and a key; return a digest of all results."""
    x = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)
    run = train(
        loss,
        (mlp.init(jax.random.key(1), (8, 100, 1)), jnp.ones(BALLAST)),
        optimizer=optax.adam(1e-3),
        steps=steps,
        data=(x, np.sin(x.sum(1))),
        batch_size=16,
        key=jax.random.key(2),
        report_every=10,
        checkpoint=folder,
        checkpoint_every=15,
        resume=True,
        evaluate=lambda params: {"norm": optax.tree.norm(params)},
    )
    digest = hashlib.sha256(run.losses.tobytes())
    for leaf in jax.tree.leaves((run.params, run.state)):
        digest.update(np.asarray(leaf).tobytes())
    return f"{run.step} {digest.hexdigest()}"


if __name__ == "__main__":
    warnings.simplefilter("error")
    print("go", flush=True)
    print(result(sys.argv[1], int(sys.argv[2])), flush=True)
