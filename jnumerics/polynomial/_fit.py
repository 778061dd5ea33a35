"""Coefficients from values: the recurrences of Björck and Pereyra."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Inexact

from jnumerics import _check
from jnumerics._check import ArrayLike
from jnumerics._programs import checked
from jnumerics.polynomial import _nodes


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
    return _fit(*_nodes.seen(nodes, values))


@checked(_nodes.checked)
def _fit(nodes: Array, values: Array) -> Array:
    nodes, values = _nodes.promoted(nodes, values)
    n, *shape = values.shape
    v = _check.at_least_float32(values.reshape(n, math.prod(shape)))
    x, v = _nodes.in_order(_check.at_least_float32(nodes), v)
    return _coefficients(x, v, False).reshape(values.shape).astype(values.dtype)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _coefficients(x: Array, v: Array, is_tangent: bool) -> Array:
    if x.size == 1:
        return v
    if jnp.iscomplexobj(x):
        order = _complex_order(x)
        x, v = x[order], v[order]
    scale = _scale(x)
    x = _nodes.scaled(x, -scale.unit)
    if is_tangent:  # reverse mode goes through a scan only
        d = _divided_by_steps(x, v)
    else:
        ways = {"cpu": _divided_by_rows, "default": _divided_by_steps}
        d = lax.platform_dependent(x, v, **ways)
    return _multiplied_out(x, d, scale)


def _coefficients_jvp(
    is_tangent: bool,
    primals: tuple[Array, Array],
    tangents: tuple[Array | SymbolicZero, Array | SymbolicZero],
) -> tuple[Array, Array]:
    (x, v), (dx, dv) = primals, tangents
    dv = jnp.zeros_like(v) if isinstance(dv, SymbolicZero) else dv
    if not isinstance(dx, SymbolicZero):
        slopes = _nodes.product(_nodes.differentiation_matrix(x), v)
        dv = dv - slopes * _nodes.as_column(dx, v)
    return _coefficients(x, v, is_tangent), _coefficients(x, dv, True)


_coefficients.defjvp(_coefficients_jvp, symbolic_zeros=True)


class _Scale(NamedTuple):
    unit: Array
    """Power of two in units of which divided differences are moderate."""
    is_plain: Array
    """Whether they and all coefficients of Newton's polynomials are so without it."""


def _scale(x: Array) -> _Scale:
    """Judge the range of all that is computed for values of size one.

    Divided differences of each order are at most those of gaps that are the least of
    that order. In units of these gaps' geometric mean their sizes rise from one while
    gaps are below the mean and come back to one; in a smaller unit the largest is less
    large, and the last as small as that is large. Nodes and gaps stay within the range.
    Of nodes in this module's orders the first or the last is the largest.
    """
    n, limit = x.size, jnp.finfo(x.dtype).maxexp
    i, k = np.arange(n), np.arange(1, n)[:, None]
    largest = jnp.maximum(_nodes.size(x[0]), _nodes.size(x[-1]))
    shift = _nodes.headroom(largest)
    near = _nodes.scaled(x, -shift)
    # where no node is k places before, the first gap of that order again
    gaps = _nodes.size(near[np.maximum(i, k)] - near[np.maximum(i - k, 0)])
    least = _nodes.exponent(jnp.min(gaps, 1)) + shift
    power, last = _nodes.exponent(largest), np.int32(n - 1)
    total, size, smallest = _reduced(
        (lax.add, lax.add, lax.min), least, abs(least), least
    )
    mean = lax.div(total, last)
    rise = jnp.maximum(mean - least, 0)
    peak, at = _reduced((lax.add, lax.add), rise, (rise > 0).astype(rise.dtype))
    unit = jnp.minimum(mean - lax.div(peak, at + last), smallest + limit - 4)
    unit = jnp.maximum(unit, power - limit + 4)
    is_plain = size + n * (jnp.maximum(power, 0) + 1) <= limit // 2
    return _Scale(jnp.where(is_plain, 0, unit), is_plain)


def _reduced(operations: Sequence[Callable], *vectors: Array) -> Sequence[Array]:
    """Add up vectors of integers or take their least, all at once.

    Each reduction of its own is kernels to compile: with five, fit's first call takes a
    tenth longer.
    """
    unit = {lax.add: 0, lax.min: np.iinfo(np.int32).max}
    start = tuple(np.int32(unit[operation]) for operation in operations)

    def join(a: Sequence[Array], b: Sequence[Array]) -> tuple[Array, ...]:
        pairs = zip(operations, a, b, strict=True)
        return tuple(operation(x, y) for operation, x, y in pairs)

    return lax.reduce(vectors, start, join, (0,))


def _divided_by_rows(x: Array, c: Array) -> Array:
    """Take divided differences in place, a row at a time: fast on CPUs."""
    n = x.size

    def at(i: Array | int) -> Array:
        return lax.dynamic_index_in_dim(x, i, keepdims=False).astype(c.dtype)

    def divide(k: Array, c: Array) -> Array:
        def row(j: Array, c: Array) -> Array:
            i = n - 1 - j
            before, here = lax.dynamic_slice_in_dim(c, i - 1, 2)
            divided = (here - before) / (at(i) - at(i - k))
            return lax.dynamic_update_index_in_dim(c, divided, i, 0)

        return lax.fori_loop(0, n - k, row, c)

    return lax.fori_loop(1, n, divide, c)


def _divided_by_steps(x: Array, c: Array) -> Array:
    """Do the same to all rows at a time: fast where a step has a price of its own."""
    n = x.size
    i, k = np.arange(n), np.arange(1, n)[:, None]
    is_due = i >= k
    gap = x[None, :] - x[np.maximum(i - k, 0)]
    gap = jnp.where(is_due, gap, jnp.ones_like(gap))

    def divide(c: Array, row: tuple[Array, Array]) -> tuple[Array, None]:
        due, gap = row
        divided = (c - jnp.roll(c, 1, 0)) / _nodes.as_column(gap, c)
        return jnp.where(due[:, None], divided, c), None

    return lax.scan(divide, c, (jnp.asarray(is_due), gap))[0]


def _multiplied_out(x: Array, d: Array, scale: _Scale) -> Array:
    r"""Return the coefficients of $\sum_j d_j N_j$, $N_j = \prod_{k<j} (x - x_k)$.

    One product with the coefficients of all $N_j$, as accurate as Horner's scheme on
    the values, unlike divided differences, which no matrix can stand for: those of
    smooth values are small. Each $N_j$ has a power of two of its own as unit where
    the plain numbers might leave the range.
    """

    def step(carry: tuple[Array, Array], node: Array) -> tuple[tuple, tuple]:
        newton, power = carry
        following = jnp.roll(newton, 1) - node * newton
        shift = _nodes.exponent(jnp.max(_nodes.size(following)))
        shift = jnp.where(scale.is_plain, 0, shift)
        return (_nodes.scaled(following, -shift), power + shift), carry

    one = jnp.zeros_like(x).at[0].set(1)
    newton, power = lax.scan(step, (one, jnp.zeros_like(scale.unit)), x)[1]

    def beside(d: Array) -> Array:
        c = _nodes.product(newton.T, _nodes.scaled(d, power[:, None]))
        exponents = -scale.unit * jnp.arange(x.size, dtype=power.dtype)
        return _nodes.scaled(c, exponents[:, None])

    plain = partial(_nodes.product, newton.T)
    return lax.cond(scale.is_plain, plain, beside, d)


def _complex_order(x: Array) -> Array:
    """Order complex nodes for accuracy: along their line, else Leja's order.

    Measured: on 32 roots of unity Leja's order has an error of 1e-14 and the sorted
    order 1e-9; on a line the sorted order wins by 50 to 1000.
    """
    power = _nodes.exponent(jnp.max(_nodes.size(x)))
    x = _nodes.scaled(x, -power)  # its products overflow no more
    span = x[-1] - x[0]
    # distance from the line, times |span|
    height = jnp.abs(((x - x[0]) * jnp.conj(span)).imag)
    tolerance = 8 * jnp.finfo(x.dtype).eps * jnp.max(jnp.abs(x)) * jnp.abs(span)
    is_line = jnp.all(height <= tolerance)
    return jnp.where(is_line, jnp.arange(x.size), _leja_order(x))


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
