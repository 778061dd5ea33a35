"""Solvers, loops and rules of samples along axis 0, which do not mix."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests._scenarios.table import (
    BATCH,
    FLOAT,
    REAL,
    Scenario,
    complex_step,
    drawn,
    full,
    like,
    per_sample,
    positive,
    tags,
    weights,
    wide,
)

CONSTANTS = weights(110, 5, 3)
MATRIX = 8 * np.eye(4) + weights(111, 4, 4, scale=0.5)
SYMMETRIC = MATRIX @ MATRIX.T
RHS = weights(112, 4)


def newton(X):
    return lax.fori_loop(0, 8, lambda _, y: 0.5 * (y + X / y), X)


def root_jacobian(args):
    x = wide(args[0])
    return np.reshape(np.diag(0.5 / np.sqrt(x.ravel())), 2 * x.shape)


def solve(X):
    return jax.vmap(
        lambda x: jnp.linalg.solve(like(MATRIX, X) + jnp.diag(x), like(RHS, X))
    )(X)


def solve_np(X, xp):
    return xp.stack([np.linalg.solve(MATRIX + np.diag(x), RHS) for x in X])


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


ALL_BUT_FIRST = per_sample(4, np.tri(3, dtype=bool), 1).copy()
ALL_BUT_FIRST[0] = False
TABLE = (
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
