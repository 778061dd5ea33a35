"""Products: linear in each factor; both moving, one product contracts the directions.

`L' = B(Lx, y) + B(x, Ly) + 2 sum_c B(Jx_c, Jy_c)`. Directions and rows of a matrix are
merged: one large matrix product, whose result needs no transpose. Unit vectors are not
multiplied: their products are the matrix's own rows.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnumerics import _check
from jnumerics.derivatives._modes.collapsed.jet import (
    MOST_FOLDED,
    Expand,
    Jet,
    hidden,
    is_known,
    known,
    moving,
    summed,
    total,
)
from jnumerics.derivatives._modes.collapsed.movement import fitted, spread
from jnumerics.derivatives._modes.collapsed.operation import (
    linear,
    nested,
    operation,
)
from jnumerics.derivatives._program.jaxpr import JaxprEqn, dtype_of, shape_of

MOST_PRODUCTS = 1 << 25  # of a convolution that is made early


def multiplied(eqn: JaxprEqn, jets: list[Jet], expand: Expand) -> list[Jet]:
    """Multiply element by element."""
    (value,) = operation(eqn)(*(jet.value for jet in jets))
    x, y = jets
    rank = value.ndim
    jac = total(_scaled(x.jac, y.value, rank), _scaled(y.jac, x.value, rank))
    cross = None
    if x.jac is not None and y.jac is not None:
        pair = [spread(expand(jac), rank) for jac in (x.jac, y.jac)]
        cross = summed(*pair)
        is_zero = _check.is_concrete(cross) and not np.asarray(cross).any()
        cross = None if is_zero else 2 * cross  # zero: no direction moves both
    laps = (_times(x.lap, y.value), _times(y.lap, x.value), cross)
    return [fitted(value, jac, total(*laps))]


def divided(eqn: JaxprEqn, jets: list[Jet], expand: Expand) -> list[Jet]:
    """Divide: with u = x / y, `u' = (x' - u y') / y`, and so for the second."""
    (value,) = operation(eqn)(*(jet.value for jet in jets))
    x, y = jets
    rank = value.ndim
    over = y.value[None] if y.value.ndim else y.value
    drag = _scaled(y.jac, -value, rank)
    jac = None if x.jac is None else spread(hidden(x.jac), rank)
    jac = total(jac, drag) / over
    lap = total(x.lap, _times(y.lap, -value))
    if y.jac is not None:
        cross = -2 * jnp.sum(expand(jac) * spread(expand(y.jac), rank), 0)
        lap = total(cross, lap)
    return [fitted(value, jac, None if lap is None else lap / y.value)]


def _scaled(jac: Any, factor: Any, rank: int) -> Any:
    if jac is None:
        return None
    return spread(hidden(jac), rank) * (factor[None] if factor.ndim else factor)


def _times(lap: Any, factor: Any) -> Any:
    return None if lap is None else lap * factor


def contracted(eqn: JaxprEqn, jets: list[Jet], expand: Expand) -> list[Jet]:
    """Contract two arrays."""
    if eqn.params.get("out_sharding") is not None:
        return either(eqn, jets, expand)
    call = operation(eqn)
    x, y = jets
    contraction = _Contraction(eqn)
    jac = total(
        None if x.jac is None else contraction.of_left(x.jac, y.value),
        None if y.jac is None else contraction.of_right(x.value, y.jac),
    )
    lap = total(
        None if x.lap is None else call(x.lap, y.value)[0],
        None if y.lap is None else call(x.value, y.lap)[0],
    )
    if x.jac is not None and y.jac is not None:
        lap = total(2 * contraction.of_both(expand(x.jac), expand(y.jac)), lap)
    return [Jet(call(x.value, y.value)[0], jac, lap)]


class _Contraction:
    """The axes of a `dot_general`, where one operand or both have directions first."""

    def __init__(self, eqn: JaxprEqn) -> None:
        self.dtype = dtype_of(eqn.outvars[0])
        (self.sums, self.batch), p = eqn.params["dimension_numbers"], eqn.params
        self.options = {k: p[k] for k in ("precision", "preferred_element_type")}
        ranks = [len(shape_of(v)) for v in eqn.invars]
        taken = zip(ranks, self.sums, self.batch, strict=True)
        self.free = [rank - len(s) - len(b) for rank, s, b in taken]

    def of_left(self, jac: Any, y: Any) -> Any:
        """Contract each direction of the left operand: they become its first rows."""
        if self._is_basis(jac, 0):
            return self._rows(y, 1)
        numbers = self._numbers((1, 0))
        product = lax.dot_general(hidden(jac), y, numbers, **self.options)
        return jnp.moveaxis(product, len(self.batch[0]), 0)

    def of_right(self, x: Any, jac: Any) -> Any:
        """Contract each direction of the right operand."""
        if self._is_basis(jac, 1):
            return self._rows(x, 0)
        jac, n = hidden(jac), len(self.batch[0])
        sums, batch = self._numbers((0, 1))
        if self.free[1] == 0:  # a matrix times vectors: vectors times its transpose
            numbers = sums[::-1], batch[::-1]
            product = lax.dot_general(jac, x, numbers, **self.options)
            return jnp.moveaxis(product, n, 0)
        product = lax.dot_general(x, jac, (sums, batch), **self.options)
        return jnp.moveaxis(product, n + self.free[0], 0)

    def of_both(self, left: Any, right: Any) -> Any:
        """Contract both, and the directions too."""
        sums, batch = self._numbers((1, 1))
        numbers = ((0, *sums[0]), (0, *sums[1])), batch
        return lax.dot_general(hidden(left), hidden(right), numbers, **self.options)

    def _is_basis(self, jac: Any, side: int) -> bool:
        """Whether directions are the unit vectors of an operand, all of it summed."""
        if self.free[side] or self.batch[side] or not _check.is_concrete(jac):
            return False
        count, *shape = jac.shape
        if math.prod(shape) != count:
            return False
        return np.array_equal(np.asarray(jac).reshape(count, count), np.eye(count))

    def _rows(self, other: Any, side: int) -> Any:
        """Return the products of unit vectors with an operand: its own rows."""
        pairs = sorted(zip(self.sums[1 - side], self.sums[side], strict=True))
        sums = [k for _, k in pairs]
        free = [k for k in range(other.ndim) if k not in sums]
        count = math.prod(other.shape[k] for k in sums)
        shape = (count, *(other.shape[k] for k in free))
        is_early = is_known([other], other.size)
        rows = np.asarray(other) if is_early else other
        rows = rows.transpose(*sums, *free).reshape(shape)
        return known(rows, self.dtype) if is_early else rows.astype(self.dtype)

    def _numbers(self, shift: tuple[int, int]) -> Any:
        """Return the axes' numbers behind new first ones."""
        return tuple(
            tuple(
                tuple(k + s for k in axes) for axes, s in zip(pair, shift, strict=True)
            )
            for pair in (self.sums, self.batch)
        )


def convolved(eqn: JaxprEqn, jets: list[Jet], expand: Expand) -> list[Jet]:
    """Convolve; where both move, directions are features that the window sums."""
    p = eqn.params
    if len(moving(jets)) < 2:
        return _filtered(eqn, jets)
    if p["feature_group_count"] > 1 or p["batch_group_count"] > 1:
        return nested(eqn, jets, expand)
    x, y = jets
    lhs, rhs = p["dimension_numbers"].lhs_spec[1], p["dimension_numbers"].rhs_spec[1]
    pair = [hidden(expand(jac)) for jac in (x.jac, y.jac)]
    cross = operation(eqn)(_merged(pair[0], lhs), _merged(pair[1], rhs))[0]
    (by_x,) = linear(eqn, [x, Jet(y.value)], expand)
    (by_y,) = linear(eqn, [Jet(x.value), y], expand)
    lap = total(2 * cross, by_x.lap, by_y.lap)
    return [Jet(by_x.value, by_x.jac + by_y.jac, lap)]


def _filtered(eqn: JaxprEqn, jets: list[Jet]) -> list[Jet]:
    """Convolve with what stands still; early where both are known, and that pays."""
    (jet,) = linear(eqn, jets)
    (k,) = moving(jets)
    jac, other = jets[k].jac, jets[1 - k].value
    is_many = jac.size > MOST_FOLDED and is_known([jac, other], jac.size)
    if not is_many or len(jac) * _products(eqn) > MOST_PRODUCTS:
        return [jet]

    def row(x: Any) -> Any:
        return operation(eqn)(*((x, other) if k == 0 else (other, x)))[0]

    with jax.ensure_compile_time_eval():
        return [jet._replace(jac=jax.jit(jax.vmap(row))(jac))]


def _products(eqn: JaxprEqn) -> int:
    """Return how many products a convolution adds up."""
    kernel, result = shape_of(eqn.invars[1]), shape_of(eqn.outvars[0])
    features = kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
    return math.prod(result) * math.prod(kernel) // max(features, 1)


def _merged(jac: Any, axis: int) -> Any:
    """Merge directions into an axis of features."""
    moved = jnp.moveaxis(jac, 0, axis)
    shape = moved.shape
    merged = shape[axis] * shape[axis + 1]
    return moved.reshape(*shape[:axis], merged, *shape[axis + 2 :])


def either(eqn: JaxprEqn, jets: list[Jet], expand: Expand) -> list[Jet]:
    """Multiply otherwise: linear where one factor moves."""
    return (linear if len(moving(jets)) < 2 else nested)(eqn, jets, expand)


def solved(eqn: JaxprEqn, jets: list[Jet], expand: Expand) -> list[Jet]:
    """Solve a linear system: linear in its right side, the last operand."""
    is_right = moving(jets) == [len(jets) - 1]
    return (linear if is_right else nested)(eqn, jets, expand)
