"""A small problem with batches, and the oracle: a Python loop of optax updates."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jnumerics.workbench import training

ROWS, BATCH = 22, 4  # 5 batches in an epoch, 2 rows left out
X = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
Y = (X @ np.array([1.0, -2.0, 0.5], np.float32)).astype(np.float32)
KEY = jax.random.key(7)
MOMENTUM = optax.sgd(0.05, momentum=0.9)


def start():
    return {"w": jnp.zeros(3), "b": jnp.zeros(())}


def loss(params, batch):
    x, y = batch
    return jnp.mean((x @ params["w"] + params["b"] - y) ** 2)


def with_aux(params, batch):
    value = loss(params, batch)
    return value, {"root": jnp.sqrt(value), "seen": batch[1]}


def train(steps=12, params=None, fun=loss, **options):
    defaults = {"optimizer": MOMENTUM, "data": (X, Y), "batch_size": BATCH, "key": KEY}
    params = start() if params is None else params
    return training.train(fun, params, steps=steps, **(defaults | options))


def batches(steps, key=KEY, size=ROWS, batch_size=BATCH):
    """Rows of each step, by the rule that `_order` states."""
    per_epoch = size // batch_size
    for step in range(steps):
        epoch, k = divmod(step, per_epoch)
        order = jax.random.permutation(jax.random.fold_in(key, epoch), size)
        yield np.asarray(order)[k * batch_size : (k + 1) * batch_size]


def by_hand(steps, optimizer=MOMENTUM, params=None) -> tuple[Any, np.ndarray]:
    """Losses and parameters of a loop of optax's own updates."""
    params = start() if params is None else params
    state, losses = optimizer.init(params), []
    for rows in batches(steps):
        value, grad = jax.value_and_grad(loss)(params, (X[rows], Y[rows]))
        updates, state = optimizer.update(grad, state, params)
        params = optax.apply_updates(params, updates)
        losses.append(value)
    return params, np.array(losses)


def same_bits(one, other):
    """Whether two runs have the same parameters, state, losses and step."""
    pairs = itertools.zip_longest(jax.tree.leaves(one), jax.tree.leaves(other))
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)


def files(folder):
    """The metrics of a run."""
    return [(folder / f"metrics.{end}").read_text() for end in ("csv", "jsonl")]
