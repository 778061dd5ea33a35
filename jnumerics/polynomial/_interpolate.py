"""Evaluation of a polynomial from its values at nodes."""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Inexact

from jnumerics import _check
from jnumerics._check import ArrayLike
from jnumerics._programs import checked
from jnumerics.polynomial import _newton, _nodes

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
    taken (first form); farther than three radii from the nodes' center, Newton's form.
    So extrapolation too, and what is differentiated there, has the error that rounding
    the values would make, $\epsilon \sum_j |\ell_j(y) V_j|$ with Lagrange's basis
    $\ell_j$, and far away much less where divided differences are exact: constants, or
    lines through integers, stay what they are at any distance. $O(n^2)$ operations, and
    $n$ for each point and for each entry of the answer; `y.size` times $n$ numbers of
    memory. The order of the nodes does not change a bit of the answer. bfloat16 and
    float16 are computed in float32 and rounded once.

    Args:
        nodes: $n \ge 1$ distinct finite points $x_j$, shape `(n,)`, real or complex.
            How well the polynomial is determined by its values is a matter of the
            nodes: 1000 Chebyshev points are harmless, 100 equispaced ones are hopeless.
        values: $V_j$, real or complex, finite, shape `(n, *shape)`.
        y: Points, real or complex, a scalar or of any shape. Infinite ones give NaN.

    Returns:
        $p$ at every point, shape `(*y.shape, *shape)`, in the common dtype.
        Equal or infinite nodes, where a trace hides them from the check, give NaN, as
        do those whose difference is below the normal numbers.

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
        (2004), https://doi.org/10.1093/imanum/24.4.547; on Newton's form Higham (2002),
        "Accuracy and Stability of Numerical Algorithms", section 5.3.
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
    p = _at_points(x, v, _check.at_least_float32(y.reshape(y.size)), False)
    return p.reshape(*y.shape, *shape).astype(values.dtype)


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _at_points(x: Array, v: Array, y: Array, is_tangent: bool) -> Array:
    """Map `(n,)` nodes, `(n, k)` values and `(m,)` points to `(m, k)`."""
    return _near_and_far(x, v, y, is_tangent)


def _near_and_far(x: Array, v: Array, y: Array, is_tangent: bool) -> Array:
    is_far = _is_far(x, y)
    basis, power = _lagrange_basis(x, jnp.where(is_far, x[0], y))

    def plain() -> Array:
        return _nodes.product(basis, v)

    def beside() -> Array:
        return _nodes.scaled(plain(), power)

    def extrapolated() -> Array:
        far = _newton.extrapolated(x, v, y, is_far, is_tangent)
        return jnp.where(is_far[:, None], far, beside())

    if x.size == 1:
        return plain()
    is_scaled = jnp.any(power != 0).astype(np.int32)
    way = jnp.where(jnp.any(is_far), np.int32(2), is_scaled)
    return lax.switch(way, (plain, beside, extrapolated))


def _at_points_jvp(
    is_tangent: bool,
    primals: tuple[Array, Array, Array],
    tangents: tuple[Array | SymbolicZero, ...],
) -> tuple[Array, Array]:
    del is_tangent  # reverse mode goes through scans only
    (x, v, y), (dx, dv, dy) = primals, tangents
    dy = jnp.zeros_like(y) if isinstance(dy, SymbolicZero) else dy
    at = partial(_near_and_far, x, v, is_tangent=True)
    # no pass backwards through it: powers of a far point overflow where p does not
    p, slope = jax.jvp(at, (y,), (jnp.ones_like(y),))
    tangent = slope * _nodes.as_column(dy, p)
    if isinstance(dx, SymbolicZero) and isinstance(dv, SymbolicZero):
        return p, tangent
    moved = _nodes.values_tangent(x, v, dx, dv)
    return p, tangent + _at_points(x, moved, y, True)


_at_points.defjvp(_at_points_jvp, symbolic_zeros=True)


def _is_wrong(x: Array) -> Array:
    """Whether nodes are equal or were infinite, so that each answer is NaN.

    Equal where their difference is: one that is not a normal number may be zero.
    """
    return jnp.any(x[1:] - x[:-1] == 0) | jnp.any(jnp.isnan(x))


def _is_far(x: Array, y: Array) -> Array:
    """Find points so far away that no two nodes are farther apart than they from one.

    There Newton's form is as accurate as the first form for any values and any order of
    the nodes, and for values of a low degree much more so.
    """
    points, nodes = y / 8, x / 8  # no distance overflows
    center = nodes[0] / 2 + nodes[-1] / 2
    radius = jnp.max(jnp.abs(nodes - center))
    is_far = jnp.abs(points - center) > 3 * radius
    return is_far & jnp.isfinite(y) & ~_is_wrong(x)


def _distances(x: Array, y: Array) -> tuple[Array, Array]:
    """Return $y_i - x_j$, in units of 2^shift that overflow nowhere, and the shifts."""
    shift = _nodes.headroom(jnp.maximum(jnp.max(_nodes.size(x)), _nodes.size(y)))
    column = shift[:, None]
    points, nodes = (_nodes.scaled(a, -column) for a in (y[:, None], x[None, :]))
    return points - nodes, column


@jax.custom_jvp
def _lagrange_basis(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the basis polynomials `(m, n)` at the points, and powers of two for rows.

    So that where these overflow, the sum of their products with values does only if the
    answer does.
    """
    distance, column = _distances(x, y)
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
    # else a point at a node would not tell
    return jnp.where(_is_wrong(x), jnp.nan, basis), power


def _lagrange_basis_jvp(
    primals: tuple[Array, Array], tangents: tuple[Array | SymbolicZero, ...]
) -> Any:
    (x, y), (dx, dy) = primals, tangents
    basis, power = _lagrange_basis(x, y)
    tangent = jnp.zeros_like(basis)
    if not isinstance(dy, SymbolicZero):
        tangent += dy[:, None] * _basis_slopes(x, y, power)
    if not isinstance(dx, SymbolicZero):
        D = _nodes.differentiation_matrix(x)
        tangent -= _nodes.product(dx[None, :] * basis, D)
    return (basis, power), (tangent, np.zeros(power.shape, jax.dtypes.float0))


_lagrange_basis.defjvp(_lagrange_basis_jvp, symbolic_zeros=True)


def _basis_slopes(x: Array, y: Array, power: Array) -> Array:
    r"""Return the slopes of the basis polynomials at the points, shape `(m, n)`.

    With $\ell_j = (y - x_i) q_j$, $x_i$ the node next to $y$, they are
    $q_j + (y - x_i) q_j'$, and $q_i'$ with $q_i = \ell_i$ where $j = i$: nothing is
    divided by a distance that may be zero, and no node's gap enters twice, as it does
    in the slopes at the nodes, interpolated.
    """
    place, q = _place(x, y), _rests(x, y, power)
    others = q + place.nearest * q * place.logarithmic
    own = _nodes.scaled(q * place.logarithmic, -place.shift)
    return jnp.where(place.is_nearest, own, others)


class _Place(NamedTuple):
    """Where points are among the nodes, in the units of `_distances`."""

    nearest: Array  # distance from the nearest node, a column
    is_nearest: Array
    rest: Array  # the distances, but 1 from the nearest node
    inverse: Array  # 1 / rest, but 0 of the nearest node
    logarithmic: Array  # the sums over k of 1 / (y - x_k), k the others but that one
    shift: Array  # a column


def _place(x: Array, y: Array) -> _Place:
    distance, column = _distances(x, y)
    chosen = jnp.argmin(jnp.abs(distance), 1)
    is_nearest = chosen[:, None] == np.arange(x.size)[None, :]
    zero, one = jnp.zeros_like(distance), jnp.ones_like(distance)
    nearest = jnp.sum(jnp.where(is_nearest, distance, zero), 1, keepdims=True)
    rest = jnp.where(is_nearest, one, distance)
    inverse = jnp.where(is_nearest, zero, 1 / rest)
    logarithmic = jnp.sum(inverse, 1, keepdims=True) - inverse
    return _Place(nearest, is_nearest, rest, inverse, logarithmic, column)


@jax.custom_jvp
def _rests(x: Array, y: Array, power: Array) -> Array:
    r"""Return $q_j = \prod_{k \ne i, j} (y - x_k) / \prod_{k \ne j} (x_j - x_k)$.

    Divided by 2^power, row by row.
    """
    place = _place(x, y)
    mantissa, exponent = _nodes.mantissa_exponent(place.rest)
    own_mantissa, own_exponent = _nodes.split(place.rest)
    node_mantissa, node_exponent = _nodes.node_products(x)
    quotient = mantissa[:, None] / (own_mantissa * node_mantissa[None, :])
    exponent = exponent[:, None] - own_exponent - node_exponent[None, :] - power
    n_factors = x.size - 2 + place.is_nearest.astype(power.dtype)
    return _nodes.scaled(quotient, exponent + n_factors * place.shift)


def _rests_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array | SymbolicZero, ...]
) -> tuple[Array, Array]:
    (x, y, _), (dx, dy, _) = primals, tangents
    q, place = _rests(*primals), _place(x, y)
    change = jnp.zeros_like(q)  # of their logarithms
    if not isinstance(dy, SymbolicZero):
        change += dy[:, None] * _nodes.scaled(place.logarithmic, -place.shift)
    if not isinstance(dx, SymbolicZero):
        terms = _nodes.scaled(place.inverse, -place.shift) * dx[None, :]
        gaps = x[:, None] - x[None, :]
        gaps = jnp.where(gaps == 0, jnp.inf, gaps)  # from itself
        moved = jnp.sum((dx[:, None] - dx[None, :]) / gaps, 1)
        change += terms - jnp.sum(terms, 1, keepdims=True) - moved[None, :]
    return q, q * change


_rests.defjvp(_rests_jvp, symbolic_zeros=True)
