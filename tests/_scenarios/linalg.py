"""Linear algebra, transforms, complex functions."""

import jax.numpy as jnp
import numpy as np
from jax import lax

from tests._scenarios.dense import SQUARE
from tests._scenarios.table import (
    COMPLEX,
    DENSE,
    FLOAT,
    Scenario,
    complex_step,
    drawn,
    eye,
    full,
    like,
    linear,
    positive,
    tags,
    weights,
    wide,
)

WELL_POSED = 8 * np.eye(5) + weights(70, 5, 5, scale=0.5)
SYMMETRIC = WELL_POSED @ WELL_POSED.T
LOWER = np.tril(WELL_POSED)
RHS = weights(71, 5)


def solve(x):
    return jnp.linalg.solve(like(WELL_POSED, x), jnp.sin(x))


def solve_jacobian(args):
    return np.linalg.solve(WELL_POSED, np.diag(np.cos(wide(args[0]))))


def solve_matrix(x):
    return jnp.linalg.solve(like(WELL_POSED, x) + jnp.diag(x), like(RHS, x))


def solve_matrix_np(x, xp):
    del xp
    return np.linalg.solve(WELL_POSED + np.diag(x), RHS)


def triangular(x):
    return lax.linalg.triangular_solve(
        like(LOWER, x), jnp.sin(x)[:, None], left_side=True, lower=True
    )[:, 0]


def triangular_np(x, xp):
    del xp
    return np.linalg.solve(LOWER, np.sin(x))


def cholesky(x):
    return jnp.linalg.cholesky(like(SYMMETRIC, x) + jnp.diag(x))


def cholesky_np(x, xp):
    """By rows, without conjugation, so that a complex step may pass."""
    del xp
    a = SYMMETRIC + np.diag(x)
    lower = np.zeros_like(a)
    for i in range(len(a)):
        for j in range(i):
            lower[i, j] = (a[i, j] - lower[i, :j] @ lower[j, :j]) / lower[j, j]
        lower[i, i] = np.sqrt(a[i, i] - lower[i, :i] @ lower[i, :i])
    return lower


def cholesky_pattern(n):
    """Entry (i, j) reads the diagonal up to j, and its own row's at i = j."""
    i, j, k = np.ogrid[:n, :n, :n]
    return (j <= i) & ((k < j) | (k == j))


def eigenvalues(x):
    return jnp.linalg.eigvalsh(like(SYMMETRIC, x) + jnp.diag(x))


def eigenvalues_jacobian(args):
    _, vectors = np.linalg.eigh(SYMMETRIC + np.diag(wide(args[0])))
    return (vectors**2).T


def power_spectrum(x):
    return jnp.abs(jnp.fft.rfft(x)) ** 2


def power_spectrum_np(x, xp):
    del xp
    angle = 2 * np.pi * np.outer(np.arange(5), np.arange(9)) / 9
    return (np.cos(angle) @ x) ** 2 + (np.sin(angle) @ x) ** 2


def determinant_np(x, xp):
    del xp
    return np.linalg.det(WELL_POSED + np.diag(x))


def fourier_matrix(n):
    return np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)


TABLE = (
    Scenario(
        "solve", solve, drawn((5,)), solve_jacobian, full(5, 5), DENSE, dtypes=FLOAT
    ),
    Scenario(
        "solve_matrix",
        solve_matrix,
        drawn((5,)),
        complex_step(solve_matrix_np),
        full(5, 5),
        DENSE,
        dtypes=FLOAT,
    ),
    Scenario(
        "triangular_solve",
        triangular,
        drawn((5,)),
        complex_step(triangular_np),
        np.tri(5, dtype=bool),
        tags("twice"),
        dtypes=FLOAT,
    ),
    Scenario(
        "cholesky",
        cholesky,
        positive(5),
        complex_step(cholesky_np),
        cholesky_pattern(5),
        tags("twice tall"),
        dtypes=FLOAT,
    ),
    Scenario(
        "eigenvalues",
        eigenvalues,
        drawn((5,)),
        eigenvalues_jacobian,
        full(5, 5),
        tags("dense"),
        dtypes=FLOAT,
    ),
    Scenario(
        "determinant",
        lambda x: jnp.linalg.det(like(WELL_POSED, x) + jnp.diag(x)),
        drawn((5,)),
        complex_step(determinant_np),
        full(5),
        tags("dense scalar wide twice"),
        dtypes=FLOAT,
    ),
    Scenario(
        "power_spectrum",
        power_spectrum,
        drawn((9,)),
        complex_step(power_spectrum_np),
        full(5, 9),
        tags("dense through_complex twice"),
        dtypes=FLOAT,
    ),
    Scenario(
        "fourier",
        jnp.fft.fft,
        drawn((6,)),
        linear(fourier_matrix(6)),
        full(6, 6),
        tags("complex dense twice"),
        dtypes=COMPLEX,
    ),
    Scenario(
        "complex_elementwise",
        lambda z: z * jnp.exp(z),
        drawn((4, 2)),
        lambda args: _diagonal((1 + wide(args[0])) * np.exp(wide(args[0]))),
        eye(4, 2),
        tags("complex elementwise batch twice"),
        dtypes=COMPLEX,
    ),
    Scenario(
        "complex_dense",
        lambda z: jnp.sin(like(SQUARE, z) @ z / 8),
        drawn((6,)),
        lambda args: np.cos(SQUARE @ wide(args[0]) / 8)[:, None] * SQUARE / 8,
        full(6, 6),
        tags("complex dense twice"),
        dtypes=COMPLEX,
    ),
)


def _diagonal(values):
    return np.reshape(np.diag(values.ravel()), 2 * values.shape)
