"""What `training.train` costs beside the compiled loop that it is made of."""

import contextlib
import io
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import nn
from sklearn.datasets import load_digits

from benchmarks._measure import Bench, at_most
from benchmarks.functions import numbers
from jnumerics import conv, descent, mlp, softmax
from jnumerics.workbench import training

BATCH, KEY = 64, jax.random.key(0)


def train_digits(bench: Bench) -> None:
    """A small network on digits: `train`, and `minimize` with batches made before."""
    steps = 50 if bench.is_quick else 400
    images, labels = load_digits(return_X_y=True)
    data = jnp.asarray(images.reshape(-1, 8, 8, 1) / 16, float), jnp.asarray(labels)
    batches = jax.tree.map(lambda x: x[_rows(len(labels), steps)], data)
    start, optimizer = _start(), optax.sgd(0.05, momentum=0.9, nesterov=True)

    def bare() -> Any:
        return descent.minimize(
            _loss, start, optimizer=optimizer, steps=steps, batches=batches
        )

    def whole() -> Any:
        with contextlib.redirect_stderr(io.StringIO()):
            return training.train(
                _loss, start, optimizer=optimizer, steps=steps, data=data,
                batch_size=BATCH, key=KEY,
            )  # fmt: skip

    name = f"digits, {steps} updates of {BATCH}"
    race = bench.race({f"{name}: minimize": bare, f"{name}: train": whole}, seconds=30)
    bench.report(
        "train over the bare compiled loop, digits CNN",
        at_most(1.03),
        race.ratio(f"{name}: train", f"{name}: minimize"),
        "batches drawn and gathered, progress and checks included",
    )


def _rows(size: int, steps: int) -> np.ndarray:
    """Return the rows that each update of `train` sees."""
    per_epoch = size // BATCH
    orders = [
        jax.random.permutation(jax.random.fold_in(KEY, epoch), size)
        for epoch in range(-(-steps // per_epoch))
    ]
    rows = [np.asarray(o)[: per_epoch * BATCH].reshape(-1, BATCH) for o in orders]
    return np.concatenate(rows)[:steps]


def _start() -> Any:
    kernels = numbers(3, 3, 1, 8, scale=0.4), numbers(3, 3, 8, 16, scale=0.15)
    return kernels, mlp.init(jax.random.key(1), (256, 10))


def _loss(params: Any, batch: Any) -> Any:
    (first, second), layers = params
    x, labels = batch
    x = nn.relu(conv.conv2d(x, first, padding="SAME"))
    x = nn.relu(conv.conv2d(x, second, stride=2, padding="SAME"))
    return softmax.cross_entropy(mlp.apply(layers, x.reshape(len(x), -1)), labels)


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {"train": train_digits}
