"""The terms of a Jacobian: dense blocks, products of factors, scattered entries, lines.

A mode gives the Jacobian as a sum of terms, each in the form in which its passes leave
it. Every term can be asked for its dense matrices, its diagonal, or its entries, and
takes the cheapest way to them: the diagonal of a product, for one, without the product.

Matrices are `(n, rows, columns)`, one for each sample (n = 1 for a full Jacobian); rows
count the elements of one sample's outputs, leaf after leaf, columns those of its
inputs. Entries and lines occur in full Jacobians only.

Reference:
    Griewank & Walther (2008), Evaluating Derivatives, chapters 8 (compression) and 10
    (Jacobian accumulation).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jnumerics import _check
from jnumerics.derivatives._modes.coloring.alike import alike
from jnumerics.derivatives._program.layout import common_dtype, is_shared

Blocks = list[list[Array]]


class Sizes(NamedTuple):
    """The number of rows of each output leaf, and of columns of each input leaf."""

    samples: int
    rows: Sequence[int]
    columns: Sequence[int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of all leaves' matrices put together."""
        return self.samples, sum(self.rows), sum(self.columns)


@runtime_checkable
class Term(Protocol):
    """A part of a Jacobian."""

    def dense(self, sizes: Sizes, /) -> Array:
        """Return the matrices `(n, rows, columns)`, all leaves put together."""
        ...

    def diagonal(self, sizes: Sizes, /) -> Array:
        """Return the diagonals `(n, rows)` of square matrices."""
        ...

    def indices(self, sizes: Sizes, /) -> tuple[np.ndarray, np.ndarray]:
        """Return row and column of each entry of the only matrix.

        Indices beyond the matrix are padding.
        """
        ...

    def entries(self, sizes: Sizes, /) -> Array:
        """Return the entries' values.

        They may come in another shape, to be flattened where that is cheap: outside of
        the compiled program.
        """
        ...


class Dense(NamedTuple):
    """Matrices for each pair of leaves: a row of blocks for each output."""

    blocks: Blocks

    def dense(self, _: Sizes) -> Array:
        """Put the blocks together."""
        rows = [concatenate(row, 2) for row in self.blocks]
        return concatenate(rows, 1)

    def diagonal(self, sizes: Sizes) -> Array:
        """Read the diagonals off."""
        return jnp.diagonal(self.dense(sizes), axis1=1, axis2=2)

    def indices(self, sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of every entry."""
        return all_indices(sizes)

    def entries(self, sizes: Sizes) -> Array:
        """Return every entry."""
        return self.dense(sizes).reshape(-1)


class Product(NamedTuple):
    """Two factors that meet in a cut.

    Attributes:
        after: Matrices `(n, rows, d)`.
        before: Matrices `(n, d, columns)`.
    """

    after: Array
    before: Array

    def dense(self, _: Sizes) -> Array:
        """Multiply the factors: m n d operations."""
        after, before = _check.promote(self.after, self.before)
        return jnp.matmul(after, before, precision="highest")

    def diagonal(self, _: Sizes) -> Array:
        """Multiply row by row: n d operations, without forming the product."""
        after, before = _check.promote(self.after, self.before)
        return jnp.sum(after * jnp.swapaxes(before, 1, 2), axis=2)

    def indices(self, sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of every entry."""
        return all_indices(sizes)

    def entries(self, sizes: Sizes) -> Array:
        """Return every entry of the product."""
        return self.dense(sizes).reshape(-1)


class Entries(NamedTuple):
    """Single entries, read off the results of passes that they share.

    Attributes:
        results: Results of the passes, `(passes, ...)`, in the shape of their leaf
            where there is only one: flattening is slow inside a fused loop.
        passes: For each entry, the pass that holds it.
        places: Where it stands in that pass' result.
        rows: Its row in the Jacobian.
        columns: Its column.
        is_mirrored: Whether one place may hold two entries, as of a symmetric matrix.
    """

    results: Array
    passes: np.ndarray
    places: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    is_mirrored: bool = False

    def flat(self) -> Array:
        """The results as `(passes, length)`."""
        return self.results.reshape(len(self.results), -1)

    def values(self) -> Array:
        """Gather the entries' values."""
        return _take(self.flat(), self.passes, self.places)

    def dense(self, sizes: Sizes) -> Array:
        """Write the entries into zeros."""
        _, m, n = sizes.shape
        if is_shared(jax.typeof(self.results)):
            each = alike(self.results.shape[1:], (m, n), *self[1:5])
            if each is not None:
                return each.dense(self.results, (m, n))[None]
        zeros = jnp.zeros((m, n), self.results.dtype)
        where = zeros.at[self.rows, self.columns]
        filled = where.set(self.values(), unique_indices=True, mode="promise_in_bounds")
        return filled[None]

    def diagonal(self, sizes: Sizes) -> Array:
        """Pick each diagonal entry from the pass that holds it; others are zero.

        In that pass' result it stands at its own row, which is also its column.
        """
        on = self.rows == self.columns
        owner = np.full(sizes.shape[1], -1)
        owner[self.rows[on]] = self.passes[on]
        shape = self.results.shape[1:]
        picked = jnp.zeros(shape, self.results.dtype)
        for k in np.unique(owner[owner >= 0]):
            mine = (owner == k).reshape(shape)
            result = self.results[k]
            picked = result if mine.all() else jnp.where(mine, result, picked)
        return picked.reshape(1, -1)

    @property
    def is_full(self) -> bool:
        """Whether most places of the results hold an entry.

        The results then serve as the values, without a gather, and the few places that
        hold no entry are padding.
        """
        return not self.is_mirrored and len(self.rows) >= 0.9 * self.results.size

    def indices(self, sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
        """Return the entries' indices, pass after pass."""
        if not self.is_full:
            return self.rows, self.columns
        n_slots = self.results.size
        slot = self.passes * (n_slots // len(self.results)) + self.places
        rows = np.full(n_slots, sizes.shape[1])
        columns = np.full(n_slots, sizes.shape[2])
        rows[slot], columns[slot] = self.rows, self.columns
        return rows, columns

    def entries(self, _: Sizes) -> Array:
        """Return the entries' values."""
        return self.results if self.is_full else self.values()


class Pure(NamedTuple):
    """At most one entry in each row.

    Attributes:
        values: Each row's entry, `(n, rows)`.
        columns: Its column; -1 where the row has none.
    """

    values: Array
    columns: np.ndarray

    def dense(self, sizes: Sizes) -> Array:
        """Write the entries into zeros."""
        if is_shared(jax.typeof(self.values)):  # a scatter would gather them
            own = self.columns[:, :, None] == np.arange(sizes.shape[2])
            return jnp.where(own, self.values[:, :, None], 0)
        zeros = jnp.zeros(sizes.shape, self.values.dtype)
        sample, row = np.nonzero(self.columns >= 0)
        where = zeros.at[sample, row, self.columns[sample, row]]
        values = _take(self.values, sample, row)
        return where.set(values, unique_indices=True, mode="promise_in_bounds")

    def diagonal(self, sizes: Sizes) -> Array:
        """Keep the entries that stand on the diagonal."""
        on = self.columns == np.arange(sizes.shape[1])
        return self.values if on.all() else jnp.where(on, self.values, 0)

    def indices(self, _: Sizes) -> tuple[np.ndarray, np.ndarray]:
        """Return the entries' indices."""
        rows = np.flatnonzero(self.columns[0] >= 0)
        return rows, self.columns[0, rows]

    def entries(self, _: Sizes) -> Array:
        """Return the entries' values."""
        values = self.values[0]
        rows = np.flatnonzero(self.columns[0] >= 0)
        return values if len(rows) == len(values) else _take(values, rows)


class Lines(NamedTuple):
    """Whole rows, or whole columns, of the only matrix.

    Attributes:
        where: Their positions.
        values: One line after the other, `(lines, length)`.
        axis: 0 for rows, 1 for columns.
    """

    where: np.ndarray
    values: Array
    axis: int

    def dense(self, sizes: Sizes) -> Array:
        """Write the lines into zeros."""
        _, m, n = sizes.shape
        zeros = jnp.zeros((m, n), self.values.dtype)
        if self.axis == 0:
            return zeros.at[self.where].set(self.values)[None]
        return zeros.at[:, self.where].set(self.values.T)[None]

    def diagonal(self, sizes: Sizes) -> Array:
        """Pick each line's entry on the diagonal."""
        zeros = jnp.zeros(sizes.shape[1], self.values.dtype)
        own = _take(self.values, np.arange(len(self.where)), self.where)
        return zeros.at[self.where].set(own)[None]

    def indices(self, _: Sizes) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of every entry of the lines."""
        length = self.values.shape[1]
        along = np.repeat(self.where, length)
        across = np.tile(np.arange(length), len(self.where))
        return (along, across) if self.axis == 0 else (across, along)

    def entries(self, _: Sizes) -> Array:
        """Return every entry of the lines."""
        return self.values.reshape(-1)


def all_indices(sizes: Sizes) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of every entry, row by row."""
    _, m, n = sizes.shape
    rows, columns = np.divmod(np.arange(m * n), max(n, 1))
    return rows, columns


def _take(x: Array, *index: np.ndarray) -> Array:
    return x.at[index].get(mode="promise_in_bounds")


def concatenate(arrays: Sequence[Array], axis: int) -> Array:
    """Concatenate arrays, brought to their common dtype."""
    if len(arrays) == 1:
        return arrays[0]
    dtype = common_dtype(*(x.dtype for x in arrays))
    return jnp.concatenate([x.astype(dtype) for x in arrays], axis)
