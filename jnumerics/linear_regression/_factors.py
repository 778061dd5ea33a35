"""Factors of a matrix that solve least squares, and the solution by them.

They solve r + X theta = f, X'r = g: theta is X^+ f - (X'X)^-1 g, r what is left of f.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array

from jnumerics.linear_regression import _tall
from jnumerics.linear_regression._tall import product, transposed_product

# Measured for dependent columns of 1 to 10^6 rows, constant ones included, which round
# alike in each row: below 5 roundings for each column, where one LAPACK call has 30.
_ROUNDINGS = 16
# What a step of the normal equations leaves, in roundings times the square of the
# condition number over n: measured 0.4 to 4.8 for 1,000 to 300,000 rows, the most for
# constant columns, and less the more columns there are.
_OF_NORMAL_EQUATIONS = 8
# What it may leave, and how many corrections follow.
_MOST_LEFT, _MOST_CORRECTIONS = 0.05, 12


class Factors(NamedTuple):
    """Factors of X = Q R; of few rows with Q, of many with a number of corrections."""

    X: Array
    Q: Array | None
    R: Array  # NaN if X lacks rank
    corrections: Array | None


def factorize(X: Array) -> Factors:
    """Factorize a matrix of columns of similar length."""
    if not _tall.is_tall(X):
        Q, R = jnp.linalg.qr(X)
        return Factors(X, Q, _checked(R), None)
    eps = jnp.finfo(X.dtype).eps
    R = jnp.linalg.cholesky(transposed_product(X, X), upper=True)
    left = _OF_NORMAL_EQUATIONS * eps * _condition(R) ** 2 / len(R)

    def by_qr() -> tuple[Array, Array]:
        R = _tall.triangle(X)
        return R, eps * _condition(R)

    R, left = lax.cond(left < _MOST_LEFT, lambda: (R, left), by_qr)
    steps = jnp.log(eps) / jnp.log(jnp.minimum(left, _MOST_LEFT))
    corrections = jnp.ceil(steps).astype(jnp.int32) - 1
    return Factors(X, None, _checked(R), jnp.clip(corrections, 1, _MOST_CORRECTIONS))


def solve(factors: Factors, b: tuple[Array, Array]) -> tuple[Array, Array]:
    """Solve r + X theta = f, X'r = g for b = (f, g).

    Without Q by corrected seminormal equations (Bjorck 1987): of what is wrong each
    step leaves a small part, and the last one what it rounds itself, which is why it
    alone takes the sums of sums.
    """
    (X, Q, R, corrections), (f, g) = factors, b
    if Q is not None:
        half = product(Q.T, f) - solve_triangular(R, g, trans="T")
        theta = solve_triangular(R, half)
        return f - product(X, theta), theta

    def normal_solve(w: Array) -> Array:
        half = solve_triangular(R, w - g, trans="T")
        return solve_triangular(R, half)

    def correct(_: Array, theta: Array) -> Array:
        return theta + normal_solve(_quick_product(X, f - product(X, theta)))

    theta = normal_solve(_quick_product(X, f))
    theta = lax.fori_loop(1, corrections, correct, theta)
    theta += normal_solve(transposed_product(X, f - product(X, theta)))
    return f - product(X, theta), theta


def _quick_product(X: Array, r: Array) -> Array:
    """Return X'r along the rows of X, as they lie in memory."""
    return product(r.T, X).T


def _checked(R: Array) -> Array:
    """Make the triangle of dependent columns NaN."""
    distance, length = jnp.abs(jnp.diag(R)), jnp.linalg.norm(R, axis=0)
    roundings = _ROUNDINGS * len(R) * jnp.finfo(R.dtype).eps
    is_full_rank = jnp.all(distance > roundings * length)
    return jnp.where(is_full_rank, R, jnp.nan)


def _condition(R: Array) -> Array:
    inverse = solve_triangular(R, jnp.eye(len(R), dtype=R.dtype))
    return jnp.linalg.norm(R) * jnp.linalg.norm(inverse)
