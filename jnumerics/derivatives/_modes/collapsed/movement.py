"""Linear operations: sums, data movement, selections, conversions.

J and L go through alike, each by the operation itself. A constant beside what moves, in
a concatenation or an update, has the derivative zero.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jnumerics.derivatives._dependence.constants.movement import MOVES, moved_rows
from jnumerics.derivatives._modes.collapsed.jet import (
    Expand,
    Jet,
    count_of,
    hidden,
    is_known,
    known,
    total,
)
from jnumerics.derivatives._modes.collapsed.operation import operation
from jnumerics.derivatives._program.jaxpr import JaxprEqn, dtype_of, shape_of
from jnumerics.derivatives._program.linearity.directions import is_inexact

ALONE = frozenset({  # in their only operand of numbers
    "broadcast_in_dim", "conj", "convert_element_type", "copy", "copy_p", "cumsum",
    "dynamic_slice", "expand_dims", "fft", "imag", "name", "neg", "real",
    "reduce_precision", "reduce_sum", "reduce_window_sum", "reshape", "rev", "slice",
    "split", "squeeze", "tile", "transpose", "unstack",
})  # fmt: skip
TOGETHER = frozenset({  # in all of their operands of numbers together
    "add_any", "complex", "concatenate", "dynamic_update_slice", "pad", "scatter-add",
    "select_n", "stack",
})  # fmt: skip
BY_RULE = frozenset({  # as JAX's own rule says: fills, repeated indices, devices
    "all_gather", "all_gather_invariant", "all_to_all", "device_put", "gather",
    "layout_constraint", "optimization_barrier", "pbroadcast", "ppermute", "psum",
    "psum_invariant", "psum_scatter", "pvary", "reduce_scatter", "reshard", "scatter",
    "scatter-sub", "select_and_gather_add", "select_and_scatter_add",
    "sharding_constraint",
})  # fmt: skip


def applied(eqn: JaxprEqn, jets: list[Jet], _: Expand) -> list[Jet]:
    """Apply the operation itself to J and L, zero in place of constants."""
    call, values = operation(eqn), [jet.value for jet in jets]
    is_number = list(map(is_inexact, eqn.invars))

    def push(tangents: list[Any]) -> list[Any]:
        triples = zip(tangents, values, is_number, strict=True)
        return call(*((_or_zero(t, v) if m else v) for t, v, m in triples))

    jacs = _early(eqn, jets)
    if jacs is None:
        rows = [None if jet.jac is None else hidden(jet.jac) for jet in jets]
        axes = [None if row is None else 0 for row in rows]
        jacs = jax.vmap(push, in_axes=(axes,))(rows)
    laps = [jet.lap for jet in jets]
    is_bent = any(lap is not None for lap in laps)
    bent = push(laps) if is_bent else [None] * len(jacs)
    return [Jet(*parts) for parts in zip(call(*values), jacs, bent, strict=True)]


def _early(eqn: JaxprEqn, jets: list[Jet]) -> list[Any] | None:
    """Move derivatives that are known, in NumPy: JAX would compile it; else None."""
    count, ends = count_of(jets), eqn.outvars
    size = count * sum(math.prod(shape_of(v)) for v in ends)
    jacs = [jet.jac for jet in jets if jet.jac is not None]
    if eqn.primitive.name not in MOVES or not is_known(jacs, size):
        return None
    rows = [
        np.zeros((count, *shape_of(v)), dtype_of(v))
        if jet.jac is None
        else np.asarray(jet.jac)
        for v, jet in zip(eqn.invars, jets, strict=True)
    ]
    moved = moved_rows(eqn, rows)
    if moved is None:
        return None
    return [
        known(np.broadcast_to(y, (count, *shape_of(v))), dtype_of(v))
        for y, v in zip(moved, ends, strict=True)
    ]


def _or_zero(tangent: Any, value: Any) -> Any:
    return jnp.zeros_like(value) if tangent is None else tangent


def added(eqn: JaxprEqn, jets: list[Jet], _: Expand) -> list[Jet]:
    """Add or subtract: constants fall out."""
    (value,) = operation(eqn)(*(jet.value for jet in jets))
    if eqn.primitive.name == "sub":
        y = jets[1]
        jets = [jets[0], Jet(None, *(p if p is None else -p for p in y[1:]))]
    shape = shape_of(eqn.outvars[0])
    jacs = [hidden(jet.jac) for jet in jets if jet.jac is not None]
    jac = total(*(spread(jac, len(shape)) for jac in jacs))
    lap = total(*(jet.lap for jet in jets))
    return [fitted(value, jac, lap)]


def fitted(value: Any, jac: Any, lap: Any) -> Jet:
    """Give derivatives of scalars the shape of the value that they made."""
    jac = jnp.broadcast_to(jac, (jac.shape[0], *value.shape))
    return Jet(value, jac, lap if lap is None else jnp.broadcast_to(lap, value.shape))


def spread(jac: Any, rank: int) -> Any:
    """Give a scalar's derivatives the axes of what it stands beside."""
    return jac.reshape(jac.shape[0], *[1] * (rank + 1 - jac.ndim), *jac.shape[1:])
