"""Least squares at once."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jnumerics import _check
from jnumerics._check import ArrayLike, Operand
from jnumerics._programs import checked, stored
from jnumerics.linear_regression import _factors
from jnumerics.linear_regression._gradient_descent import has_rows
from jnumerics.linear_regression._tall import product


def solve(X: ArrayLike, y: ArrayLike) -> Float[Array, "n ..."]:
    r"""Find the $\theta$ that minimizes $\lVert X \theta - y \rVert$.

    With every column of $X$ scaled to size one by a power of two, so that no unit of a
    column overflows, $X = Q R$ and $R \theta = Q^\top y$. Of many rows $R$ alone is
    found: from $X^\top X$, $2 m n^2$ operations, where the columns are far from
    dependent, else by a QR factorization, blocks of rows first; then $R^\top R \theta =
    X^\top y$, corrected by its residuals, $4 m n$ operations each, until nothing is
    left but rounding. The derivative is the closed form

    $d\theta = X^+ (dy - dX \, \theta) + (X^\top X)^{-1} dX^\top (y - X \theta)$,

    in both modes and to every order. bfloat16 and float16 are computed in float32 and
    rounded once.

    Args:
        X: Samples in rows, shape `(m, n)` with $m \ge n$ and $m \ge 1$; integers become
            floats. If a column depends on those before it to working precision (its
            distance from their span is at most $16 n \epsilon$ times its length,
            whatever $m$ is; a column of zeros is the simplest case), there is no single
            answer and all of $\theta$ is NaN.
        y: Targets, shape `(m,)`, or `(m, k)` for $k$ problems with the same $X$.

    Returns:
        $\theta$, shape `(n,)` or `(n, k)`, in the common dtype of the arguments.

    Raises:
        TypeError: If an argument is not an array of real numbers.
        ValueError: If a rank is wrong, `X` has no row or fewer rows than columns, or
            `y` has another number of rows.

    Example:
        >>> import numpy as np
        >>> X, y = np.array([[1, 5], [1, 2], [1, 4], [1, 5]]), np.array([1, 6, 4, 2])
        >>> solve(X, y).round(2)
        Array([ 9.25, -1.5 ], dtype=float32)

    Reference:
        Golub & Van Loan (2013), "Matrix Computations", section 5.3; Bjorck (1987),
        "Stability analysis of the method of seminormal equations for linear least
        squares problems"; the derivative is equation 4.12 of Golub & Pereyra (1973) at
        full rank.
    """
    return _solve(X, y)


def _tall_problem(X: ArrayLike, y: ArrayLike) -> tuple[Operand, ...]:
    X, y = _check.real("X", X, rank=2), _check.real("y", y)
    has_rows("X", X)
    if len(X) < X.shape[1]:
        msg = f"`X` must have as many rows as columns or more, got shape {X.shape}"
        raise ValueError(msg)
    if y.ndim not in (1, 2):
        msg = f"`y` must have rank 1 or 2, got shape {y.shape}"
        raise ValueError(msg)
    _check.axis_size("y", y, 0, len(X))
    return _check.promote(X, y)


@checked(_tall_problem)
def _solve(X: Array, y: Array) -> Array:
    n = X.shape[1]
    if n == 0:
        return jnp.zeros((0, *y.shape[1:]), y.dtype)
    Y = y if y.ndim == 2 else y[:, None]
    X, Y = map(_check.at_least_float32, (X, Y))
    of_X, of_Y = _power(X), _power(Y)
    theta = _least_squares(_scaled(X, -of_X), _scaled(Y, -of_Y))
    theta = _scaled(theta, of_Y - of_X.T)
    return theta.reshape(n, *y.shape[1:]).astype(y.dtype)


def _least_squares(X: Array, Y: Array) -> Array:
    """Return X^+ Y as part of the solution of r + X theta = Y, X'r = 0.

    That system is linear and symmetric, so that JAX has the derivatives of its solution
    to every order, and needs none of the factors.
    """

    def matvec(x: tuple[Array, Array]) -> tuple[Array, Array]:
        r, theta = x
        return r + product(X, theta), product(X.T, r)

    constant = stored(lax.stop_gradient(X))  # else scaled anew for each of its uses
    factors = _factors.factorize(constant)
    none = jnp.pad(Y[:0], ((0, X.shape[1]), (0, 0)))  # JAX must see that it is of Y
    return lax.custom_linear_solve(
        matvec, (Y, none), lambda _, b: _factors.solve(factors, b), symmetric=True
    )[1]


def _power(A: Array) -> Array:
    """Return powers of two just above the columns' largest entries, as a row."""
    return jnp.frexp(jnp.max(jnp.abs(lax.stop_gradient(A)), 0, keepdims=True))[1]


def _scaled(x: Array, power: Array) -> Array:
    """Multiply by powers of two: exact, in two factors that do not overflow."""
    half = power // 2
    one = jnp.ones_like(x, shape=power.shape)
    factors = jnp.ldexp(one, half), jnp.ldexp(one, power - half)
    low, high = stored(factors)  # else raised anew for each element
    return x * low * high
