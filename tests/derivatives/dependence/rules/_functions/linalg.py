"""Linear algebra."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.derivatives.dependence.rules._functions.values import weights


def spd(n):
    a = weights(n, n)
    return jnp.asarray(a @ a.T + n * np.eye(n))


def tridiagonal(x):
    diagonal = jnp.asarray(weights(4))
    return lax.linalg.tridiagonal_solve(diagonal, 4 + diagonal, diagonal, x)


def with_batch(a):
    return jnp.stack([a, 2 * a])


LINALG = {
    "solve": ((3, 2), lambda x: jnp.linalg.solve(spd(3), x)),
    "solve a batch": ((2, 3, 4), lambda x: jnp.linalg.solve(with_batch(spd(3)), x)),
    "solve by cholesky": (
        (3, 2),
        lambda x: jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(spd(3)), True), x),
    ),
    "triangular lower": (
        (4, 2),
        lambda x: jax.scipy.linalg.solve_triangular(jnp.tril(spd(4)), x, lower=True),
    ),
    "triangular upper": (
        (4, 2),
        lambda x: jax.scipy.linalg.solve_triangular(jnp.triu(spd(4)), x),
    ),
    "triangular transposed": (
        (4, 2),
        lambda x: jax.scipy.linalg.solve_triangular(
            jnp.tril(spd(4)), x, lower=True, trans=1
        ),
    ),
    "triangular right": (
        (2, 4),
        lambda x: lax.linalg.triangular_solve(
            jnp.tril(spd(4)), x, left_side=False, lower=True
        ),
    ),
    "triangular right, upper, transposed": (
        (2, 4),
        lambda x: lax.linalg.triangular_solve(
            jnp.triu(spd(4)), x, left_side=False, transpose_a=True
        ),
    ),
    "triangular batch": (
        (2, 3, 2),
        lambda x: lax.linalg.triangular_solve(
            with_batch(jnp.tril(spd(3))), x, left_side=True, lower=True
        ),
    ),
    "fft": ((3, 5), lambda x: jnp.fft.fft(x, axis=1).real[:, 1:2]),
    "rfft": ((3, 5), lambda x: jnp.fft.rfft(x, axis=0).real[:1]),
    "fft2": ((2, 3, 4), lambda x: jnp.fft.fft2(x).real[:, :1, :1]),
    "tridiagonal": (
        (4, 2),
        lambda x: tridiagonal(x),
    ),
    "custom_linear_solve": (
        (5, 2),
        lambda x: lax.custom_linear_solve(
            lambda v: 4 * v + jnp.concatenate([v[1:4], v[:1], jnp.zeros_like(v[4:])]),
            x,
            lambda _, b: jnp.concatenate(
                [
                    jnp.linalg.solve(
                        4 * jnp.eye(4) + jnp.roll(jnp.eye(4), 1, 1), b[:4]
                    ),
                    b[4:] / 4,
                ]
            ),
        ),
    ),
    "determinants": ((2, 3, 3), lambda x: jnp.linalg.det(x + spd(3)[None])),
    "inverse": ((2, 3, 3), lambda x: jnp.linalg.inv(x + 4 * jnp.eye(3)[None])),
    "singular values": ((2, 3, 4), lambda x: jnp.linalg.svd(x, compute_uv=False)),
}
