"""What fitting and interpolation share: nodes, their order, their slopes.

Private functions take nodes `(n,)` in increasing order and values `(n, k)`, of one
precision; the nodes stay real where only the values are complex.
"""

import cmath
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array

from jnumerics import _check
from jnumerics._check import ArrayLike, Operand

_GROUP = 64  # so many mantissas of 0.5 to 1.5 have a product within any range


def checked(nodes: ArrayLike, values: ArrayLike) -> tuple[Operand, Operand]:
    """Check nodes and values: ranks, sizes and, if seen, nodes finite and distinct."""
    x = _check.inexact("nodes", nodes, rank=1)
    v = _check.inexact("values", values)
    not_empty("nodes", x)
    _check.axis_size("values", v, 0, x.size)
    if _check.is_concrete(x):
        _finite_and_distinct("nodes", x, _node_dtype(x, v))
    return x, v


def seen(nodes: ArrayLike, values: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
    """Check nodes if they can be seen; usual ones quickly, sizes and all else later."""
    if (
        isinstance(nodes, jax.Array)
        and isinstance(values, jax.Array)
        and _check.is_concrete(nodes, values)
        and nodes.ndim == 1
        and nodes.dtype.kind in "fc"
        and nodes.dtype == values.dtype
        and _are_distinct(np.asarray(nodes))
    ):
        return nodes, values
    return checked(nodes, values)


def _node_dtype(x: Operand, v: Operand, *points: Array) -> jnp.dtype:
    """Return the precision of all, complex only where nodes or points are."""
    if v.dtype == x.dtype and not points:  # what is usual need not take long
        common = of_nodes = x.dtype
    else:
        with jax.numpy_dtype_promotion("standard"):
            common = jnp.result_type(v, x, *points)
            of_nodes = jnp.result_type(x, *points)
    is_complex = jnp.issubdtype(of_nodes, jnp.complexfloating)
    return common if is_complex else jnp.finfo(common).dtype


def promoted(x: Array, v: Array, *points: Array) -> tuple[Array, ...]:
    """Bring all to one precision, nodes and points to one dtype."""
    dtype = _node_dtype(x, v, *points)
    v, _ = _check.promote(v, x.astype(dtype))
    return x.astype(dtype), v, *(y.astype(dtype) for y in points)


def not_empty(name: str, x: Operand) -> None:
    """Require at least one entry along the first axis."""
    if x.ndim == 0 or len(x) == 0:
        msg = f"`{name}` must have a first axis of size 1 or more, got shape {x.shape}"
        raise ValueError(msg)


def _finite_and_distinct(name: str, x: Operand, dtype: jnp.dtype) -> None:
    numbers = np.asarray(x, dtype)
    if _are_distinct(numbers):
        return
    ordered = np.sort(numbers)
    is_finite = np.isfinite(ordered)
    if not is_finite.all():
        msg = f"`{name}` must be finite, got {ordered[~is_finite][0]}"
        raise ValueError(msg)
    is_repeated = ordered[1:] == ordered[:-1]
    if is_repeated.any():
        first = ordered[1:][is_repeated][0]
        msg = f"`{name}` must be distinct, got {first} more than once"
        raise ValueError(msg)


def _are_distinct(numbers: np.ndarray) -> bool:
    """Whether numbers are finite and distinct."""
    values = numbers.tolist()  # for a few Python is faster than NumPy
    return len(set(values)) == len(values) and all(map(cmath.isfinite, values))


def in_order(nodes: Array, values: Array) -> tuple[Array, Array]:
    """Sort nodes increasingly (complex: by real, then imaginary part).

    So the caller's order has no influence on a single bit of what is computed.
    Infinite nodes become NaN: some answers would look as if they were not there.
    """
    nodes = jnp.where(jnp.isfinite(nodes), nodes, jnp.nan)
    order = jnp.argsort(nodes)
    sort = {"mode": "promise_in_bounds", "unique_indices": True}
    return nodes.at[order].get(**sort), values.at[order].get(**sort)


@jax.custom_jvp
def differentiation_matrix(x: Array) -> Array:
    r"""Return D: the polynomial through $(x_i, v_i)$ has slopes $D v$ at the nodes.

    $D_{ij} = (w_j / w_i) / (x_i - x_j)$ with barycentric weights $w$, and rows that sum
    to zero, as constants have no slope (Berrut and Trefethen 2004, section 9.3).
    """
    mantissa, exponent = node_products(x)
    ratio = mantissa[:, None] / mantissa[None, :]
    power = exponent[:, None] - exponent[None, :]
    is_diagonal = np.eye(x.size, dtype=bool)
    shift = headroom(jnp.max(size(x)))
    D = scaled(ratio / _differences(scaled(x, -shift)), power - shift)
    D = jnp.where(is_diagonal, jnp.zeros_like(D), D)
    return jnp.where(is_diagonal, -jnp.sum(D, 1, keepdims=True), D)


@differentiation_matrix.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # slopes at moving nodes of a polynomial that keeps its values at them
    D, (dx,) = differentiation_matrix(*primals), tangents
    return D, product((dx[:, None] - dx[None, :]) * D, D)


def values_tangent(
    x: Array, v: Array, dx: Array | SymbolicZero, dv: Array | SymbolicZero
) -> Array:
    """Return the tangent of the values that stands for the nodes' as well."""
    dv = jnp.zeros_like(v) if isinstance(dv, SymbolicZero) else dv
    if isinstance(dx, SymbolicZero):
        return dv
    return dv - product(differentiation_matrix(x), v) * as_column(dx, v)


def as_column(x: Array, v: Array) -> Array:
    """Return `x` as a column in the dtype of `v`."""
    return x.astype(v.dtype)[:, None]


def product(matrix: Array, v: Array) -> Array:
    """Multiply a matrix, real or complex, with values, in full precision."""
    return jnp.matmul(matrix.astype(v.dtype), v, precision="highest")


def node_products(x: Array) -> tuple[Array, Array]:
    r"""Return $\prod_{k \ne j} (x_j - x_k)$, the inverse barycentric weights.

    As mantissa and power of two.
    """
    shift = headroom(jnp.max(size(x)))
    mantissa, exponent = mantissa_exponent(_differences(scaled(x, -shift)))
    return mantissa, exponent + (x.size - 1) * shift


def _differences(x: Array) -> Array:
    difference = x[:, None] - x[None, :]
    is_diagonal = np.eye(x.size, dtype=bool)
    return jnp.where(is_diagonal, jnp.ones_like(difference), difference)


def mantissa_exponent(factors: Array) -> tuple[Array, Array]:
    """Multiply along the last axis, as mantissa and power of two.

    No product of thousands of factors leaves the range of floating-point numbers.
    """
    mantissa, power = split(factors)
    exponent = jnp.sum(power, -1, dtype=power.dtype)
    while (n := mantissa.shape[-1]) > 1:
        rest = [(0, 0)] * (mantissa.ndim - 1) + [(0, -n % _GROUP)]
        groups = jnp.pad(mantissa, rest, constant_values=1)
        groups = groups.reshape(*mantissa.shape[:-1], -(-n // _GROUP), _GROUP)
        mantissa, power = split(jnp.prod(groups, -1))
        exponent += jnp.sum(power, -1, dtype=power.dtype)
    return mantissa[..., 0], exponent


def split(x: Array) -> tuple[Array, Array]:
    """Write x as a mantissa of size 0.5 to 1.5 times a power of two."""
    power = exponent(size(x))
    return scaled(x, -power), power


def exponent(size: Array) -> Array:
    """Return the exponents of the least powers of two above normal numbers.

    Read off the bits, here and in `scaled`: `frexp` and `ldexp` care for subnormal
    numbers too, and with so many of them compiling took three times as long.
    """
    bits, n_mantissa, bias = _format(size.dtype)
    biased = lax.shift_right_logical(lax.bitcast_convert_type(size, bits), n_mantissa)
    return lax.convert_element_type(biased, np.int32) - np.int32(bias - 1)


def _format(dtype: jnp.dtype) -> tuple[type, Any, int]:
    """Return the integer type of a float's bits, how many are the mantissa's, bias."""
    limits = jnp.finfo(dtype)
    bits = np.int64 if limits.bits == 64 else np.int32
    return bits, bits(limits.nmant), limits.maxexp - 1


def size(x: Array) -> Array:
    """Return the modulus, of complex numbers the larger of their parts'."""
    is_complex = jnp.iscomplexobj(x)
    return jnp.maximum(jnp.abs(x.real), jnp.abs(x.imag)) if is_complex else jnp.abs(x)


def headroom(size: Array) -> Array:
    """Return the power of two to divide by before differences: 2 near the limit."""
    return jnp.where(size > jnp.finfo(size.dtype).max / 8, 2, 0).astype(jnp.int32)


def scaled(x: Array, power: Array) -> Array:
    """Multiply by a power of two: exact, in two factors that do not overflow."""
    if jnp.iscomplexobj(x):  # by parts: an infinite one would make the other NaN
        return lax.complex(scaled(x.real, power), scaled(x.imag, power))
    half = lax.shift_right_arithmetic(power, np.int32(1))
    return x * _power_of_two(half, x.dtype) * _power_of_two(power - half, x.dtype)


def _power_of_two(power: Array, dtype: jnp.dtype) -> Array:
    bits, n_mantissa, bias = _format(dtype)
    biased = lax.clamp(np.int32(0), power + np.int32(bias), np.int32(2 * bias + 1))
    biased = lax.convert_element_type(biased, bits)
    return lax.bitcast_convert_type(lax.shift_left(biased, n_mantissa), dtype)
