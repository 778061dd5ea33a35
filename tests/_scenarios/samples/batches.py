"""Networks and features of samples along axis 0, which do not mix."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests._scenarios.stencils import correlate, correlate_np
from tests._scenarios.table import (
    BATCH,
    Scenario,
    complex_step,
    drawn,
    drawn_with,
    full,
    like,
    per_sample,
    tags,
    weights,
)

LAYERS = [weights(100 + k, *s) for k, s in enumerate([(1, 20), (20, 20), (20, 4)])]
KERNEL, HEAD = weights(103, 3, 3, 1, 2), weights(104, 8, 3)
RECUR, DRIVE = weights(105, 3, 3, scale=0.5), weights(106, 2, 3)
QUERY, KEYS, VALUE = (weights(107 + k, 3, 3, scale=0.5) for k in range(3))
LABELS = np.array([2, 0, 3, 3, 1])


def network(X, xp=jnp):
    *hidden, last = [like(w, X) for w in LAYERS]
    for w in hidden:
        X = xp.tanh(X @ w / 4)
    return X @ last


def cnn(X, xp=jnp):
    """Correlate, square, average 2 by 2, one linear layer: (n, 6, 6, 1) to (n, 3)."""
    if xp is np:
        maps = np.stack([correlate_np(x, KERNEL) for x in X])
    else:
        kernel = like(KERNEL, X)
        maps = jax.vmap(lambda x: correlate(x, kernel, padding="VALID"))(X)
    maps = xp.tanh(maps / 4)
    pooled = maps.reshape(-1, 2, 2, 2, 2, 2).sum((2, 4)) / 4
    return pooled.reshape(-1, 8) @ like(HEAD, X)


def cnn_with_max_pool(X):
    maps = lax.conv_general_dilated(
        X, like(KERNEL, X), (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    pooled = lax.reduce_window(
        jax.nn.relu(maps), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
    )
    return pooled.reshape(-1, 8) @ like(HEAD, X)


def cnn_with_max_pool_np(X, xp):
    maps = xp.stack([correlate_np(x, KERNEL) for x in X])
    maps = np.where(maps.real > 0, maps, 0)
    cells = maps.reshape(-1, 2, 2, 2, 2, 2).transpose(0, 1, 3, 5, 2, 4)
    return cells.reshape(*cells.shape[:4], 4).max(-1).reshape(-1, 8) @ HEAD


def rnn(X, xp=jnp):
    """The last state after the steps along axis 1."""

    def step(h, x):
        return xp.tanh(h @ like(RECUR, X) + x @ like(DRIVE, X) / 4)

    h = xp.zeros((X.shape[0], 3), X.dtype)
    if xp is np:
        for t in range(X.shape[1]):
            h = step(h, X[:, t])
        return h
    return lax.scan(lambda h, x: (step(h, x), None), h, X.swapaxes(0, 1))[0]


def attention(X, xp=jnp):
    q, k, v = (X @ like(w, X) for w in (QUERY, KEYS, VALUE))
    scores = xp.exp(q @ k.swapaxes(1, 2) / 2)
    return scores / scores.sum(2, keepdims=True) @ v


def layer_norm(X, xp=jnp):
    centered = X - X.mean(1, keepdims=True)
    return centered / xp.sqrt((centered * centered).mean(1, keepdims=True) + 1e-3)


def rows_reshaped(X, xp=jnp):
    return xp.sin(X.reshape(-1)).reshape(-1, 2).sum(1).reshape(X.shape[0], -1)


def softmax_features(X):
    return jax.nn.softmax(X, axis=1)


def softmax_features_np(X, xp):
    e = xp.exp(X)
    return e / e.sum(1, keepdims=True)


def sorted_features(X, xp=jnp):
    return xp.sort(X, axis=1)


def top_features(X):
    return lax.top_k(X, 2)[0]


def top_features_np(X, xp):
    return xp.sort(X, axis=1)[:, :-3:-1]


def score_of_label(X, labels):
    return jnp.take_along_axis(X * X, labels[:, None], axis=1)[:, 0]


def score_of_label_np(X, labels, xp):
    return (X * X)[xp.arange(len(X)), labels]


SORTED = tags("batch kink data_dependent")
PAIRS = np.repeat(np.eye(3, dtype=bool), 2, axis=1)
TABLE = (
    Scenario(
        "network_of_times",
        network,
        drawn((7, 1)),
        complex_step(network),
        per_sample(7, full(4, 1), 1),
        BATCH | {"tall"},
    ),
    Scenario(
        "cnn",
        cnn,
        drawn((3, 6, 6, 1)),
        complex_step(cnn),
        per_sample(3, full(3, 6, 6, 1), 1),
        BATCH | {"conv", "wide"},
    ),
    Scenario(
        "cnn_with_max_pool",
        cnn_with_max_pool,
        drawn((2, 6, 6, 1)),
        complex_step(cnn_with_max_pool_np),
        per_sample(2, full(3, 6, 6, 1), 1),
        SORTED | {"conv", "wide"},
    ),
    Scenario(
        "rnn",
        rnn,
        drawn((4, 5, 2)),
        complex_step(rnn),
        per_sample(4, full(3, 5, 2), 1),
        BATCH | {"scan", "wide"},
    ),
    Scenario(
        "attention",
        attention,
        drawn((2, 4, 3)),
        complex_step(attention),
        per_sample(2, full(4, 3, 4, 3), 2),
        BATCH,
    ),
    Scenario(
        "layer_norm_of_samples",
        layer_norm,
        drawn((5, 6)),
        complex_step(layer_norm),
        per_sample(5, full(6, 6), 1),
        BATCH,
    ),
    Scenario(
        "rows_flattened_and_back",
        rows_reshaped,
        drawn((3, 6)),
        complex_step(rows_reshaped),
        per_sample(3, PAIRS, 1),
        BATCH | {"wide"},
    ),
    Scenario(
        "softmax_of_features",
        softmax_features,
        drawn((4, 5)),
        complex_step(softmax_features_np),
        per_sample(4, full(5, 5), 1),
        BATCH,
    ),
    Scenario(
        "sorted_features",
        sorted_features,
        drawn((4, 5)),
        complex_step(sorted_features),
        per_sample(4, full(5, 5), 1),
        SORTED,
    ),
    Scenario(
        "top_features",
        top_features,
        drawn((4, 5)),
        complex_step(top_features_np),
        per_sample(4, full(2, 5), 1),
        SORTED | {"wide"},
    ),
    Scenario(
        "score_of_label",
        score_of_label,
        drawn_with((5, 4), LABELS),
        complex_step(score_of_label_np),
        per_sample(5, full(4), 0),
        tags("batch data_dependent wide"),
    ),
)
