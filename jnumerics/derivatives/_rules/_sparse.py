"""Products with sparse matrices: with known indices, an output reads its row alone."""

import math
from collections.abc import Sequence

import numpy as np
from jax.extend.core import JaxprEqn

from jnumerics.derivatives._rules._boxes import (
    RULES,
    Box,
    Context,
    collapse,
    expand,
    is_read_alike,
    join,
    minimum_at,
    shape_of,
)
from jnumerics.derivatives._rules._product import one_side


@RULES.rule(
    "bcoo_dot_general",
    reads="dimension_numbers lhs_spinfo",
    ignores="preferred_element_type",
)
def _(context: Context, eqn: JaxprEqn, boxes: Sequence[Box | None]) -> list[Box] | None:
    data, indices, dense = boxes
    if indices is not None:
        return None
    dims, known = eqn.params["dimension_numbers"], context.known(eqn.invars[1])
    shape = eqn.params["lhs_spinfo"].shape
    has_batch = any(dims[1]) or len(shape_of(eqn.invars[1])) > 2
    if known is None or has_batch or known.shape[1] != len(shape):
        return [_as_dense(eqn, data, dense)]
    if (known < 0).any() or not all(is_read_alike(known, dim) for dim in shape):
        return [_as_dense(eqn, data, dense)]
    return [_entrywise(eqn, data, dense, known)]


def _as_dense(eqn: JaxprEqn, data: Box | None, dense: Box | None) -> Box:
    """Join along the contracted axes, as in a product of dense arrays."""
    dims, shape = eqn.params["dimension_numbers"], eqn.params["lhs_spinfo"].shape
    ranks = [len(shape), len(shape_of(eqn.invars[2]))]
    parts = [] if dense is None else [one_side(dense, 1, dims, ranks)]
    if data is not None:  # its first axes are batch axes of the matrix
        n_batch = len(shape_of(eqn.invars[1])) - 2
        data = collapse(data, range(n_batch, data.ndim - 1))
        sizes = [data.shape[k + 1] if k < n_batch else 1 for k in range(len(shape))]
        parts.append(one_side(data.reshape(len(data), *sizes), 0, dims, ranks))
    return join(parts)


def _entrywise(
    eqn: JaxprEqn, data: Box | None, dense: Box | None, known: np.ndarray
) -> Box:
    """Let each output read what the entries of its row meet."""
    (lhs, rhs), _ = eqn.params["dimension_numbers"]
    shape, sizes = eqn.params["lhs_spinfo"].shape, shape_of(eqn.invars[2])
    inside = (known < shape).all(axis=1)  # other entries are padding
    index = known[inside].astype(np.int64)
    free = [axis for axis in range(len(sizes)) if axis not in rhs]
    kept = [axis for axis in range(len(shape)) if axis not in lhs]
    parts = []
    if dense is not None:
        order = (*free, *rhs)
        ordered = expand(dense, rhs, sizes).transpose(0, *(k + 1 for k in order))
        flat = ordered.reshape(*ordered.shape[: 1 + len(free)], -1)
        parts.append(flat[..., _number(index, lhs, shape)])
    if data is not None:
        entries = expand(data, [0], shape_of(eqn.invars[0]))[:, inside]
        parts.append(entries.reshape(len(data), *(1,) * len(free), -1))
    rows = [shape[axis] for axis in kept]
    result, _ = minimum_at(join(parts), _number(index, kept, shape), math.prod(rows))
    result = np.moveaxis(result, -1, 1)
    return result.reshape(len(result), *rows, *result.shape[2:])


def _number(index: np.ndarray, axes: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    """Number the entries along some axes, row-major."""
    number = np.zeros(len(index), np.int64)
    for axis in axes:
        number = number * shape[axis] + index[:, axis]
    return number
