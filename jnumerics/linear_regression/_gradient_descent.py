"""The cost of a linear model, and gradient descent on it."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, SupportsIndex

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float

from jnumerics import _check, descent
from jnumerics._check import ArrayLike, Operand
from jnumerics._programs import checked
from jnumerics.linear_regression import _tall

_FEW_ROWS = 100  # a step on them costs no more than the loop around it


class GradientDescent(NamedTuple):
    """Result of gradient descent on a linear model."""

    theta: Float[Array, " n"]
    """Parameters after the last update."""
    cost_history: Float[Array, " steps"]
    """Cost after each update."""


def cost(theta: ArrayLike, X: ArrayLike, y: ArrayLike) -> Float[Array, ""]:
    r"""Compute $J(\theta) = \lVert X \theta - y \rVert^2 / (2 m)$.

    One product with $X$. bfloat16 and float16 are computed in float32 and rounded once.

    Args:
        theta: Parameters, shape `(n,)`.
        X: Samples in rows, shape `(m, n)` with $m \ge 1$; integers become floats.
        y: Targets, shape `(m,)`, or `(m, 1)`, which means the same.

    Returns:
        A scalar in the common dtype of the arguments, in the squared unit of `y`.

    Raises:
        TypeError: If an argument is not an array of real numbers.
        ValueError: If a rank is wrong, `X` has no row or does not match `theta`, or `y`
            has another shape, which would broadcast.

    Example:
        >>> import numpy as np
        >>> X, y = np.array([[1, 5], [1, 2], [1, 4], [1, 5]]), np.array([1, 6, 4, 2])
        >>> cost(np.zeros(2), X, y)
        Array(7.125, dtype=float32)
    """
    return _cost(theta, X, y)


def gradient_descent(
    X: ArrayLike,
    y: ArrayLike,
    theta: ArrayLike,
    *,
    learning_rate: ArrayLike,
    steps: SupportsIndex,
) -> GradientDescent:
    r"""Descend $\theta \leftarrow \theta - \frac{\eta}{m} X^\top (X \theta - y)$.

    With many rows and steps, one QR factorization of $[X \; y]$ comes first: its
    triangle has the same cost for every $\theta$, so that a step takes $O(n^2)$
    operations whatever $m$ is, after $O(m n^2)$ once. Else each step takes two products
    with $X$. The answer is the same but for rounding. It converges for $0 < \eta < 2 m
    / \lVert X \rVert_2^2$; a larger rate diverges, to infinity and then NaN, and is no
    error. Compiled once for each number of steps and each shape, whatever the rate,
    which may be traced.

    Derivatives with respect to all arguments are those of the iterates, in both modes
    and to every order, also where a QR factorization has none: $X$ may have zero or
    equal columns and $y$ may be fitted exactly. bfloat16 and float16 are computed in
    float32 and rounded once.

    Args:
        X: Samples in rows, shape `(m, n)` with $m \ge 1$; integers become floats.
        y: Targets, shape `(m,)`, or `(m, 1)`, which means the same.
        theta: Where to start, shape `(n,)`.
        learning_rate: The rate $\eta$, a real scalar.
        steps: Number of updates, from 0 to $2^{31} - 1$.

    Returns:
        The `GradientDescent`: `theta`, shape `(n,)`, and `cost_history`, shape
        `(steps,)`, whose k-th entry is the cost after update k; both in the common
        dtype of `X`, `y` and `theta`.

    Raises:
        TypeError: If an argument is not an array of real numbers, or `steps` is not an
            integer.
        ValueError: If a rank is wrong, `X` has no row or does not match `theta`, `y`
            has another shape, which would broadcast, or `steps` is out of its range.

    Example:
        >>> import numpy as np
        >>> X, y = np.array([[1, 5], [1, 2], [1, 4], [1, 5]]), np.array([1, 6, 4, 2])
        >>> d = gradient_descent(X, y, np.zeros(2), learning_rate=0.01, steps=1000)
        >>> d.theta.round(2), d.cost_history[:2].round(2)
        (Array([ 5.21, -0.57], dtype=float32), Array([5.98, 5.21], dtype=float32))
    """
    return _gradient_descent(X, y, theta, learning_rate, steps)


def _problem(theta: ArrayLike, X: ArrayLike, y: ArrayLike) -> tuple[Operand, ...]:
    theta = _check.real("theta", theta, rank=1)
    X = _check.real("X", X, rank=2)
    has_rows("X", X)
    _check.axis_size("X", X, -1, theta.size)
    return _check.promote(theta, X, _check.targets("y", y, X.shape[0]))


def _descended(
    X: ArrayLike, y: ArrayLike, theta: ArrayLike, rate: ArrayLike, steps: Any
) -> tuple:
    theta, X, y = _problem(theta, X, y)
    dtype = _check.wide(theta.dtype)
    rate = _check.real_scalar("learning_rate", rate, dtype)
    return X, y, theta, rate, _check.integer("steps", steps, least=0)


def has_rows(name: str, X: Operand) -> None:
    """Require at least one sample: of none there is no mean and no fit."""
    if X.shape[0] == 0:
        msg = f"`{name}` must have at least one row, got shape {X.shape}"
        raise ValueError(msg)


@checked(_problem)
def _cost(theta: Array, X: Array, y: Array) -> Array:
    dtype = theta.dtype
    theta, X, y = map(_check.at_least_float32, (theta, X, y))
    return _half_mean_square(theta, X, y, y.shape[0]).astype(dtype)


def _half_mean_square(theta: Array, X: Array, y: Array, m: int) -> Array:
    residual = jnp.matmul(X, theta, precision="highest") - y
    return jnp.sum(residual**2) / (2 * m)


@checked(_descended, options=1)
def _gradient_descent(
    X: Array, y: Array, theta: Array, rate: Array, steps: int
) -> GradientDescent:
    dtype = theta.dtype
    X, y, theta = map(_check.at_least_float32, (X, y, theta))
    m, n = X.shape
    # Per row, the QR costs (n + 1)^2 and a step n, at similar rates. A symbolic m
    # cannot be compared.
    is_tall = isinstance(m, int) and m > max(4 * (n + 1), _FEW_ROWS)
    pays = is_tall and steps > n + 1
    descend = _on_triangle if pays else _directly
    theta, costs = descend(X, y, theta, rate, steps)
    return GradientDescent(theta.astype(dtype), costs.astype(dtype))


def _directly(
    X: Array, y: Array, theta: Array, rate: Array, steps: int
) -> GradientDescent:
    return _minimize(
        partial(_half_mean_square, X=X, y=y, m=y.shape[0]), theta, rate, steps
    )


@partial(jax.custom_jvp, nondiff_argnums=(4,))
def _on_triangle(
    X: Array, y: Array, theta: Array, rate: Array, steps: int
) -> GradientDescent:
    m, n = X.shape
    triangle = _tall.triangle(jnp.concatenate([X, y[:, None]], 1))
    R, z, rho = triangle[:n, :n], triangle[:n, n], triangle[n, n]
    in_range = partial(_half_mean_square, X=R, y=z, m=m)
    theta, costs = _minimize(in_range, theta, rate, steps)
    # The part of y outside X's range is a constant: added, never subtracted again.
    return GradientDescent(theta, costs + rho**2 / (2 * m))


@_on_triangle.defjvp
def _(
    steps: int, primals: tuple[Array, ...], tangents: tuple[Array, ...]
) -> tuple[GradientDescent, GradientDescent]:
    theta, costs = _on_triangle(*primals, steps)
    reached = jnp.where(costs[-1] <= costs[0], theta, primals[2])  # not if it diverges
    polynomial = partial(_on_basis, near=lax.stop_gradient(reached), steps=steps)
    _, tangent = jax.jvp(polynomial, primals, tangents)
    return GradientDescent(theta, costs), tangent


def _on_basis(
    X: Array, y: Array, theta: Array, rate: Array, near: Array, steps: int
) -> GradientDescent:
    """Descend on the coordinates of [X y] in a constant basis of its columns.

    For derivatives: every iterate is a polynomial in X and y, whatever the basis.
    Parameters are taken from the constant `near`, one of the iterates, so that
    residuals do not cancel. With v = (theta - near, -1) and P = [X, y - X near],
    the residual is P v and the step along X'P v. The plain recurrence rounds its
    residual anew at each step, which averages out; what P and its coordinates lose is
    lost in all steps, so that their differences take more digits than one rounding has.
    """
    product = partial(jnp.matmul, precision="highest")
    m, n = X.shape
    largest = jnp.max(jnp.abs(lax.stop_gradient(X)), 0, initial=0)
    unit = _power_above(n**0.5 * largest)  # in which no row is longer than 1
    length = _power_above(jnp.linalg.norm(near * unit))
    weights, columns = near * (unit / length), (X * (length / unit)[None]).T
    residual = _difference(y[None], weights[None], columns, length)
    T, D = _coordinates(jnp.concatenate([X, residual.T], 1))

    def at(theta: Array) -> tuple[Array, Array]:
        """Return the gradient and the cost, both times m."""
        v = jnp.append(theta, -1)
        t, d = jnp.split(product(jnp.concatenate([T, D]), v), 2)
        return product(T[:, :n].T, t) + d[:n], (product(t, t) + product(v, d)) / 2

    def update(carry: tuple[Array, Array], _: None) -> tuple[tuple, Array]:
        theta, gradient = carry
        theta -= rate / m * gradient
        gradient, total = at(theta)
        return (theta, gradient), total / m

    theta -= near
    (theta, _), costs = lax.scan(update, (theta, at(theta)[0]), length=steps)
    return GradientDescent(theta + near, costs)


def _coordinates(P: Array) -> tuple[Array, Array]:
    """Return T and D with P'P = T'T + D, of which D is nearly 0.

    With a constant Q of nearly orthonormal columns, T = Q'P and the rest N = P - Q T,
    P'P is T'T + N'Q T + N'N, whatever Q is. As Q spans P, N is a rounding, and so are
    the products of its tangents with it; second derivatives see those with one another.
    P'P itself would lose the digits of nearly dependent columns. Rounding in N goes
    into D, where the columns of T no longer damp it.
    """
    product = partial(jnp.matmul, precision="highest")
    Q, R = _tall.qr(lax.stop_gradient(P))
    length = jnp.linalg.norm(R, axis=0)[None]  # of the columns of P and of T
    T = -_difference(jnp.zeros_like(R), Q.T, P, length)
    N = _difference(P, Q, T, length)
    return T, product(product(Q.T, N).T, T) + product(N.T, N)


@jax.custom_jvp
def _difference(A: Array, B: Array, C: Array, length: Array) -> Array:
    """Return A - B C for a constant B, before A's last digits are lost.

    The rows of B must have a norm of at most 1, the columns of C of `length`. Their
    leading digits are integers in units so large that, by Cauchy and Schwarz, no sum of
    their products exceeds 2^24 in float32: it is exact in whatever order. What they
    leave is small, and so is its rounding. One level of Ozaki, Ogita, Oishi & Rump
    (2012), "Error-free transformations of matrix multiplication". The difference is
    linear: derivatives need no such care.
    """
    product = partial(jnp.matmul, precision="highest")
    unit = 2.0 ** -((jnp.finfo(A.dtype).nmant + 1) // 2)
    B_lead = jnp.round(B * (1 / unit)) * unit
    unit = _power_above(4 * length) * unit  # for what rounding adds to both lengths
    C_lead = jnp.round(C * (1 / unit)) * unit
    rest = product(B_lead, C - C_lead) + product(B - B_lead, C)
    return (A - product(B_lead, C_lead)) - rest


@_difference.defjvp
def _(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    (_, B, _, _), (dA, _, dC, _) = primals, tangents
    tangent = dA - jnp.matmul(B, dC, precision="highest")
    return _difference(*primals), tangent


def _power_above(x: Array) -> Array:
    """Return a power of two above x, kept to where it and its inverse are finite."""
    _, exponent = jnp.frexp(x)
    bound = jnp.finfo(x.dtype).maxexp // 2
    return jnp.ldexp(jnp.ones_like(x), jnp.clip(exponent, -bound, bound))


def _minimize(
    loss: Callable[[Array], Array], theta: Array, rate: Array, steps: int
) -> GradientDescent:
    optimizer = optax.sgd(rate)
    theta, _, before = descent.minimize(loss, theta, optimizer=optimizer, steps=steps)
    return GradientDescent(theta, jnp.append(before, loss(theta))[1:])
