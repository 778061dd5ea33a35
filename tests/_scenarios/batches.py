"""Functions of a batch whose samples, along axis 0, do not mix."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests._scenarios.stencils import correlate, correlate_np
from tests._scenarios.table import (
    FLOAT,
    REAL,
    Scenario,
    complex_step,
    drawn,
    drawn_with,
    full,
    like,
    per_sample,
    positive,
    tags,
    weights,
    wide,
)

LAYERS = [weights(100 + k, *s) for k, s in enumerate([(1, 20), (20, 20), (20, 4)])]
KERNEL, HEAD = weights(103, 3, 3, 1, 2), weights(104, 8, 3)
RECUR, DRIVE = weights(105, 3, 3, scale=0.5), weights(106, 2, 3)
QUERY, KEYS, VALUE = (weights(107 + k, 3, 3, scale=0.5) for k in range(3))
CONSTANTS = weights(110, 5, 3)
MATRIX = 8 * np.eye(4) + weights(111, 4, 4, scale=0.5)
SYMMETRIC = MATRIX @ MATRIX.T
RIGHT = weights(112, 4)
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


def newton(X):
    return lax.fori_loop(0, 8, lambda _, y: 0.5 * (y + X / y), X)


def root_jacobian(args):
    x = wide(args[0])
    return np.reshape(np.diag(0.5 / np.sqrt(x.ravel())), 2 * x.shape)


def solve(X):
    return jax.vmap(
        lambda x: jnp.linalg.solve(like(MATRIX, X) + jnp.diag(x), like(RIGHT, X))
    )(X)


def solve_np(X, xp):
    return xp.stack([np.linalg.solve(MATRIX + np.diag(x), RIGHT) for x in X])


def shifted(X):
    return like(SYMMETRIC, X)[None] + X[:, :, None] * jnp.eye(4, dtype=X.dtype)[None]


def log_determinant(X):
    """By the Cholesky factor of every sample."""
    return jnp.log(jnp.diagonal(jnp.linalg.cholesky(shifted(X)), 0, 1, 2))


def log_determinant_np(X, xp):
    def pivots(a):  # the Cholesky factor's diagonal, by elimination
        a = a.copy()
        for k in range(len(a)):
            a[k + 1 :] -= np.outer(a[k + 1 :, k] / a[k, k], a[k])
        return np.sqrt(np.diagonal(a))

    return xp.log(np.stack([pivots(SYMMETRIC + np.diag(x)) for x in X]))


def eigenvalues(X):
    return jnp.linalg.eigvalsh(shifted(X))


def eigenvalues_jacobian(args):
    X = wide(args[0])
    n = len(X)
    jacobian = np.zeros((n, 4, n, 4))
    for i, x in enumerate(X):
        jacobian[i, :, i] = (np.linalg.eigh(SYMMETRIC + np.diag(x))[1] ** 2).T
    return jacobian


def mapped(X):
    return lax.map(lambda x: jnp.cumsum(jnp.sin(x)), X)


def mapped_np(X, xp):
    return xp.cumsum(np.sin(X), axis=1)


def own_constants(X, xp=jnp):
    return xp.sin(X * like(CONSTANTS, X)) @ like(CONSTANTS[:3], X)


@jax.custom_vjp
def normalized(X):
    return X / jnp.sqrt(jnp.sum(X * X, axis=1, keepdims=True))


def _normalized_backward(X, g):
    r = jnp.sqrt(jnp.sum(X * X, axis=1, keepdims=True))
    y = X / r
    return ((g - y * jnp.sum(y * g, axis=1, keepdims=True)) / r,)


normalized.defvjp(lambda X: (normalized(X), X), _normalized_backward)


def normalized_np(X, xp):
    return X / xp.sqrt((X * X).sum(1, keepdims=True))


def frozen_statistics(X):
    mean = lax.stop_gradient(jnp.mean(X, axis=0, keepdims=True))
    deviation = lax.stop_gradient(jnp.std(X, axis=0, keepdims=True))
    return (X - mean) / deviation


def frozen_statistics_jacobian(args):
    X = wide(args[0])
    slope = np.broadcast_to(1 / X.std(0), X.shape)
    return np.reshape(np.diag(slope.ravel()), 2 * X.shape)


def row_set_to_zero(X):
    return jnp.tanh(X).at[0].set(0.0).cumsum(axis=1)


def row_set_to_zero_np(X, xp):
    rows = xp.tanh(X)
    rows[0] = 0
    return rows.cumsum(1)


def several_outputs(X, xp=jnp):
    return {"mean": X.mean(1), "wave": xp.sin(X)}


BATCH = tags("batch twice")
SORTED = tags("batch kink data_dependent")
ALL_BUT_FIRST = per_sample(4, np.tri(3, dtype=bool), 1).copy()
ALL_BUT_FIRST[0] = False
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
    Scenario(
        "newton_of_samples",
        newton,
        positive(6, 2),
        root_jacobian,
        per_sample(6, np.eye(2, dtype=bool), 1),
        BATCH | {"elementwise", "scan"},
    ),
    Scenario(
        "solve_of_samples",
        solve,
        drawn((3, 4)),
        complex_step(solve_np),
        per_sample(3, full(4, 4), 1),
        BATCH,
        dtypes=FLOAT,
    ),
    Scenario(
        "cholesky_of_samples",
        log_determinant,
        positive(3, 4),
        complex_step(log_determinant_np),
        per_sample(3, np.tri(4, dtype=bool), 1),
        BATCH,
        dtypes=FLOAT,
    ),
    Scenario(
        "eigenvalues_of_samples",
        eigenvalues,
        drawn((3, 4)),
        eigenvalues_jacobian,
        per_sample(3, full(4, 4), 1),
        tags("batch"),
        dtypes=FLOAT,
    ),
    Scenario(
        "mapped_samples",
        mapped,
        drawn((5, 3)),
        complex_step(mapped_np),
        per_sample(5, np.tri(3, dtype=bool), 1),
        BATCH | {"scan"},
    ),
    Scenario(
        "own_constants",
        own_constants,
        drawn((5, 3)),
        complex_step(own_constants),
        per_sample(5, full(3, 3), 1),
        BATCH,
    ),
    Scenario(
        "normalized_by_custom_vjp",
        normalized,
        drawn((4, 3)),
        complex_step(normalized_np),
        per_sample(4, full(3, 3), 1),
        tags("batch custom_vjp reverse_only"),
    ),
    Scenario(
        "frozen_statistics",
        frozen_statistics,
        drawn((6, 3)),
        frozen_statistics_jacobian,
        per_sample(6, np.eye(3, dtype=bool), 1),
        tags("batch elementwise stopped"),
    ),
    Scenario(
        "row_set_to_zero",
        row_set_to_zero,
        drawn((4, 3)),
        complex_step(row_set_to_zero_np),
        ALL_BUT_FIRST,
        BATCH,
    ),
    Scenario(
        "several_outputs",
        several_outputs,
        drawn((4, 3)),
        complex_step(several_outputs),
        {
            "mean": per_sample(4, full(3), 0),
            "wave": per_sample(4, np.eye(3, dtype=bool), 1),
        },
        BATCH | {"pytree"},
        dtypes=REAL,
    ),
)
