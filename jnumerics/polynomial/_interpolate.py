"""Evaluation of a polynomial from its values at nodes."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Inexact

from jnumerics import _check
from jnumerics._check import ArrayLike
from jnumerics._programs import checked
from jnumerics.polynomial import _nodes

_CANCELED = 16  # loss of accuracy in the second form that is put up with


def interpolate(
    nodes: ArrayLike, values: ArrayLike, y: ArrayLike
) -> Inexact[Array, "..."]:  # (*y.shape, *shape)
    r"""Compute $p(y) = \sum_j \frac{w_j V_j}{y - x_j} / \sum_j \frac{w_j}{y - x_j}$.

    The barycentric formula (second form) of the polynomial through $(x_j, V_j)$, with
    $w_j = 1 / \prod_{k \ne j} (x_j - x_k)$ kept as mantissa and exponent, so that
    neither thousands of nodes nor tiny or huge distances overflow. It has no
    coefficients to lose digits in, and at a node it returns the value there, bit for
    bit. Where its denominator cancels, which is outside the nodes' range and near the
    ends of equispaced nodes, the denominator's closed form $1 / \prod_j (y - x_j)$ is
    taken (first form): so extrapolation too, and what is differentiated there, is as
    accurate as the data allow. $O(n^2)$ operations, and $n$ for each point and for each
    entry of the answer; `y.size` times $n$ numbers of memory. The order of the nodes
    does not change a bit of the answer. bfloat16 and float16 are computed in float32
    and rounded once.

    Args:
        nodes: $n \ge 1$ distinct finite points $x_j$, shape `(n,)`, real or complex.
            How well the polynomial is determined by its values is a matter of the
            nodes: 1000 Chebyshev points are harmless, 100 equispaced ones are hopeless.
        values: $V_j$, real or complex, finite, shape `(n, *shape)`.
        y: Points, real or complex, a scalar or of any shape. Infinite ones give NaN.

    Returns:
        $p$ at every point, shape `(*y.shape, *shape)`, in the common dtype.
        Equal or infinite nodes, where a trace hides them from the check, give NaN.

    Raises:
        TypeError: If an argument is not an array of numbers.
        ValueError: If there is no node, if one is not finite or two are equal in the
            common precision, or if `values` does not have $n$ entries along its first
            axis.

    Example:
        >>> interpolate(jnp.array([0.0, 1.0, 3.0]), jnp.array([1.0, 3.0, 19.0]), 2.0)
        Array(9., dtype=float32)

    Reference:
        Berrut & Trefethen (2004), "Barycentric Lagrange interpolation", equations 3.3
        and 4.2, https://doi.org/10.1137/S0036144502417715; on their stability Higham
        (2004), https://doi.org/10.1093/imanum/24.4.547
    """
    return _interpolate(*_nodes.seen(nodes, values), y)


def _checked(nodes: ArrayLike, values: ArrayLike, y: ArrayLike) -> tuple:
    return *_nodes.checked(nodes, values), _check.inexact_or_number("y", y)


@checked(_checked)
def _interpolate(nodes: Array, values: Array, y: ArrayLike) -> Array:
    nodes, values, y = _nodes.promoted(nodes, values, jnp.asarray(y))
    n, *shape = values.shape
    v = _check.at_least_float32(values.reshape(n, math.prod(shape)))
    x, v = _nodes.in_order(_check.at_least_float32(nodes), v)
    basis, power = _lagrange_basis(x, _check.at_least_float32(y.reshape(y.size)))

    def plain(v: Array) -> Array:
        return _nodes.product(basis, v)

    def beside(v: Array) -> Array:
        return _nodes.scaled(_nodes.product(basis, v), power)

    p = lax.cond(jnp.all(power == 0), plain, beside, v)
    return p.reshape(*y.shape, *shape).astype(values.dtype)


@jax.custom_jvp
def _lagrange_basis(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the basis polynomials `(m, n)` at the points, and powers of two for rows.

    So that far away, where these overflow, the sum of their products with values does
    only if the answer does.
    """
    shift = _nodes.headroom(jnp.maximum(jnp.max(_nodes.size(x)), _nodes.size(y)))
    column = shift[:, None]
    distance = _nodes.scaled(y[:, None], -column) - _nodes.scaled(x[None, :], -column)
    at_node = distance == 0
    is_node = jnp.any(at_node, 1, keepdims=True)
    distance = jnp.where(is_node, jnp.ones_like(distance), distance)
    mantissa, exponent = _nodes.node_products(x)
    least = jnp.min(exponent)
    weights = _nodes.scaled(1 / mantissa, least - exponent)  # the largest about one
    nearest = jnp.min(jnp.abs(distance), 1, keepdims=True)
    terms = weights[None, :] * (nearest.astype(x.dtype) / distance)

    total = jnp.sum(terms, 1, keepdims=True)
    cancels = jnp.sum(jnp.abs(terms), 1, keepdims=True) > _CANCELED * jnp.abs(total)

    def first_form() -> tuple[Array, Array]:
        y_mantissa, y_exponent = _nodes.mantissa_exponent(distance)
        near_mantissa, near_exponent = _nodes.split(nearest)
        factor = y_mantissa[:, None] / near_mantissa.astype(x.dtype)
        power = y_exponent[:, None] - near_exponent - least + (x.size - 1) * column
        basis = jnp.where(cancels, terms * factor, terms / total)
        return basis, jnp.where(cancels & ~is_node, power, 0)

    basis, power = lax.cond(
        jnp.any(cancels),
        first_form,
        lambda: (terms / total, jnp.zeros_like(column)),
    )
    basis = jnp.where(is_node, at_node.astype(x.dtype), basis)
    is_wrong = jnp.any(x[1:] == x[:-1]) | jnp.any(jnp.isnan(x))
    # else a point at a node would not tell
    return jnp.where(is_wrong, jnp.nan, basis), power


@_lagrange_basis.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> Any:
    basis, power = _lagrange_basis(*primals)
    (dx, dy), still = tangents, jnp.zeros_like(tangents[1])
    D = _nodes.differentiation_matrix(primals[0])
    logarithmic, is_far = _logarithmic_derivatives(*primals)
    dy_near, dy_far = jnp.where(is_far, still, dy), jnp.where(is_far, dy, still)
    near = _nodes.basis_tangent(basis, D, dx, dy_near)
    tangent = near + dy_far[:, None] * basis * logarithmic
    return (basis, power), (tangent, np.zeros(power.shape, jax.dtypes.float0))


def _logarithmic_derivatives(x: Array, y: Array) -> tuple[Array, Array]:
    r"""Return $\sum_{k \ne j} 1 / (y - x_k)$ for each basis polynomial, and where.

    At points far from all nodes the slopes of the basis at the nodes, which give its
    slopes elsewhere, cancel; this sum, of terms alike, does not. Zero at other points.
    """
    shift = _nodes.headroom(jnp.maximum(jnp.max(_nodes.size(x)), _nodes.size(y)))
    column = shift[:, None]
    points, nodes = (_nodes.scaled(a, -column) for a in (y[:, None], x[None, :]))
    center = nodes[:, :1] / 2 + nodes[:, -1:] / 2
    radius = jnp.max(jnp.abs(nodes - center), 1, keepdims=True)
    is_far = jnp.abs(points - center) > 2 * radius
    distance = jnp.where(is_far, points - nodes, jnp.ones_like(nodes))
    inverse = jnp.where(is_far, 1 / distance, jnp.zeros_like(nodes))
    sums = jnp.sum(inverse, 1, keepdims=True) - inverse
    return _nodes.scaled(sums, -column), is_far[:, 0]
