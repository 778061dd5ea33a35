"""Functions of a batch in which one sample's output reads another sample."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests._scenarios.table import (
    Scenario,
    complex_step,
    drawn,
    eye,
    full,
    outer,
    tags,
    wide,
)


def batch_norm(X, xp=jnp):
    centered = X - X.mean(0, keepdims=True)
    return centered / xp.sqrt((centered * centered).mean(0, keepdims=True) + 1e-3)


def softmax_batch(X):
    return jax.nn.softmax(X, axis=0)


def softmax_batch_np(X, xp):
    e = xp.exp(X)
    return e / e.sum(0, keepdims=True)


def roll_batch(X, xp=jnp):
    return xp.roll(X * X, 1, axis=0)


def reverse_batch(X, xp=jnp):
    return xp.flip(xp.sin(X), axis=0)


def cumsum_batch(X, xp=jnp):
    return xp.cumsum(X * X, axis=0)


def scan_batch(X):
    def step(carry, x):
        carry = jnp.tanh(carry + x)
        return carry, carry

    return lax.scan(step, jnp.zeros(X.shape[1:], X.dtype), X)[1]


def scan_batch_np(X, xp):
    rows = [xp.tanh(X[0])]
    for x in X[1:]:
        rows.append(xp.tanh(rows[-1] + x))
    return xp.stack(rows)


def contrastive(X, xp=jnp):
    similarity = X @ X.T / 4
    return xp.log(xp.exp(similarity).sum(1)) - xp.diagonal(similarity)


def sort_batch(X, xp=jnp):
    return xp.sort(X, axis=0)


def rows_by_argsort(X):
    return X[jnp.argsort(X[:, 0])]


def rows_by_argsort_np(X, xp):
    return X[xp.argsort(X[:, 0].real)]


def coupled_pair(X):
    return jnp.sin(X).at[2].add(1e-12 * X[0])


def coupled_pair_jacobian(args):
    X = wide(args[0])
    jacobian = np.reshape(np.diag(np.cos(X).ravel()), 2 * X.shape)
    jacobian[2, [0, 1, 2], 0, [0, 1, 2]] += 1e-12
    return jacobian


def leak_that_cancels(X):
    """Samples 1 and 2 enter sample 0 with opposite signs: ones would not see it."""
    return jnp.sin(X).at[0].add(X[1] - X[2])


def leak_np(X, xp):
    rows = xp.sin(X)
    rows[0] += X[1] - X[2]
    return rows


def centered(X, xp=jnp):
    return X - X.mean(0, keepdims=True)


def one_feature_shared(X, xp=jnp):
    return X * X[:1]


def coupled_pair_pattern():
    pattern = eye(4, 3).copy()
    pattern[2, [0, 1, 2], 0, [0, 1, 2]] = True
    return pattern


def leak_pattern():
    pattern = eye(4, 2).copy()
    for source in (1, 2):
        pattern[0, [0, 1], source, [0, 1]] = True
    return pattern


def cyclic(n, shift):
    return np.roll(np.eye(n, dtype=bool), shift, axis=0)


def first_or_own(n):
    pattern = np.eye(n, dtype=bool)
    pattern[:, 0] = True
    return pattern


def one(n):
    return np.eye(n, dtype=bool)


MIXING = tags("mixing twice")
TABLE = (
    Scenario(
        "batch_norm",
        batch_norm,
        drawn((5, 3)),
        complex_step(batch_norm),
        outer(full(5, 5), one(3)),
        MIXING,
    ),
    Scenario(
        "softmax_over_batch",
        softmax_batch,
        drawn((4, 3)),
        complex_step(softmax_batch_np),
        outer(full(4, 4), one(3)),
        MIXING,
    ),
    Scenario(
        "roll_of_batch",
        roll_batch,
        drawn((5, 2)),
        complex_step(roll_batch),
        outer(cyclic(5, 1), one(2)),
        MIXING,
    ),
    Scenario(
        "reverse_of_batch",
        reverse_batch,
        drawn((4, 3)),
        complex_step(reverse_batch),
        outer(one(4)[::-1], one(3)),
        MIXING,
    ),
    Scenario(
        "cumsum_of_batch",
        cumsum_batch,
        drawn((5, 2)),
        complex_step(cumsum_batch),
        outer(np.tri(5, dtype=bool), one(2)),
        MIXING,
    ),
    Scenario(
        "scan_of_batch",
        scan_batch,
        drawn((5, 2)),
        complex_step(scan_batch_np),
        outer(np.tri(5, dtype=bool), one(2)),
        MIXING | {"scan"},
    ),
    Scenario(
        "contrastive_loss",
        contrastive,
        drawn((4, 3)),
        complex_step(contrastive),
        full(4, 4, 3),
        MIXING | {"wide"},
    ),
    Scenario(
        "sort_of_batch",
        sort_batch,
        drawn((5, 3)),
        complex_step(sort_batch),
        outer(full(5, 5), one(3)),
        tags("mixing kink data_dependent"),
    ),
    Scenario(
        "rows_by_argsort",
        rows_by_argsort,
        drawn((5, 3)),
        complex_step(rows_by_argsort_np),
        outer(full(5, 5), one(3)),
        tags("mixing data_dependent"),
    ),
    Scenario(
        "coupled_pair",
        coupled_pair,
        drawn((4, 3)),
        coupled_pair_jacobian,
        coupled_pair_pattern(),
        MIXING,
    ),
    Scenario(
        "leak_that_cancels",
        leak_that_cancels,
        drawn((4, 2)),
        complex_step(leak_np),
        leak_pattern(),
        MIXING,
    ),
    Scenario(
        "centered_batch",
        centered,
        drawn((6, 2)),
        complex_step(centered),
        outer(full(6, 6), one(2)),
        MIXING,
    ),
    Scenario(
        "scaled_by_first_sample",
        one_feature_shared,
        drawn((4, 3)),
        complex_step(one_feature_shared),
        outer(first_or_own(4), one(3)),
        MIXING,
    ),
)
