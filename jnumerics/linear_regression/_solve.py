"""Least squares at once, by a QR factorization."""

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

from jnumerics import _check
from jnumerics._check import ArrayLike, Operand
from jnumerics._programs import checked
from jnumerics.linear_regression import _tall
from jnumerics.linear_regression._gradient_descent import has_rows

# Measured for dependent columns of 1 to 10^6 rows, constant ones included, which round
# alike in each row: below 5 roundings for each column, where one LAPACK call has 30.
_ROUNDINGS = 16


def solve(X: ArrayLike, y: ArrayLike) -> Float[Array, "n ..."]:
    r"""Find the $\theta$ that minimizes $\lVert X \theta - y \rVert$.

    With every column of $X$ scaled to size one by a power of two, so that no unit of a
    column overflows, $X = Q R$ and $R \theta = Q^\top y$: $4 m n^2$ operations for the
    factorization, blocks of rows first, and $O(m n)$ for each right-hand side. The
    derivative is the closed form

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
        Golub & Van Loan (2013), "Matrix Computations", section 5.3; the derivative is
        equation 4.12 of Golub & Pereyra (1973) at full rank.
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
    theta = _least_squares(*map(_check.at_least_float32, (X, Y)))
    return theta.reshape(n, *y.shape[1:]).astype(y.dtype)


@jax.custom_jvp
def _least_squares(X: Array, Y: Array) -> Array:
    Q, R, power = _scaled_qr(X)
    return _scaled(solve_triangular(R, _product(Q.T, Y)), -power)


@_least_squares.defjvp
def _(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    (X, Y), (dX, dY) = primals, tangents
    theta = _least_squares(X, Y)
    residual = Y - _product(X, theta)
    direct = _least_squares(X, dY - _product(dX, theta))
    return theta, direct + _normal_solve(X, _product(dX.T, residual))


@jax.custom_jvp
def _normal_solve(X: Array, W: Array) -> Array:
    """Return (X'X)^-1 W without forming X'X."""
    _, R, power = _scaled_qr(X)
    half = solve_triangular(R, _scaled(W, -power), trans="T")
    return _scaled(solve_triangular(R, half), -power)


@_normal_solve.defjvp
def _(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    (X, W), (dX, dW) = primals, tangents
    N = _normal_solve(X, W)
    change = _product(dX.T, _product(X, N)) + _product(X.T, _product(dX, N))
    return N, _normal_solve(X, dW - change)


def _scaled_qr(X: Array) -> tuple[Array, Array, Array]:
    """Return Q, R and powers of two p with X = Q R 2^p; R is NaN if X lacks rank."""
    _, power = jnp.frexp(jnp.max(jnp.abs(X), 0)[:, None])
    Q, R = _tall.qr(_scaled(X.T, -power).T)
    distance, length = jnp.abs(jnp.diag(R)), jnp.linalg.norm(R, axis=0)
    roundings = _ROUNDINGS * X.shape[1] * jnp.finfo(X.dtype).eps
    is_full_rank = jnp.all(distance > roundings * length)
    return Q, jnp.where(is_full_rank, R, jnp.nan), power


def _scaled(x: Array, power: Array) -> Array:
    """Multiply rows by powers of two: exact, in two factors that do not overflow."""
    half = power // 2
    one = jnp.ones_like(x, shape=power.shape)
    return x * jnp.ldexp(one, half) * jnp.ldexp(one, power - half)


def _product(A: Array, B: Array) -> Array:
    return jnp.matmul(A, B, precision="highest")
