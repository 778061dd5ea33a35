"""Evaluation of a polynomial from its coefficients."""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Inexact

from jnumerics import _check
from jnumerics._check import ArrayLike
from jnumerics._programs import checked
from jnumerics.polynomial import _nodes

_UNROLL = 8  # steps of Horner's rule that are fused into one pass over the answer


def evaluate(
    coefficients: ArrayLike, y: ArrayLike
) -> Inexact[Array, "..."]:  # (*y.shape, *shape)
    r"""Compute $p(y) = \sum_k A_k y^k$ by Horner's rule.

    $n - 1$ multiplications and additions for each entry of the answer, in a compiled
    loop. The derivatives are evaluations too, of the coefficients' tangents and of
    $p'$, so no intermediate result is stored for them. bfloat16 and float16 are
    computed in float32 and rounded once.

    Args:
        coefficients: $A_k$ in ascending powers, shape `(n, *shape)` with $n \ge 1$,
            real or complex.
        y: Points, real or complex, a scalar or of any shape. Where `y` is infinite the
            answer is that of the arithmetic: NaN if the last coefficient is zero.

    Returns:
        $p$ at every point, shape `(*y.shape, *shape)`, in the common dtype.

    Raises:
        TypeError: If an argument is not an array of numbers.
        ValueError: If there is no coefficient.

    Example:
        >>> evaluate(jnp.array([1.0, 0.0, 2.0]), jnp.array([0.0, 3.0]))
        Array([ 1., 19.], dtype=float32)

    Reference:
        Higham (2002), "Accuracy and Stability of Numerical Algorithms", section 5.1.
    """
    return _evaluate(coefficients, y)


def _checked(coefficients: ArrayLike, y: ArrayLike) -> tuple:
    a = _check.inexact("coefficients", coefficients)
    _nodes.not_empty("coefficients", a)
    return a, _check.inexact_or_number("y", y)


@checked(_checked)
def _evaluate(coefficients: Array, y: ArrayLike) -> Array:
    coefficients, y = _check.promote(coefficients, jnp.asarray(y))
    n, *shape = coefficients.shape
    flat = _check.at_least_float32(coefficients.reshape(n, math.prod(shape)))
    p = _horner(flat, _check.at_least_float32(y.reshape(y.size)))
    return p.reshape(*y.shape, *shape).astype(coefficients.dtype)


@jax.custom_jvp
def _horner(coefficients: Array, y: Array) -> Array:
    """Map `(n, k)` coefficients and `(m,)` points to `(m, k)`."""

    def step(p: Array, coefficient: Array) -> tuple[Array, None]:
        return coefficient[None, :] + y[:, None] * p, None

    shape = (y.size, coefficients.shape[1])
    p = jnp.broadcast_to(coefficients[-1:], shape)  # not 0 y: y may be infinite
    return lax.scan(step, p, coefficients[-2::-1], unroll=_UNROLL)[0]


@_horner.defjvp
def _(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    coefficients, y = primals
    d_coefficients, dy = tangents
    slope = _horner(_differentiate(coefficients), y)
    tangent = _horner(d_coefficients, y) + slope * dy[:, None]
    return _horner(coefficients, y), tangent


def _differentiate(coefficients: Array) -> Array:
    n = len(coefficients)
    if n == 1:
        return jnp.zeros_like(coefficients)
    powers = jnp.arange(1, n).astype(coefficients.dtype)
    return powers[:, None] * coefficients[1:]
