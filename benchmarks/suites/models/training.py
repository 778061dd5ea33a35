"""A perceptron beside other ways; `training.train` beside the bare compiled loop."""

import contextlib
import io
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax, nn
from sklearn.datasets import load_digits

from benchmarks import peers
from benchmarks._measure import Bench, Here, at_least, at_most
from benchmarks.functions import numbers
from jnumerics import conv, descent, mlp, perceptron, softmax
from jnumerics.workbench import originals, training

BATCH, KEY = 64, jax.random.key(0)


def perceptron_updates(bench: Bench) -> None:
    """10,000 updates of a perceptron."""
    X = np.array([[0.0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]])
    y, steps = np.array([0.0, 1, 1, 0]), 1_000 if bench.is_quick else 10_000
    start = np.array([-0.16595599, 0.44064899, -0.99977125])
    scan = jax.jit(lambda w, X, y: _perceptron_scan(w, X, y, steps))
    float32 = [jnp.asarray(a, jnp.float32) for a in (start, X, y)]
    numpy, torch, by_hand = "perceptron, NumPy loop", "torch.optim.SGD", "lax.scan"
    ours = "perceptron.fit"
    race = bench.race(
        {
            numpy: lambda: originals.perceptron(start, X, y, steps=steps),
            ours: Here(
                lambda: perceptron.fit(*float32, steps=steps), lambda d: d.params
            ),
            by_hand: Here(lambda: scan(*float32), lambda r: r[0]),
            torch: peers.contender("torch", "perceptron", *float32, steps=steps),
        },
        same=1e-3,
    )
    what = f"perceptron, {steps:,} updates"
    named = f"{what}: the NumPy loop over ours"
    bench.compare(named, at_least(80), race, numpy, ours)
    bench.compare(f"{what}: torch over ours", at_least(1_000), race, torch, ours)
    recorded = f"{what}: a scan by hand that records its losses over ours"
    bench.compare(recorded, at_least(0.95), race, by_hand, ours)


def _perceptron_scan(weights: Any, X: Any, y: Any, steps: int) -> Any:
    def step(w: Any, _: None) -> tuple[Any, Any]:
        o = nn.sigmoid(X @ w)
        loss = 0.5 * jnp.sum((o - y) ** 2)
        return w - X.T @ ((o - y) * o * (1 - o)), loss

    return lax.scan(step, weights, None, length=steps)


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
    minimize, train = f"{name}: minimize", f"{name}: train"
    contenders = {
        minimize: Here(bare, lambda d: d.losses), train: Here(whole, lambda t: t.losses)
    }  # fmt: skip
    race = bench.race(contenders, seconds=20, same=1e-3)
    bench.compare(
        "train over the bare compiled loop, digits CNN",
        at_most(1.03), race, train, minimize,
        "batches drawn and gathered, progress and checks included",
    )  # fmt: skip


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


BENCHMARKS: Mapping[str, Callable[[Bench], None]] = {
    "perceptron": perceptron_updates,
    "train": train_digits,
}
