"""`python -m tests.workbench.training._alone WHAT FOLDER`: a run of its own process."""

import os
import signal
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from jnumerics.workbench import devices, training

# a parent in the background may ignore it
signal.signal(signal.SIGINT, signal.default_int_handler)

ROWS, WIDTH = 64, 16
X = np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype(np.float32)
Y = np.sin(X.sum(1))


def start():
    draw = np.random.default_rng(1)
    weight = draw.normal(size=(WIDTH, 8)).astype(np.float32) / 4
    return {"in": weight, "out": np.ones(8, np.float32)}


def loss(params, batch):
    x, y = batch
    return jnp.mean((jnp.tanh(x @ params["in"]) @ params["out"] - y) ** 2)


def run(params, data, steps=12, **options):
    return training.train(
        loss, params, optimizer=optax.adam(0.01), steps=steps, data=data, batch_size=16,
        key=jax.random.key(0), report_every=5, **options,
    )  # fmt: skip


def agree(run, expected):
    np.testing.assert_allclose(run.losses, expected.losses, rtol=1e-5)
    for a, b in zip(*map(jax.tree.leaves, (run, expected)), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-6)


def shared(folder):
    """Eight devices give the run of one, and everything stays where it lies."""
    alone, mesh = run(start(), (X, Y)), devices.mesh()
    assert mesh.size == 8
    replicated = devices.replicate(start(), mesh)
    first = NamedSharding(mesh, PartitionSpec("batch"))
    split = replicated | {"in": jax.device_put(start()["in"], first)}
    for name, params, data in (
        ("data everywhere", replicated, (X, Y)),
        ("data shared", replicated, devices.shard((X, Y), mesh)),
        ("parameters shared", split, devices.shard((X, Y), mesh)),
    ):
        trained = run(params, data)
        agree(trained, alone)
        moment = trained.state[0].mu
        for key, leaf in params.items():
            for other in (trained.params[key], moment[key]):
                assert other.sharding.is_equivalent_to(leaf.sharding, leaf.ndim), name
    run(split, (X, Y), steps=6, checkpoint=folder)
    agree(run(start(), (X, Y), checkpoint=folder, resume=True), alone)


def twice(folder):
    """Ctrl-C comes twice at once, then again, in the midst of a chunk as it were."""

    def callback(step, params, losses):
        if step == 10:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)  # as from a terminal and a parent
            sys.stdout.write("one\n")
            sys.stdout.flush()
            time.sleep(0.7)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)
            sys.stdout.write("it did not end")

    run(start(), (X, Y), steps=40, checkpoint=folder, callback=callback)


if __name__ == "__main__":
    {"shared": shared, "twice": twice}[sys.argv[1]](Path(sys.argv[2]))
