"""Coefficients from values: the recurrences of Björck and Pereyra."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Inexact

from jnumerics import _check
from jnumerics._check import ArrayLike
from jnumerics.polynomial import _nodes

_STRAIGHT = 16  # up to so many nodes without a loop: only the triangle is computed
_FUSED = 3  # steps of divided differences that share one pass over memory


def fit(nodes: ArrayLike, values: ArrayLike) -> Inexact[Array, "n ..."]:
    r"""Find the $A_k$ with $\sum_k A_k x_i^k = V_i$ at every node $x_i$.

    Divided differences and then Newton's form multiplied out, each in $n (n - 1) / 2$
    steps for each entry of a value. On the nodes in increasing order this is far more
    accurate than the Vandermonde matrix's condition number suggests: with positive
    nodes the error often stays near that of rounding the values. Complex nodes are
    taken in Leja's order unless they lie on a line. The order in which
    the nodes are given does not change a bit of the answer. bfloat16 and float16 are
    computed in float32 and rounded once.

    Args:
        nodes: $n \ge 1$ distinct finite points $x_i$, shape `(n,)`, real or complex.
        values: $V_i$, real or complex, shape `(n, *shape)` with any trailing shape.

    Returns:
        Coefficients in ascending powers, shape `(n, *shape)`, in the common dtype.
        Equal nodes, where a trace hides them from the check, give infinities or NaN,
        infinite ones NaN.

    Raises:
        TypeError: If an argument is not an array of numbers.
        ValueError: If there is no node, if one is not finite or two are equal in the
            common precision, or if `values` does not have $n$ entries along its first
            axis.

    Example:
        >>> fit(jnp.array([0.0, 1.0, 3.0]), jnp.array([1.0, 3.0, 19.0]))
        Array([1., 0., 2.], dtype=float32)

    Reference:
        Björck & Pereyra (1970), "Solution of Vandermonde systems of equations",
        Math. Comp. 24, p. 893; Higham (2002), "Accuracy and Stability of Numerical
        Algorithms", algorithm 22.2.
    """
    return _fit(*_nodes.checked(nodes, values))


@jax.jit
def _fit(nodes: Array, values: Array) -> Array:
    nodes, values = _nodes.promoted(nodes, values)
    n, *shape = values.shape
    v = _check.at_least_float32(values.reshape(n, math.prod(shape)))
    x, v = _nodes.in_order(_check.at_least_float32(nodes), v)
    return _coefficients(x, v).reshape(values.shape).astype(values.dtype)


@jax.custom_jvp
def _coefficients(x: Array, v: Array) -> Array:
    # In the unit 2^power no intermediate result overflows unless the answer does.
    _, power = _nodes.split(jnp.max(jnp.abs(x)))
    x = _nodes.scaled(x, -power)
    if jnp.iscomplexobj(x):
        x, v = _complex_order(x, v)
    c = _monomial(x, _newton(x, v))
    return _nodes.scaled(c, -power * jnp.arange(x.size, dtype=power.dtype)[:, None])


def _coefficients_jvp(
    primals: tuple[Array, Array],
    tangents: tuple[Array | SymbolicZero, Array | SymbolicZero],
) -> tuple[Array, Array]:
    (x, v), (dx, dv) = primals, tangents
    dv = jnp.zeros_like(v) if isinstance(dv, SymbolicZero) else dv
    if not isinstance(dx, SymbolicZero):
        slopes = _nodes.product(_nodes.differentiation_matrix(x), v)
        dv = dv - slopes * _nodes.as_column(dx, v)
    return _coefficients(x, v), _coefficients(x, dv)


_coefficients.defjvp(_coefficients_jvp, symbolic_zeros=True)


def _newton(x: Array, c: Array) -> Array | list[Array]:
    """Return the divided differences, the coefficients of Newton's form."""
    n = x.size
    if n <= _STRAIGHT:
        first = [c[0]]
        for k in range(1, n):
            c = (c[1:] - c[:-1]) / _nodes.as_column(x[k:] - x[:-k], c)
            if k % _FUSED == 0:  # else XLA recomputes each step in all that follow
                c = lax.optimization_barrier(c)
            first.append(c[0])
        return first
    i, k = np.arange(n), np.arange(1, n)[:, None]
    is_due = i >= k
    gap = x[None, :] - x[np.maximum(i - k, 0)]
    gap = jnp.where(is_due, gap, jnp.ones_like(gap))

    def step(c: Array, row: tuple[Array, Array]) -> tuple[Array, None]:
        due, gap = row
        divided = (c - jnp.roll(c, 1, 0)) / _nodes.as_column(gap, c)
        return jnp.where(due[:, None], divided, c), None

    return lax.scan(step, c, (jnp.asarray(is_due), gap))[0]


def _monomial(x: Array, c: Array | list[Array]) -> Array:
    """Multiply Newton's form out into powers."""
    n = x.size
    if isinstance(c, list):
        a = c[-1][None, :]
        for k in range(n - 2, -1, -1):
            a = lax.optimization_barrier(a)
            product = jnp.concatenate([a * x[k].astype(a.dtype), jnp.zeros_like(a[:1])])
            a = jnp.concatenate([c[k][None, :], a]) - product
        return a
    i, k = np.arange(n), np.arange(n - 1)[:, None]
    is_due = (k <= i) & (i < n - 1)
    factor = jnp.where(is_due, x[:-1, None], jnp.zeros_like(x[None, :]))

    def step(c: Array, factor: Array) -> tuple[Array, None]:
        return c - _nodes.as_column(factor, c) * jnp.roll(c, -1, 0), None

    return lax.scan(step, c, factor, reverse=True)[0]


def _complex_order(x: Array, v: Array) -> tuple[Array, Array]:
    """Order complex nodes for accuracy: along their line, else Leja's order.

    Measured: on 32 roots of unity Leja's order has an error of 1e-14 and the sorted
    order 1e-9; on a line the sorted order wins by 50 to 1000.
    """
    span = x[-1] - x[0]
    offset = x - x[0]
    height = jnp.abs(
        (offset * jnp.conj(span)).imag
    )  # distance from the line, times |span|
    tolerance = 8 * jnp.finfo(x.dtype).eps * jnp.max(jnp.abs(x)) * jnp.abs(span)
    is_line = jnp.all(height <= tolerance)
    order = jnp.where(is_line, jnp.arange(x.size), _leja_order(x))
    return x[order], v[order]


def _leja_order(x: Array) -> Array:
    """Take next the node with the largest product of distances to those taken."""

    def step(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
        last, log_product = carry
        distance = jnp.abs(x - x[last])
        log_product += jnp.log(distance)  # a node taken has distance 0, hence -inf
        following = jnp.argmax(log_product)
        return (following, log_product), following

    first = jnp.argmax(jnp.abs(x))
    carry = (first, jnp.zeros_like(x.real))
    _, following = lax.scan(step, carry, length=x.size - 1)
    return jnp.concatenate([first[None], following])
