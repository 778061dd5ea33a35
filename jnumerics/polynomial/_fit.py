"""Coefficients from values: the recurrences of Björck and Pereyra."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Inexact

from jnumerics import _check
from jnumerics._check import ArrayLike
from jnumerics._programs import checked
from jnumerics.polynomial import _newton, _nodes


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
    x, v = _newton.ordered(x, v)
    unit, is_plain = _newton.moderate_unit(x)
    form = _newton.form(x, v, unit, is_tangent)
    return _multiplied_out(*form, unit, is_plain)


def _coefficients_jvp(
    is_tangent: bool,
    primals: tuple[Array, Array],
    tangents: tuple[Array | SymbolicZero, Array | SymbolicZero],
) -> tuple[Array, Array]:
    (x, v), (dx, dv) = primals, tangents
    moved = _nodes.values_tangent(x, v, dx, dv)
    return _coefficients(x, v, is_tangent), _coefficients(x, moved, True)


_coefficients.defjvp(_coefficients_jvp, symbolic_zeros=True)


def _multiplied_out(x: Array, d: Array, unit: Array, is_plain: Array) -> Array:
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
        shift = jnp.where(is_plain, 0, shift)
        return (_nodes.scaled(following, -shift), power + shift), carry

    one = jnp.zeros_like(x).at[0].set(1)
    newton, power = lax.scan(step, (one, jnp.zeros_like(unit)), x)[1]

    def beside(d: Array) -> Array:
        c = _nodes.product(newton.T, _nodes.scaled(d, power[:, None]))
        exponents = -unit * jnp.arange(x.size, dtype=power.dtype)
        return _nodes.scaled(c, exponents[:, None])

    plain = partial(_nodes.product, newton.T)
    return lax.cond(is_plain, plain, beside, d)
