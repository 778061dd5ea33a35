"""Operations element by element: first and second derivative once for all directions.

For y = f(x), element by element and real, `J' = f' J` and
`L' = f' L + sum_c f'' J_c^2`, where f' and f'' come from two nested JVPs with ones.
Where f is linear between its kinks there is no f'', where it is constant between them
nothing moves.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jnumerics._programs import stored
from jnumerics.derivatives._modes.collapsed.jet import (
    Expand,
    Jet,
    has_units,
    held,
    moving,
    summed,
    total,
)
from jnumerics.derivatives._modes.collapsed.operation import linear, nested, operation
from jnumerics.derivatives._program.jaxpr import JaxprEqn, shape_of
from jnumerics.derivatives._program.linearity.directions import is_complex

SMOOTH = frozenset({
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "bessel_i0e",
    "bessel_i1e", "cbrt", "cos", "cosh", "digamma", "erf", "erf_inv", "erfc", "exp",
    "exp2", "expm1", "igamma", "igamma_grad_a", "igammac", "integer_pow", "lgamma",
    "log", "log1p", "log2", "logistic", "one_minus_square", "polygamma", "pow",
    "regularized_incomplete_beta", "rem", "rsqrt", "sin", "sinh", "sqrt", "square",
    "tan", "tanh", "zeta",
})  # fmt: skip
PIECEWISE = frozenset({
    "abs", "clamp", "cummax", "cummin", "max", "min", "reduce_max", "reduce_min",
    "reduce_window_max", "reduce_window_min", "sort", "top_k",
})  # fmt: skip
CONSTANT = frozenset(["ceil", "floor", "is_finite", "round", "sign", "stop_gradient"])
# f'' = (p - 1) f' / x, which stays in range where f'' alone does not
_EXPONENTS = {"log": 0.0, "log2": 0.0, "sqrt": 0.5, "rsqrt": -0.5, "cbrt": 1 / 3}
_POWERS = ("pow", "integer_pow")
_COMPARES = ("reduce_max", "reduce_min")


def smooth(eqn: JaxprEqn, jets: list[Jet], expand: Expand) -> list[Jet]:
    """Push one real operand through a smooth function, others still."""
    where, (out,) = moving(jets), eqn.outvars
    is_one = len(where) == 1 and shape_of(eqn.invars[where[0]]) == shape_of(out)
    if not is_one or any(map(is_complex, (*eqn.invars, out))):
        return nested(eqn, jets, expand)
    call, operands = operation(eqn), [jet.value for jet in jets]
    x, jac, lap = jets[where[0]]

    def f(x: Array) -> Array:
        return call(*operands[: where[0]], x, *operands[where[0] + 1 :])[0]

    ones = jnp.ones_like(x)

    def along(x: Array) -> tuple[Array, Array]:
        return jax.jvp(f, (x,), (ones,))

    exponent = _exponent(eqn)
    if exponent is None:
        (y, slope), (_, bend) = jax.jvp(along, (x,), (ones,))
        moved = slope[None] * jac
        bent = _curved(eqn, bend, expand(jac))
    else:
        (y, slope), bend = along(x), (exponent - 1) / x
        moved = slope[None] * jac
        # in this order: a product of two derivatives alone may leave the range
        every = held(expand(jac), bend)
        bent = jnp.sum(bend[None] * every * (slope[None] * every), 0)
    return [Jet(y, moved, total(bent, None if lap is None else slope * lap))]


def _curved(eqn: JaxprEqn, bend: Array, jac: Array) -> Array:
    """Return f'' sum_c J_c^2: where f'' is zero, zero, though a square overflows.

    The sum comes first, since it may be one for a whole batch; not in half precision,
    whose range is too small for that, nor of powers, which may change the scale.
    """
    if has_units(jac):
        return bend * summed(jac)
    if jnp.finfo(jac.dtype).maxexp < 100 or eqn.primitive.name in _POWERS:
        jac = held(jac, bend)
        return jnp.sum(bend[None] * jac * jac, 0)
    return _in_range(bend, summed(jac, jac))


@jax.custom_jvp
def _in_range(bend: Array, squares: Array) -> Array:
    """Multiply; zero where f'' is, though the squares overflow.

    The bound is infinite elsewhere. It is no selection: XLA's fused products end there.
    """
    bound = jnp.finfo(squares.dtype).max / (1 - jnp.abs(jnp.sign(bend)))
    return bend * jnp.minimum(squares, bound)


@_in_range.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> Any:
    (bend, squares), (bend_dot, squares_dot) = primals, tangents
    is_flat = (bend == 0) & jnp.isinf(squares)  # zero near it, too
    squares, squares_dot = (
        jnp.where(is_flat, jnp.zeros_like(x), x) for x in (squares, squares_dot)
    )
    return _in_range(bend, squares), bend_dot * squares + bend * squares_dot


def _exponent(eqn: JaxprEqn) -> float | None:
    """Return the exponent of a power that has a pole at zero; 0 is the logarithm."""
    if eqn.primitive.name == "integer_pow" and eqn.params["y"] < 0:
        return float(eqn.params["y"])
    return _EXPONENTS.get(eqn.primitive.name)


def piecewise(eqn: JaxprEqn, jets: list[Jet], expand: Expand) -> list[Jet]:
    """Push real operands through what is linear between its kinks."""
    if any(map(is_complex, (*eqn.invars, *eqn.outvars))):
        return nested(eqn, jets, expand)
    if eqn.primitive.name in _COMPARES:  # a value made twice may be rounded twice
        jets = [jet._replace(value=stored(jet.value)) for jet in jets]
    return linear(eqn, jets, expand)
