"""Sparse blocks of a Jacobian: values from the passes, indices from the proof."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics.derivatives._program.layout import common_dtype
from jnumerics.derivatives._program.trace import Target

# Entries up to which values are flattened in the program of their passes. Of more, the
# compiler makes one slow loop, which costs more than to start a program of their own.
# `make bench`: `hessians`, `stencil`.
MOST_INSIDE = 1 << 15


class Pattern:
    """The indices of a sparse block: found at trace time, kept outside the program."""

    def __init__(self, indices: np.ndarray, shape: tuple[int, ...]) -> None:
        self.indices, self.shape = indices, shape

    @functools.cached_property
    def array(self) -> Array:
        """The indices on the device, put there once."""
        with jax.ensure_compile_time_eval():
            return jnp.asarray(self.indices)

    @functools.cached_property
    def structure(self) -> Any:
        """The tree structure of a BCOO, made once.

        One that is constructed checks its indices again at each call, which "heat
        equation 32x32, evaluation" of the benchmarks shows.
        """
        from jax.experimental.sparse import BCOO  # heavy, and few calls need it

        indices = jax.ShapeDtypeStruct(self.indices.shape, jnp.int32)
        data = jax.ShapeDtypeStruct(self.indices.shape[:1], jnp.float32)
        return jax.tree.structure(
            jax.eval_shape(lambda *x: BCOO(x, shape=self.shape), data, indices)
        )


@jax.tree_util.register_pytree_node_class
class SparseBlock:
    """Values with their pattern; the pattern is the same for every call of a shape."""

    def __init__(self, values: Array, pattern: Pattern) -> None:
        self.values, self.pattern = values, pattern

    def tree_flatten(self) -> tuple[tuple[Array], Pattern]:
        return (self.values,), self.pattern

    @classmethod
    def tree_unflatten(cls, pattern: Pattern, children: tuple[Array]) -> "SparseBlock":
        return cls(*children, pattern)


def blocks(
    target: Target, rows: np.ndarray, columns: np.ndarray, values: Array
) -> list[list[SparseBlock]]:
    """Return the entries of each pair of leaves."""
    starts = np.cumsum([0, *(i.size for i in target.in_avals)])[:-1]
    result, top = [], 0
    for v, o in zip(target.program.outputs, target.out_avals, strict=True):
        height = 0 if v is None else o.size
        result.append(
            [
                _block(rows - top, columns - start, values, o, i, height)
                for i, start in zip(target.in_avals, starts, strict=True)
            ]
        )
        top += height
    return result


def _block(
    rows: np.ndarray, columns: np.ndarray, values: Array, o: Any, i: Any, height: int
) -> SparseBlock:
    """Select one pair of leaves' entries; if it is the only pair, keep the padding."""
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < i.size)
    shape = (*o.shape, *i.shape)
    is_only = np.all(inside | ((rows == height) & (columns == i.size)))
    if not is_only or not shape:  # between scalars, padding has no index to stand at
        selected = np.flatnonzero(inside)
        rows, columns = rows[selected], columns[selected]
        values = values.reshape(-1)[selected]
        inside = inside[selected]
    indices = np.empty((len(rows), len(shape)), np.int32)
    indices[:] = shape  # beyond the shape: padding
    where = np.flatnonzero(inside)
    parts = [*_unravel(rows[where], o.shape), *_unravel(columns[where], i.shape)]
    for axis, part in enumerate(parts):
        indices[where, axis] = part
    values = values.astype(common_dtype(o.dtype, i.dtype))
    if values.size <= MOST_INSIDE:
        values = values.reshape(-1)
    return SparseBlock(values, Pattern(indices, shape))


def _unravel(flat: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    return np.unravel_index(flat, shape) if shape else ()


def join(real: SparseBlock, imaginary: SparseBlock) -> SparseBlock:
    """Combine a real and an imaginary part; entries at the same place add up."""
    x, y = real.values.reshape(-1), imaginary.values.reshape(-1)
    indices = real.pattern.indices
    if np.array_equal(indices, imaginary.pattern.indices):
        return SparseBlock(jax.lax.complex(x, y), real.pattern)
    parts = [
        jax.lax.complex(x, jnp.zeros_like(x)),
        jax.lax.complex(jnp.zeros_like(y), y),
    ]
    indices = np.concatenate([indices, imaginary.pattern.indices])
    return SparseBlock(jnp.concatenate(parts), Pattern(indices, real.pattern.shape))


def as_bcoo(tree: Any) -> Any:
    """Return a block, or a tree of blocks, in JAX's format."""
    if isinstance(tree, SparseBlock):  # a tree's walk costs more than this block
        return _as_bcoo(tree)
    return jax.tree.map(_as_bcoo, tree, is_leaf=lambda x: isinstance(x, SparseBlock))


def _as_bcoo(x: SparseBlock) -> Any:
    data = x.values if x.values.ndim == 1 else _flatten(x.values)
    return x.pattern.structure.unflatten((data, x.pattern.array))


@jax.jit
def _flatten(x: Array) -> Array:
    """Flatten values in a program of its own."""
    return x.reshape(-1)
